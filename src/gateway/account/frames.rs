//! The frames of an answer, accounted for as they pass.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use crate::base::stop::Stop;
use crate::chat::Event;
use crate::gateway::account::Account;
use crate::gateway::outlive::Rest;
use crate::pipeline::Burst;
use crate::pipeline::retry::OnDisconnect;
use crate::pipeline::step::Audience;

/// Frames on their way to the caller. What those take that go on without it is accounted for as well.
pub struct Accounted {
    frames: BoxStream<'static, Result<Burst, Stop>>,
    /// `None` once somebody else has it.
    account: Option<Box<Account>>,
    on_disconnect: OnDisconnect,
    audience: Option<Audience>,
}

impl Accounted {
    pub fn new(
        frames: BoxStream<'static, Result<Burst, Stop>>,
        account: Box<Account>,
        on_disconnect: OnDisconnect,
    ) -> Self {
        Self { frames, account: Some(account), on_disconnect, audience: None }
    }

    /// The same frames, which others may hear as well.
    #[must_use]
    pub fn before(mut self, audience: Option<Audience>) -> Self {
        self.audience = audience;
        self
    }

    /// Whether they are read to their end without their caller.
    fn goes_on(&self) -> bool {
        self.on_disconnect == OnDisconnect::Drain || self.audience.as_ref().is_some_and(Audience::goes_on)
    }

    /// Has the rest read without the caller.
    fn leave(&mut self) {
        if let Some(account) = self.account.take_if(|account| !account.is_closed) {
            let frames = std::mem::replace(&mut self.frames, futures_util::stream::empty().boxed());
            let rest = Rest { frames, audience: self.audience.take(), on_disconnect: self.on_disconnect };
            Arc::clone(account.world()).afterlife.drain(rest, account);
        }
    }

    /// Frames that nobody reads are not read to their end, either.
    pub fn cancelled(frames: BoxStream<'static, Result<Burst, Stop>>, account: Box<Account>) -> Self {
        Self::new(frames, account, OnDisconnect::Cancel)
    }
}

impl Drop for Accounted {
    fn drop(&mut self) {
        if self.goes_on() {
            self.leave();
        }
    }
}

impl Stream for Accounted {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let burst = ready!(this.frames.as_mut().poll_next(cx));
        let Some(account) = &mut this.account else { return Poll::Ready(burst) };
        match &burst {
            Some(Ok(frames)) => {
                account.observe(frames);
                // Many callers hang up as soon as they have seen the end.
                if frames.iter().any(|frame| frame.iter().any(|event| matches!(event, Event::End))) {
                    account.close("ok");
                }
            }
            // What it takes for others from here on is its caller's, too.
            Some(Err(stop)) if this.audience.as_ref().is_some_and(Audience::goes_on) => {
                account.end(stop);
                this.leave();
            }
            Some(Err(stop)) => account.fail(stop),
            None => account.close("ok"),
        }
        Poll::Ready(burst)
    }
}
