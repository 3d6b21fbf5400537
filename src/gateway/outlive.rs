//! Requests that go on when their caller has hung up.
//!
//! Where a policy says `on_disconnect: drain`, an answer is read to its end for nobody, so that its provider's word on
//! what it used is known. No further attempt is made. Only so many requests do this at a time; any more are
//! cancelled like those of other policies.

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

/// Room for requests without callers.
pub struct Afterlife(Arc<Semaphore>);

impl Default for Afterlife {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Afterlife {
    /// Reads an answer that nobody waits for any more.
    pub fn drain(&self, frames: BoxStream<'static, Result<Burst, Stop>>, mut account: Box<Account>) {
        let (Ok(place), Ok(runtime)) = (Arc::clone(&self.0).try_acquire_owned(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        account.leave();
        runtime.spawn(async move {
            let mut rest = Accounted::cancelled(frames, account);
            while rest.next().await.is_some() {}
            drop(place);
        });
    }
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
