//! Whether anybody still waits for a request's answer, for requests that may go on without their caller.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use crate::pipeline::step::Listeners;

/// Shared by whoever serves a request and whoever knows of its caller.
#[derive(Default)]
pub struct Presence {
    has_left: AtomicBool,
    is_outlived: AtomicBool,
    /// Others who wait for the answer.
    audience: OnceLock<Weak<dyn Listeners>>,
}

impl Presence {
    pub fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
    }

    /// What was begun for the caller shall go on without it.
    pub fn outlive(&self) {
        self.is_outlived.store(true, Ordering::Relaxed);
    }

    /// The same while others wait for it.
    pub fn outlive_for(&self, audience: Weak<dyn Listeners>) {
        let _ = self.audience.set(audience);
    }

    /// Whether it is to go on, should the caller leave now.
    pub fn is_outlived(&self) -> bool {
        self.is_outlived.load(Ordering::Relaxed) || self.others().is_some()
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_forsaken(&self) -> bool {
        self.has_left.load(Ordering::Relaxed) && self.others().is_none()
    }

    /// Ready once there is no reason left to go on without the caller.
    pub fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.others() {
            _ if self.is_outlived.load(Ordering::Relaxed) => Poll::Pending,
            Some(audience) => audience.poll_left_by_all(cx),
            None => Poll::Ready(()),
        }
    }

    fn others(&self) -> Option<Arc<dyn Listeners>> {
        self.audience.get()?.upgrade().filter(|audience| audience.others() > 0)
    }
}
