//! A thread that takes lines away from those who make them.
//!
//! Whoever has a line lays it down and goes on. If the thread cannot keep up, lines are dropped and counted rather than
//! requests delayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::tray::{Sender, Tray};

/// Where lines are laid down. Clones lead to the same thread, which ends after the last of them is gone and what they
/// have laid down is taken.
#[derive(Clone)]
pub(super) struct Lines {
    /// `None` if there is nobody to take any.
    tray: Option<Arc<Sender>>,
    most: u64,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Lines that go nowhere, and are not missed.
    pub(super) fn to_nobody() -> Self {
        Self { tray: None, most: 0, dropped: Arc::default() }
    }

    /// Has `take` called with whole lines, many at a time, on a thread of this name. At most `most` wait for it; those
    /// that are lost are counted in `dropped`.
    pub(super) fn to(
        thread: &str,
        most: u64,
        dropped: Arc<AtomicU64>,
        take: impl FnMut(&[u8]) + Send + 'static,
    ) -> Self {
        let tray = Arc::new(Tray::default());
        let sender = Arc::new(Sender(Arc::clone(&tray)));
        let spawned = thread::Builder::new().name(thread.into()).spawn(move || take_all(&tray, take));
        Self { tray: spawned.is_ok().then_some(sender), most, dropped }
    }

    /// Whether anybody takes them.
    pub(super) fn are_taken(&self) -> bool {
        self.tray.is_some()
    }

    /// Lays a line down, which ends as lines do.
    pub(super) fn lay(&self, line: &[u8]) {
        let Some(Sender(tray)) = self.tray.as_deref() else { return };
        if !tray.lay(line, self.most) {
            self.lost();
        }
    }

    /// Counts a line as dropped.
    pub(super) fn lost(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits, for a second at the most, until what was laid down is taken.
    pub(super) fn flush(&self) {
        if let Some(Sender(tray)) = self.tray.as_deref() {
            tray.wait_until_written(Duration::from_secs(1));
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Has what has gathered taken in one go, until nothing can be laid down any more.
fn take_all(tray: &Tray, mut take: impl FnMut(&[u8])) {
    let mut batch = Vec::new();
    while let Some(last) = tray.pick_up(&mut batch) {
        take(&batch);
        batch.clear();
        tray.are_written(last);
    }
}
