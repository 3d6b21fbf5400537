//! The way back: an answer is shown to the plugin, whole or piece by piece.
//!
//! A plugin with a response hook sees whole answers, and streams once they are over, unless it has a stream hook as well. One
//! with only a stream hook sees whole answers as a stream of one batch. So no answer passes unseen, whatever way it comes.

mod pieces;
mod piecewise;
mod whole;

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::view::Attached;
use super::ward::Ward;
use crate::chat::{Event, Frame};
use crate::pipeline::charge::Beside;
use crate::pipeline::remarks::Counts;
use crate::pipeline::{Answer, Burst, Head, Tap};
use crate::wasm::{Call, types};
use piecewise::Piecewise;

/// A request that a plugin has seen, and whose answer it wants to see.
pub struct Follow {
    pub ward: Arc<Ward>,
    pub hooks: Hooks,
    pub context: types::Context,
    /// The request as it left the plugin.
    pub request: types::ChatRequest,
    pub attached: Attached,
    /// Where findings are noted.
    pub counts: Arc<Counts>,
    /// Where questions to models are noted, if there may be any.
    pub beside: Option<Beside>,
    pub gather: super::config::Gather,
    pub hold: Hold,
    pub request_id: String,
}

/// Which hooks look at answers; at least one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hooks {
    pub response: bool,
    pub stream: bool,
}

/// How much of an answer may be kept back, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub pieces: usize,
    pub whole: usize,
}

impl Tap for Follow {
    fn wrap(self: Box<Self>, answer: Answer) -> Answer {
        let Answer { head, frames } = answer;
        let kept = head.clone();
        let begun = stream::once(async move { self.begin(kept, frames).await });
        Answer { head, frames: begun.flatten().boxed() }
    }

    fn learns(&self) -> bool {
        true
    }
}

type Frames = stream::BoxStream<'static, Result<Burst, crate::base::stop::Stop>>;

impl Follow {
    /// A call that begins now, with nothing but what it is told.
    fn call(&self) -> Call {
        self.ward.call(None, self.beside.as_ref())
    }

    /// Finds out by its first frames what way the answer comes.
    async fn begin(self: Box<Self>, head: Head, mut frames: Frames) -> Frames {
        let first = frames.next().await;
        let is_whole = matches!(&first, Some(Ok(burst)) if burst.iter().any(is_whole));
        let frames = stream::iter(first).chain(frames).boxed();
        let goes_whole = if is_whole { self.hooks.response } else { !self.hooks.stream };
        if goes_whole {
            stream::once(self.judge(head, frames)).flatten().boxed()
        } else {
            stream::unfold(Piecewise::new(self, frames), |mut way| async move {
                let next = way.next().await?;
                Some((next, way))
            })
            .boxed()
        }
    }
}

fn is_whole(frame: &Frame) -> bool {
    frame.iter().any(|event| matches!(event, Event::Whole(_)))
}
