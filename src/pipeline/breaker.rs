//! A circuit breaker: a target that keeps failing is left alone for a while.
//!
//! *Closed*, everything passes and failures are counted; after so many in a row it is *open* and nothing
//! passes; when its time is up it is *probing* and lets a single request through, whose outcome decides.
//! Each time a probe fails the next pause is twice as long, up to ten times the first.
//!
//! The breaker belongs to the process, not to a policy revision: a reload does not close it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open it…
    pub failures: u32,
    /// …if no more than this lies between the first and the last of them.
    pub window: Duration,
    /// The first pause.
    pub open_for: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { failures: 5, window: Duration::from_secs(60), open_for: Duration::from_secs(15) }
    }
}

#[derive(Debug)]
pub struct Breaker {
    state: Mutex<State>,
    /// True while closed without a failure on record: the usual case, answered without the lock.
    clean: AtomicBool,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: Mutex::default(), clean: AtomicBool::new(true) }
    }
}

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
        since: Instant,
    },
    Open {
        until: Instant,
        pause: Duration,
    },
    /// `since` bounds how long a probe that never reports back keeps others out.
    Probing {
        since: Instant,
        pause: Duration,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0, since: Instant::now() }
    }
}

/// What a breaker says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Go on.
    Pass,
    /// Go on, and find out whether the target works again.
    Probe,
    /// Not now; perhaps after this long.
    Wait(Duration),
}

/// A probe that has not reported after this long is taken for lost.
const PROBE_LIMIT: Duration = Duration::from_secs(120);

impl Breaker {
    /// Asks to pass. Whoever passes reports with [`Breaker::succeeded`] or [`Breaker::failed`] if there is
    /// something to report; a probe that has nothing to report must say so with [`Breaker::abandoned`].
    pub fn admit(&self) -> Admission {
        if self.clean.load(Ordering::Acquire) {
            return Admission::Pass;
        }
        let now = Instant::now();
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Admission::Pass,
            State::Open { until, .. } if now < until => Admission::Wait(until - now),
            State::Probing { since, .. } if now < since + PROBE_LIMIT => Admission::Wait(Duration::from_secs(1)),
            State::Open { pause, .. } | State::Probing { pause, .. } => {
                *state = State::Probing { since: now, pause };
                Admission::Probe
            }
        }
    }

    /// Lets one request through as a probe before its time: for when no other target is left. False if the
    /// breaker is not open, or a probe is under way.
    pub fn admit_early(&self) -> bool {
        let mut state = self.lock();
        let State::Open { pause, .. } = *state else { return false };
        *state = State::Probing { since: Instant::now(), pause };
        true
    }

    /// The target works.
    pub fn succeeded(&self) {
        if self.clean.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.lock();
        *state = State::default();
        // Under the lock: a failure that comes in between would be overlooked until the next one.
        self.clean.store(true, Ordering::Release);
    }

    /// The target failed. True if this opened the breaker.
    pub fn failed(&self, settings: &Settings) -> bool {
        let mut state = self.lock();
        self.clean.store(false, Ordering::Release);
        let pause = match *state {
            State::Closed { failures, since } => {
                let is_stale = failures == 0 || since.elapsed() > settings.window;
                let (failures, since) = if is_stale { (1, Instant::now()) } else { (failures + 1, since) };
                if failures < settings.failures {
                    *state = State::Closed { failures, since };
                    return false;
                }
                settings.open_for
            }
            State::Probing { pause, .. } => (pause * 2).min(settings.open_for * 10),
            // A request that was let in before the breaker opened.
            State::Open { .. } => return false,
        };
        *state = State::Open { until: Instant::now() + pause, pause };
        true
    }

    /// The probe ended without telling anything about the target (the caller hung up, say).
    pub fn abandoned(&self) {
        let mut state = self.lock();
        if let State::Probing { pause, .. } = *state {
            *state = State::Open { until: Instant::now(), pause };
        }
    }

    /// `closed`, `open` or `probing`, for metrics and the admin page.
    pub fn state(&self) -> &'static str {
        match *self.lock() {
            State::Closed { .. } => "closed",
            State::Open { .. } => "open",
            State::Probing { .. } => "probing",
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings =
        Settings { failures: 3, window: Duration::from_secs(30), open_for: Duration::from_secs(10) };

    fn opened() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(&SETTINGS);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_so_many_failures_in_a_row() {
        let breaker = Breaker::default();
        assert!(!breaker.failed(&SETTINGS) && !breaker.failed(&SETTINGS));
        breaker.succeeded();
        assert!(!breaker.failed(&SETTINGS) && !breaker.failed(&SETTINGS));
        assert!(breaker.failed(&SETTINGS));
        assert_eq!(breaker.admit(), Admission::Wait(Duration::from_secs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_that_lie_too_far_apart_do_not_add_up() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            assert!(!breaker.failed(&SETTINGS) && !breaker.failed(&SETTINGS));
            tokio::time::advance(Duration::from_secs(31)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_its_pause_a_single_probe_decides() {
        let breaker = opened();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(breaker.admit(), Admission::Probe);
        assert!(matches!(breaker.admit(), Admission::Wait(_)));
        breaker.succeeded();
        assert_eq!(breaker.state(), "closed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_doubles_the_pause_up_to_ten_times() {
        let breaker = opened();
        for expected in [20, 40, 80, 100, 100] {
            tokio::time::advance(Duration::from_secs(100)).await;
            assert_eq!(breaker.admit(), Admission::Probe);
            assert!(breaker.failed(&SETTINGS));
            assert_eq!(breaker.admit(), Admission::Wait(Duration::from_secs(expected)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_abandoned_probe_makes_room_for_the_next() {
        let breaker = opened();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(breaker.admit(), Admission::Probe);
        breaker.abandoned();
        assert_eq!(breaker.admit(), Admission::Probe);
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_request_is_let_in_early() {
        let breaker = opened();
        assert!(breaker.admit_early());
        assert!(!breaker.admit_early());
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_breaker_lets_nobody_in_early() {
        assert!(!Breaker::default().admit_early());
    }
}
