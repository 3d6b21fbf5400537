//! Requests that go on when their caller has hung up.
//!
//! Where a policy says `on_disconnect: drain`, an answer is read to its end for nobody, so that its provider's word on
//! what it used is known. No further attempt is made. Only so many requests do this at a time; any more are
//! cancelled like those of other policies.
//!
//! An answer that others hear as well goes on for as long as they do, and is paid for by its caller; elsewhere it ends
//! with the last of them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};

use crate::base::stop::Stop;
use crate::gateway::account::{Account, Accounted};
use crate::pipeline::Burst;
use crate::pipeline::presence::Presence;
use crate::pipeline::retry::OnDisconnect;
use crate::pipeline::step::Audience;

/// Room for requests without callers.
pub struct Afterlife(Arc<Semaphore>);

impl Default for Afterlife {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Afterlife {
    /// Reads an answer on that its caller does not wait for any more.
    pub fn drain(&self, rest: Rest, mut account: Box<Account>) {
        let (Ok(place), Ok(runtime)) = (Arc::clone(&self.0).try_acquire_owned(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        account.leave();
        let Rest { frames, audience, on_disconnect } = rest;
        audience.iter().for_each(|audience| audience.0.leave(on_disconnect));
        let ends_with = audience.filter(|_| on_disconnect == OnDisconnect::Cancel);
        runtime.spawn(async move {
            let mut rest = Accounted::cancelled(frames, account);
            let mut next = |cx: &mut Context<'_>| {
                // Before hearing what there is: the last to leave may have drawn it.
                let is_left = ends_with.as_ref().is_some_and(|audience| audience.0.poll_left_by_all(cx).is_ready());
                match rest.poll_next_unpin(cx) {
                    Poll::Pending if is_left => Poll::Ready(None),
                    next => next,
                }
            };
            while poll_fn(&mut next).await.is_some() {}
            drop((rest, place));
        });
    }
}

/// What is left of an answer whose caller has hung up.
pub struct Rest {
    pub frames: BoxStream<'static, Result<Burst, Stop>>,
    /// Others who hear it, if there are any.
    pub audience: Option<Audience>,
    pub on_disconnect: OnDisconnect,
}

/// A request that is served in a task of its own. The task ends with its caller, unless it is to outlive it.
pub struct Attached<T> {
    pub task: JoinHandle<T>,
    pub presence: Arc<Presence>,
}

impl<T> Future for Attached<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.task).poll(cx)))
    }
}

impl<T> Drop for Attached<T> {
    fn drop(&mut self) {
        self.presence.leave();
        if !self.presence.is_outlived() {
            self.task.abort();
        }
    }
}

const MOST: usize = 1_024;
