//! Having a streamed answer examined window by window.
//!
//! As soon as a window of text is there, its examiner is asked about it, together with the end of what was judged
//! before; meanwhile the next window is read, and no more than that. What has been judged leaves at once. An answer that
//! is refused within its first window has not begun, and gets a status of its own; later it ends with an error. What was
//! withheld of it is charged for all the same.
//!
//! What stretches over more than a window and its overlap is never seen as a whole, and passes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::base::stop::Stop;
use crate::chat::{Event, Events, Frame, Usage};
use crate::pipeline::cx::Cx;
use crate::pipeline::ending::{bytes_in, tokens_in};
use crate::pipeline::examine::is_last;
use crate::pipeline::hold::{Examiner, Inquiry, Late, Ruling, Window};
use crate::pipeline::step::{Answer, Burst};

/// The same answer, each part of which leaves once it has been judged. Waits for the first.
///
/// # Errors
/// When the first window is refused, or breaks off.
pub async fn windowed(
    cx: &mut Cx,
    entry: usize,
    examiner: Arc<dyn Examiner>,
    window: Window,
    answer: Answer,
) -> Result<Answer, Stop> {
    let Answer { head, frames } = answer;
    let windows = Windows::new(frames, examiner, window, cx.trail.late(entry));
    let mut opening = Opening { cx, begun: Instant::now(), windows: Some(windows) };
    let first = match &mut opening.windows {
        Some(windows) => windows.next().await.transpose()?,
        None => None,
    };
    let rest = opening.windows.take();
    drop(opening);
    let first = futures_util::stream::iter(first.map(Ok));
    let frames = first.chain(futures_util::stream::iter(rest).flatten()).boxed();
    Ok(Answer { head, frames })
}

/// A stream whose first window is awaited. However that ends, what it has used is charged for, unless it goes on.
struct Opening<'a> {
    cx: &'a mut Cx,
    begun: Instant,
    windows: Option<Windows>,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.cx.trail.pauses += self.begun.elapsed();
        if let Some(windows) = self.windows.take() {
            self.cx.waste(windows.usage());
        }
    }
}

/// A stream that is judged as it comes.
struct Windows {
    /// `None` once there is no more to come.
    frames: Option<BoxStream<'static, Result<Burst, Stop>>>,
    examiner: Arc<dyn Examiner>,
    window: Window,
    late: Late,
    /// The end of what has been judged, as long as the overlap.
    behind: VecDeque<(Burst, u64)>,
    asked: Option<(Inquiry, Vec<Burst>)>,
    /// What nobody has been asked about yet, and the bytes of its text.
    held: Vec<Burst>,
    bytes: u64,
    /// What may leave, and how it ends when it has.
    out: VecDeque<Burst>,
    stop: Option<Stop>,
    has_begun: bool,
    has_ended: bool,
    /// Text of the whole answer so far, in bytes, and what its provider says it used.
    total: u64,
    said: Usage,
}

impl Windows {
    fn new(
        frames: BoxStream<'static, Result<Burst, Stop>>,
        examiner: Arc<dyn Examiner>,
        window: Window,
        late: Late,
    ) -> Self {
        Self {
            frames: Some(frames),
            examiner,
            window,
            late,
            behind: VecDeque::new(),
            asked: None,
            held: Vec::new(),
            bytes: 0,
            out: VecDeque::new(),
            stop: None,
            has_begun: false,
            has_ended: false,
            total: 0,
            said: Usage::default(),
        }
    }

    /// What the answer has used so far: its provider's word, or what its text comes to.
    fn usage(&self) -> Usage {
        let counted = tokens_in(self.total);
        Usage { out: Some(self.said.out.unwrap_or(0).max(counted)), ..self.said.clone() }
    }

    fn gather(&mut self, burst: Burst) {
        let mut bytes = 0;
        for event in burst.iter().flat_map(|frame| frame.iter()) {
            bytes += bytes_in(event);
            if let Event::Usage(usage) = event {
                self.said.update(usage);
            }
        }
        self.total += bytes;
        // The connection is read to its end all the same, so that it can be used again.
        self.has_ended |= is_last(&burst);
        // Signs of life need not wait for words.
        if self.has_begun && self.held.is_empty() && self.asked.is_none() && burst.iter().all(is_wordless) {
            self.out.push_back(burst);
        } else {
            self.bytes += bytes;
            self.held.push(burst);
        }
    }

    /// Asks about what is held, if it is a window or all that is left.
    fn ask(&mut self) {
        let is_full = self.bytes >= self.window.size as u64 || self.frames.is_none() || self.has_ended;
        if self.asked.is_some() || self.held.is_empty() || !is_full {
            return;
        }
        let held = std::mem::take(&mut self.held);
        self.bytes = 0;
        if held.iter().flatten().all(is_wordless) {
            self.has_begun = true;
            self.out.extend(held);
            return;
        }
        let mut shown: Vec<Burst> = self.behind.iter().map(|(burst, _)| burst.clone()).collect();
        shown.extend(held.iter().cloned());
        self.asked = Some((self.examiner.examine(&shown), held));
    }

    fn hear(&mut self, ruling: Ruling, judged: Vec<Burst>) {
        let stop = ruling.stop.clone();
        self.late.add(ruling);
        if let Some(stop) = stop {
            return self.give_up(stop);
        }
        self.has_begun = true;
        for burst in judged {
            let bytes = burst.iter().flat_map(|frame| frame.iter()).map(bytes_in).sum();
            self.behind.push_back((burst.clone(), bytes));
            self.out.push_back(burst);
        }
        let mut kept: u64 = self.behind.iter().map(|(_, bytes)| bytes).sum();
        while let Some((_, bytes)) = self.behind.front()
            && kept - bytes >= self.window.overlap as u64
        {
            kept -= bytes;
            self.behind.pop_front();
        }
    }

    /// Nothing more leaves but what the answer has used.
    fn give_up(&mut self, stop: Stop) {
        self.frames = None;
        self.held.clear();
        if self.has_begun {
            let usage = Event::Usage(Box::new(self.usage()));
            self.out.push_back(vec![Frame::new(Events::from_iter([usage]))]);
        }
        self.stop = Some(stop);
    }

    fn is_over(&self) -> bool {
        self.frames.is_none() && self.held.is_empty() && self.asked.is_none()
    }
}

impl Stream for Windows {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(burst) = self.out.pop_front() {
                return Poll::Ready(Some(Ok(burst)));
            }
            if self.is_over() {
                return Poll::Ready(self.stop.take().map(Err));
            }
            self.ask();
            if !self.out.is_empty() {
                continue;
            }
            let mut is_waiting = true;
            if let Some((mut inquiry, judged)) = self.asked.take() {
                match inquiry.as_mut().poll(cx) {
                    Poll::Ready(ruling) => {
                        self.hear(ruling, judged);
                        continue;
                    }
                    Poll::Pending => self.asked = Some((inquiry, judged)),
                }
            }
            let has_room = self.bytes < self.window.size as u64;
            if let Some(frames) = self.frames.as_mut().filter(|_| has_room)
                && let Poll::Ready(item) = frames.as_mut().poll_next(cx)
            {
                is_waiting = false;
                match item {
                    Some(Ok(burst)) => self.gather(burst),
                    Some(Err(stop)) => (self.frames, self.stop) = (None, Some(stop)),
                    None => self.frames = None,
                }
            }
            if is_waiting {
                return Poll::Pending;
            }
        }
    }
}

/// Whether nothing in a frame is a model's.
fn is_wordless(frame: &Frame) -> bool {
    let is_wordless = |event: &Event| match event {
        Event::Start(_)
        | Event::Usage(_)
        | Event::Ping
        | Event::Unread
        | Event::Close { .. }
        | Event::Finish { .. }
        | Event::End => true,
        Event::Open { .. } | Event::Delta { .. } | Event::Whole(_) | Event::Failed(_) => false,
    };
    frame.iter().all(is_wordless)
}
