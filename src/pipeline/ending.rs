//! Learning how an answer ended: once, whether it came to its end, failed, or was left by its caller.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use crate::base::stop::Stop;
use crate::chat::{Completion, Content, Event, Usage};
use crate::pipeline::step::{Answer, Burst};

/// What is known of an answer that is over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ending {
    /// What the provider has said of its usage.
    pub usage: Option<Usage>,
    /// Bytes of text that came: words, thoughts and arguments of tools. Of a whole answer none, unless somebody
    /// [looks inside](crate::pipeline::Tap::looks_inside).
    pub bytes: u64,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum How {
    /// It was said to the end.
    Whole,
    /// It broke off.
    Failed,
    /// Nobody listened any more.
    #[default]
    Abandoned,
}

impl Ending {
    /// The tokens of the answer: the provider's word, or a guess of a token for each four bytes.
    pub fn output(&self) -> u64 {
        self.usage.as_ref().map_or_else(|| tokens_in(self.bytes), Usage::output)
    }
}

/// The same answer, whose ending `then` is told of.
pub fn at_end(answer: Answer, then: impl FnOnce(Ending) + Send + 'static) -> Answer {
    let watched = Watched { frames: answer.frames, ending: Ending::default(), then: Some(Box::new(then)) };
    Answer { head: answer.head, frames: watched.boxed() }
}

struct Watched {
    frames: BoxStream<'static, Result<Burst, Stop>>,
    ending: Ending,
    then: Option<Box<dyn FnOnce(Ending) + Send>>,
}

impl Watched {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Usage(usage) => self.ending.usage.get_or_insert_default().update(usage),
            Event::Whole(completion) => self.ending.usage.clone_from(&completion.usage),
            _ => {}
        }
        self.ending.bytes += bytes_in(event);
    }

    fn over(&mut self, how: How) {
        if let Some(then) = self.then.take() {
            then(Ending { how, ..std::mem::take(&mut self.ending) });
        }
    }
}

/// Bytes of text in an event: words, thoughts and arguments of tools.
pub fn bytes_in(event: &Event) -> u64 {
    match event {
        Event::Whole(completion) => bytes_of(completion),
        Event::Delta { delta, .. } => delta.text().map_or(0, |text| text.len() as u64),
        _ => 0,
    }
}

/// The tokens that so many bytes of text are, by a guess.
pub fn tokens_in(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// The same in a whole answer.
pub fn bytes_of(completion: &Completion) -> u64 {
    let parts = completion.choices.iter().flat_map(|choice| &choice.parts);
    let bytes = parts.map(|part| match &part.content {
        Content::Text(text) | Content::Refusal(text) => text.len(),
        Content::Thinking(thinking) => thinking.text.len(),
        Content::ToolCall(call) => call.arguments.len(),
        _ => 0,
    });
    bytes.sum::<usize>() as u64
}

impl Stream for Watched {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let burst = ready!(self.frames.as_mut().poll_next(cx));
        match &burst {
            Some(Ok(frames)) => {
                let mut ends = false;
                for event in frames.iter().flat_map(|frame| frame.iter()) {
                    self.observe(event);
                    ends |= matches!(event, Event::End | Event::Whole(_));
                }
                // Many callers hang up as soon as they have seen the end.
                if ends {
                    self.over(How::Whole);
                }
            }
            Some(Err(_)) => self.over(How::Failed),
            None => self.over(How::Whole),
        }
        Poll::Ready(burst)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.over(How::Abandoned);
    }
}
