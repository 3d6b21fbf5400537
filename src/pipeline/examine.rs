//! Having an answer examined.
//!
//! Nothing of an answer leaves before its examiner has seen all of it: what is streamed is gathered first, so that a
//! caller whose answer is refused has seen nothing of it, and gets an error with a status of its own. What the answer
//! has used is charged for all the same.
//!
//! An answer that is only observed passes as it comes, but for its last burst, which waits for the word on it.
//!
//! Who is content with a part of a stream at a time is asked by [windows](super::windows).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::base::stop::{Refusal, Stop};
use crate::chat::{Event, Usage};
use crate::pipeline::cx::Cx;
use crate::pipeline::ending::{bytes_in, tokens_in};
use crate::pipeline::hold::{Examiner, Inquiry, Late};
use crate::pipeline::mirror::Mirror;
use crate::pipeline::step::{Answer, Burst};

/// The most text of an answer that is gathered, in bytes.
const MOST: u64 = 32 * 1024 * 1024;

/// The same answer, once it has been examined.
///
/// # Errors
/// When it is refused, breaks off, or is too large to be gathered.
pub async fn examined(cx: &mut Cx, entry: usize, examiner: &dyn Examiner, answer: Answer) -> Result<Answer, Stop> {
    let Answer { head, mut frames } = answer;
    let mut gathering = Gathering { cx, begun: Instant::now(), usage: Usage::default(), bytes: 0, is_passed: false };
    let mut bursts: Vec<Burst> = Vec::new();
    while let Some(burst) = frames.next().await {
        let burst = burst?;
        gathering.note(&burst);
        bursts.push(burst);
        if gathering.bytes > MOST {
            return Err(Refusal::new(502, "answer_too_large", "the answer is too large to be examined").into());
        }
    }
    let ruling = examiner.examine(&bursts).await;
    let stop = ruling.stop.clone();
    gathering.cx.trail.rule(entry, ruling);
    if let Some(stop) = stop {
        return Err(stop);
    }
    gathering.is_passed = true;
    drop(gathering);
    Ok(Answer { head, frames: futures_util::stream::iter(bursts.into_iter().map(Ok)).boxed() })
}

/// An answer that is being gathered. However that ends, what it has used is charged for, unless it is passed on.
struct Gathering<'a> {
    cx: &'a mut Cx,
    begun: Instant,
    usage: Usage,
    bytes: u64,
    is_passed: bool,
}

impl Gathering<'_> {
    fn note(&mut self, burst: &Burst) {
        for event in burst.iter().flat_map(|frame| frame.iter()) {
            self.bytes += bytes_in(event);
            match event {
                Event::Usage(usage) => self.usage.update(usage),
                Event::Whole(completion) => completion.usage.iter().for_each(|usage| self.usage.update(usage)),
                _ => {}
            }
        }
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        self.cx.trail.pauses += self.begun.elapsed();
        if self.is_passed {
            return;
        }
        let mut usage = std::mem::take(&mut self.usage);
        if usage.output_said().is_none() {
            usage.out = Some(tokens_in(self.bytes));
        }
        self.cx.waste(usage);
    }
}

/// The same answer, on which words are still to be heard, and which is shown to mirrors. Each word goes where it is
/// noted late.
pub fn observed(
    answer: Answer,
    inquiries: Vec<(Late, Inquiry)>,
    examiners: Vec<(Late, Arc<dyn Examiner>)>,
    mirrors: Vec<Mirror>,
) -> Answer {
    let observed = Observed { frames: answer.frames, inquiries, examiners, mirrors, seen: Vec::new(), last: None };
    Answer { head: answer.head, frames: observed.boxed() }
}

struct Observed {
    frames: BoxStream<'static, Result<Burst, Stop>>,
    inquiries: Vec<(Late, Inquiry)>,
    /// Those who have not been asked yet.
    examiners: Vec<(Late, Arc<dyn Examiner>)>,
    mirrors: Vec<Mirror>,
    seen: Vec<Burst>,
    /// The last burst, or the end itself, which waits until all has been heard.
    last: Option<Option<Burst>>,
}

impl Observed {
    fn listen(&mut self, cx: &mut Context<'_>) {
        self.inquiries.retain_mut(|(late, inquiry)| match inquiry.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(mut ruling) => {
                ruling.is_observed = true;
                late.add(ruling);
                false
            }
        });
    }

    fn ask(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        let asked = std::mem::take(&mut self.examiners);
        self.inquiries.extend(asked.into_iter().map(|(late, examiner)| (late, examiner.examine(&seen))));
    }
}

impl Stream for Observed {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            self.listen(cx);
            if self.last.is_some() {
                if !self.inquiries.is_empty() {
                    return Poll::Pending;
                }
                return Poll::Ready(self.last.take().flatten().map(Ok));
            }
            let item = ready!(self.frames.as_mut().poll_next(cx));
            self.mirrors.iter_mut().for_each(|mirror| mirror.show(item.clone(), cx));
            let burst = match item {
                Some(Err(stop)) => return Poll::Ready(Some(Err(stop))),
                Some(Ok(burst)) => Some(burst),
                None => None,
            };
            if !self.examiners.is_empty() {
                self.seen.extend(burst.clone());
            }
            match burst {
                Some(burst) if !is_last(&burst) => return Poll::Ready(Some(Ok(burst))),
                last => {
                    self.ask();
                    self.last = Some(last);
                }
            }
        }
    }
}

/// Many callers hang up as soon as they have seen the end.
pub fn is_last(burst: &Burst) -> bool {
    burst.iter().flat_map(|frame| frame.iter()).any(|event| matches!(event, Event::End | Event::Whole(_)))
}
