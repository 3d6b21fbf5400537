//! Going down in good order.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells everybody when it is time to stop, and knows when they have.
#[derive(Clone, Default)]
pub struct Drain {
    /// The token knows as well, but behind a lock that every request of every thread would take.
    has_begun: Arc<AtomicBool>,
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Drain {
    /// From here on no connection is accepted, and those there are end after their current requests.
    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
        self.token.cancel();
        self.tasks.close();
    }

    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// Resolves when draining begins.
    pub async fn begun(&self) {
        let mut cancelled = pin!(self.token.cancelled());
        let mut registered: Option<Waker> = None;
        // A connection looks here whenever it is polled. Whom to wake is to be said once; the rest is a look at a flag.
        poll_fn(|cx| {
            if !self.has_begun() && registered.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            registered = Some(cx.waker().clone());
            cancelled.as_mut().poll(cx)
        })
        .await;
    }

    /// Resolves when the last connection has ended.
    pub async fn done(&self) {
        self.tasks.wait().await;
    }

    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}
