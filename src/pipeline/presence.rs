//! Whether a request's caller is still there, for requests that may go on without it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by whoever serves a request and whoever knows of its caller.
#[derive(Debug, Default)]
pub struct Presence {
    has_left: AtomicBool,
    is_outlived: AtomicBool,
}

impl Presence {
    pub fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
    }

    pub fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }

    /// What was begun for the caller shall go on without it.
    pub fn outlive(&self) {
        self.is_outlived.store(true, Ordering::Relaxed);
    }

    pub fn is_outlived(&self) -> bool {
        self.is_outlived.load(Ordering::Relaxed)
    }
}
