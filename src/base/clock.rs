//! Time, in one place, so that a test can turn it.
//!
//! The monotonic clock is tokio's, which a test may pause and advance; the wall clock is read once and
//! then follows the monotonic one, so the two never disagree about how long something took.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A wall clock that moves with [`tokio::time::Instant`].
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    wall: Timestamp,
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A clock that shows `wall` now: what a test with a date of its own uses.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self { started: Instant::now(), wall }
    }

    pub fn now(&self) -> Timestamp {
        self.wall.checked_add(self.started.elapsed()).unwrap_or(self.wall)
    }

    pub fn since_start(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_follows_the_monotonic_one() {
        let clock = Clock::starting_at("2026-11-22T10:00:00Z".parse().unwrap());
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now().to_string(), "2026-11-22T10:01:30Z");
    }
}
