//! Where the lines of the access log are laid down, and picked up many at a time.
//!
//! Laying a line down copies it and wakes nobody while others come too. Nothing that was laid down is lost: the thread
//! that picks up does so until the last [`Sender`] is gone and the tray is empty.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long lines may gather before they are picked up.
const GATHER: Duration = Duration::from_millis(20);

/// Bytes that are not left to gather any longer.
const FULL: usize = 64 * 1024;

/// Between those who lay lines down and the one thread that picks them up.
#[derive(Default)]
pub(super) struct Tray {
    lines: Mutex<Lines>,
    /// Told that the thread need not wait any longer.
    due: Condvar,
    /// Told that what was picked up is written.
    written: Condvar,
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Lines ever laid down.
    laid: u64,
    /// Lines ever written.
    written: u64,
    /// The thread waits until there is a line.
    is_idle: bool,
    /// Somebody waits for what is here to be written.
    is_urgent: bool,
    is_closed: bool,
}

impl Tray {
    /// False if too many wait already.
    pub(super) fn lay(&self, line: &[u8], most: u64) -> bool {
        let mut lines = self.lock();
        if lines.laid - lines.written >= most {
            return false;
        }
        let was_full = lines.bytes.len() >= FULL;
        lines.bytes.extend_from_slice(line);
        lines.laid += 1;
        let is_due = std::mem::take(&mut lines.is_idle) || (!was_full && lines.bytes.len() >= FULL);
        drop(lines);
        if is_due {
            self.due.notify_one();
        }
        true
    }

    /// Swaps an empty batch for what has been laid down, and tells the number of the last line in it. `None` once all
    /// is picked up and nobody is left who could lay anything down.
    ///
    /// While lines come, the thread sleeps and looks: one that waited for each would have to be woken by each, at the
    /// cost of the request whose line it is.
    pub(super) fn pick_up(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let gather = |lines: &mut Lines| !lines.is_urgent && !lines.is_closed && lines.bytes.len() < FULL;
        let waited = self.due.wait_timeout_while(self.lock(), GATHER, gather);
        let (mut lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        while lines.bytes.is_empty() {
            if lines.is_closed {
                return None;
            }
            lines.is_idle = true;
            lines = self.due.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
        (lines.is_idle, lines.is_urgent) = (false, false);
        std::mem::swap(&mut lines.bytes, batch);
        Some(lines.laid)
    }

    /// All lines up to this one are written.
    pub(super) fn are_written(&self, last: u64) {
        self.lock().written = last;
        self.written.notify_all();
    }

    /// Waits until all that was laid down is written, for so long at the most.
    pub(super) fn wait_until_written(&self, limit: Duration) {
        let mut lines = self.lock();
        let last = lines.laid;
        lines.is_urgent = last > lines.written;
        self.due.notify_one();
        let _ = self.written.wait_timeout_while(lines, limit, |lines| lines.written < last);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to lay lines down. When the last one is dropped, the tray is closed.
pub(super) struct Sender(pub(super) Arc<Tray>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.due.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_laid_down_is_picked_up_after_the_last_sender_is_gone() {
        let tray = Arc::new(Tray::default());
        let sender = Sender(Arc::clone(&tray));
        assert!(sender.0.lay(b"a\n", 9) && sender.0.lay(b"b\n", 9));
        drop(sender);
        let mut batch = Vec::new();
        assert_eq!(tray.pick_up(&mut batch), Some(2));
        assert_eq!(batch, b"a\nb\n");
        batch.clear();
        assert_eq!(tray.pick_up(&mut batch), None);
    }

    #[test]
    fn lines_that_are_not_written_count_as_waiting() {
        let tray = Tray::default();
        assert!(tray.lay(b"a\n", 1));
        let last = tray.pick_up(&mut Vec::new()).unwrap();
        assert!(!tray.lay(b"b\n", 1));
        tray.are_written(last);
        assert!(tray.lay(b"c\n", 1));
    }
}
