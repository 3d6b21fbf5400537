//! Whether anybody still waits for a request's answer, for requests that may go on without their caller.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, Weak};
use std::task::{Context, Poll};

use crate::pipeline::step::{Audience, Listeners};

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
        self.is_outlived.load(Ordering::Relaxed) || self.audience().is_some_and(|audience| audience.goes_on())
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_forsaken(&self) -> bool {
        self.has_left.load(Ordering::Relaxed) && self.audience().is_none_or(|audience| !audience.goes_on())
    }

    /// Ready once there is no reason left to go on without the caller.
    pub fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.audience() {
            _ if self.is_outlived.load(Ordering::Relaxed) => Poll::Pending,
            None => Poll::Ready(()),
            // Whoever leaves calls.
            Some(audience) => match audience.0.poll_left_by_all(cx) {
                Poll::Ready(()) if !audience.0.is_drawn() => Poll::Ready(()),
                _ => Poll::Pending,
            },
        }
    }

    fn audience(&self) -> Option<Audience> {
        self.audience.get()?.upgrade().map(Audience)
    }
}
