//! Going down in good order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
        self.token.cancelled().await;
    }

    /// Resolves when the last connection has ended.
    pub async fn done(&self) {
        self.tasks.wait().await;
    }

    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}
