//! A clock that is told of each sign of life and rings when there was none for too long.
//!
//! Telling it costs a reading of the clock; the timer itself is set again only when it rings early.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::base::stop::Phase;

pub struct Silence {
    phase: Phase,
    limit: Duration,
    last: Instant,
    deadline: Instant,
    total: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    /// Rings after `limit` of silence in `phase`, and at `deadline` in any case, which was set `total` after
    /// the beginning.
    pub fn new(phase: Phase, limit: Duration, deadline: Instant, total: Duration) -> Self {
        let last = Instant::now();
        Self { phase, limit, last, deadline, total, timer: Box::pin(sleep_until((last + limit).min(deadline))) }
    }

    pub fn touch(&mut self) {
        self.last = Instant::now();
    }

    /// From here on waits for something else.
    pub fn enter(&mut self, phase: Phase, limit: Duration) {
        (self.phase, self.limit, self.last) = (phase, limit, Instant::now());
        let due = self.due();
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
    }

    /// Ready with what was waited for and how long.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Phase, Duration)> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let due = self.due();
            if Instant::now() < due {
                self.timer.as_mut().reset(due);
                continue;
            }
            let is_total = self.deadline <= self.last + self.limit;
            return Poll::Ready(if is_total { (Phase::Whole, self.total) } else { (self.phase, self.limit) });
        }
    }

    fn due(&self) -> Instant {
        (self.last + self.limit).min(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_rings_after_the_limit_from_the_last_sign_of_life() {
        let begun = Instant::now();
        let mut silence = Silence::new(Phase::NextToken, 5 * SECOND, begun + 100 * SECOND, 100 * SECOND);
        tokio::time::advance(4 * SECOND).await;
        silence.touch();
        let rung = std::future::poll_fn(|cx| silence.poll(cx)).await;
        assert_eq!((rung, begun.elapsed().as_secs()), ((Phase::NextToken, 5 * SECOND), 9));
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_the_deadline_however_lively_it_was() {
        let begun = Instant::now();
        let mut silence = Silence::new(Phase::NextToken, 5 * SECOND, begun + 6 * SECOND, 6 * SECOND);
        tokio::time::advance(4 * SECOND).await;
        silence.touch();
        let rung = std::future::poll_fn(|cx| silence.poll(cx)).await;
        assert_eq!((rung, begun.elapsed().as_secs()), ((Phase::Whole, 6 * SECOND), 6));
    }
}
