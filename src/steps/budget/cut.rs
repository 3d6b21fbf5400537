//! Cutting a stream that goes on beyond what is set aside for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use crate::base::stop::{Refusal, Stop};
use crate::pipeline::ending::bytes_in;
use crate::pipeline::{Answer, Burst};

/// The same answer, which ends with an error once it must be longer than `most` tokens.
pub fn after(answer: Answer, most: u64) -> Answer {
    let frames = Metered { frames: Some(answer.frames), bytes: 0, most, is_cut: false };
    Answer { head: answer.head, frames: frames.boxed() }
}

struct Metered {
    /// `None` once the answer is over, so that the upstream is let go.
    frames: Option<BoxStream<'static, Result<Burst, Stop>>>,
    bytes: u64,
    most: u64,
    /// What was allowed of the burst that went too far has been passed on.
    is_cut: bool,
}

impl Metered {
    /// How many frames of a burst are within what is allowed.
    fn allowed(&mut self, burst: &Burst) -> usize {
        for (number, frame) in burst.iter().enumerate() {
            self.bytes += frame.iter().map(bytes_in).sum::<u64>();
            if self.bytes > self.most.saturating_mul(BYTES_OF_A_TOKEN) {
                return number;
            }
        }
        burst.len()
    }

    fn cut(&mut self) -> Poll<Option<Result<Burst, Stop>>> {
        self.frames = None;
        let message = "the answer is cut here: what the budget had set aside for it is used up";
        Poll::Ready(Some(Err(Refusal::new(402, "budget_exceeded", message).into())))
    }
}

impl Stream for Metered {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_cut && self.frames.is_some() {
            return self.cut();
        }
        let Some(frames) = &mut self.frames else { return Poll::Ready(None) };
        let mut burst = match ready!(frames.as_mut().poll_next(cx)) {
            Some(Ok(burst)) => burst,
            other => return Poll::Ready(other),
        };
        let allowed = self.allowed(&burst);
        if allowed == burst.len() {
            return Poll::Ready(Some(Ok(burst)));
        }
        burst.truncate(allowed);
        self.is_cut = true;
        if burst.is_empty() { self.cut() } else { Poll::Ready(Some(Ok(burst))) }
    }
}

/// No text has longer tokens on average; an answer that is cut although it kept within its limit would be worse than
/// one that goes a little beyond it.
const BYTES_OF_A_TOKEN: u64 = 8;
