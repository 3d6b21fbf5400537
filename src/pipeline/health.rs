//! How a target is doing: what routes order by and breakers act on.
//!
//! Health belongs to the process and is found by the target's name, so that a reload forgets nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::ids::TargetName;
use crate::pipeline::breaker::Breaker;

/// What is known of one target from its use so far.
#[derive(Debug)]
pub struct Health {
    pub breaker: Breaker,
    in_flight: AtomicU32,
    /// Moving average of the time to the first token in microseconds; 0 while unknown.
    first_token_us: AtomicU64,
    /// When that was last measured, or somebody last went to measure it.
    measured_ms: AtomicU64,
    /// Until when the target asked to be spared.
    resting_ms: AtomicU64,
    outcomes: Outcomes,
    born: Instant,
}

/// A measurement older than this is made again.
const STALE: Duration = Duration::from_secs(60);

/// The longest a target is spared on its own word: a provider that says "in three hours" is asked again sooner.
const LONGEST_REST: Duration = Duration::from_secs(60);

impl Health {
    fn new() -> Self {
        Self {
            breaker: Breaker::default(),
            in_flight: AtomicU32::new(0),
            first_token_us: AtomicU64::new(0),
            measured_ms: AtomicU64::new(0),
            resting_ms: AtomicU64::new(0),
            outcomes: Outcomes::default(),
            born: Instant::now(),
        }
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes one of `limit` places; given back when the guard is dropped.
    pub fn enter(self: &Arc<Self>, limit: Option<u32>) -> Option<InFlight> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let guard = InFlight(Arc::clone(self));
        limit.is_none_or(|limit| before < limit).then_some(guard)
    }

    /// The expected time to the first token. Zero when unknown or stale, so that one request goes and
    /// measures it; the next ones see the old value meanwhile.
    pub fn first_token(&self) -> Duration {
        let now = self.now_ms();
        let measured = self.measured_ms.load(Ordering::Relaxed);
        let known = self.first_token_us.load(Ordering::Relaxed);
        if now.saturating_sub(measured) >= STALE.as_millis() as u64
            && self.measured_ms.compare_exchange(measured, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            return Duration::ZERO;
        }
        Duration::from_micros(known)
    }

    pub fn note_first_token(&self, took: Duration) {
        let took = (took.as_micros() as u64).max(1);
        let old = self.first_token_us.load(Ordering::Relaxed);
        // Weight 1/4: four requests to follow a change.
        let new = if old == 0 { took } else { (old * 3 + took) / 4 };
        self.first_token_us.store(new, Ordering::Relaxed);
        self.measured_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Spares the target for as long as it asked, within reason.
    pub fn rest(&self, asked: Duration) {
        let until = self.now_ms() + asked.min(LONGEST_REST).as_millis() as u64;
        self.resting_ms.fetch_max(until, Ordering::Relaxed);
    }

    pub fn is_resting(&self) -> bool {
        let until = self.resting_ms.load(Ordering::Relaxed);
        until != 0 && self.now_ms() < until
    }

    pub fn note_outcome(&self, outcome: Outcome) {
        self.outcomes.note(self.born.elapsed().as_secs() / Outcomes::SLOT, outcome);
    }

    /// Failures and all outcomes of the last five minutes.
    pub fn recent(&self) -> (u32, u32) {
        self.outcomes.recent(self.born.elapsed().as_secs() / Outcomes::SLOT)
    }

    /// Never 0, which stands for "not yet".
    fn now_ms(&self) -> u64 {
        self.born.elapsed().as_millis() as u64 + STALE.as_millis() as u64
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Good,
    Bad,
}

/// A place at a target, held while a request is there.
#[derive(Debug)]
pub struct InFlight(Arc<Health>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Outcomes counted in ten slots of thirty seconds. Each slot packs its number, failures and total into one
/// word; a count lost in a race at the turn of a slot does no harm.
#[derive(Debug, Default)]
struct Outcomes([AtomicU64; 10]);

impl Outcomes {
    const SLOT: u64 = 30;

    fn note(&self, slot: u64, outcome: Outcome) {
        let Some(cell) = self.0.get((slot % 10) as usize) else { return };
        let add = 1 + (u64::from(outcome == Outcome::Bad) << 20);
        let stamp = (slot & 0xff_ffff) << 40;
        let update = |old: u64| Some(if old >> 40 == stamp >> 40 { old + add } else { stamp + add });
        let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    }

    fn recent(&self, slot: u64) -> (u32, u32) {
        let oldest = slot.saturating_sub(9);
        self.0
            .iter()
            .map(|cell| cell.load(Ordering::Relaxed))
            .filter(|cell| (oldest..=slot).contains(&(cell >> 40)))
            .fold((0, 0), |(bad, all), cell| (bad + (cell >> 20 & 0xf_ffff) as u32, all + (cell & 0xf_ffff) as u32))
    }
}

/// The health of every target there has been.
#[derive(Debug, Default)]
pub struct HealthBook(Mutex<HashMap<TargetName, Arc<Health>>>);

impl HealthBook {
    /// The health of this target, new if it was never heard of.
    pub fn of(&self, target: &TargetName) -> Arc<Health> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(book.entry(target.clone()).or_insert_with(|| Arc::new(Health::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_back_when_the_guard_is_dropped() {
        let health = Arc::new(Health::new());
        let first = health.enter(Some(1)).unwrap();
        assert!(health.enter(Some(1)).is_none());
        drop(first);
        assert!(health.enter(Some(1)).is_some());
        assert_eq!(health.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_request_goes_to_measure_a_stale_target() {
        let health = Health::new();
        assert_eq!(health.first_token(), Duration::ZERO);
        health.note_first_token(Duration::from_millis(80));
        assert_eq!(health.first_token(), Duration::from_millis(80));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(health.first_token(), Duration::ZERO);
        assert_eq!(health.first_token(), Duration::from_millis(80));
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_asks_for_hours_is_spared_a_minute() {
        let health = Health::new();
        health.rest(Duration::from_secs(10_000));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(health.is_resting());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!health.is_resting());
    }

    #[tokio::test(start_paused = true)]
    async fn outcomes_are_forgotten_after_five_minutes() {
        let health = Health::new();
        for _ in 0..3 {
            health.note_outcome(Outcome::Bad);
            health.note_outcome(Outcome::Good);
        }
        tokio::time::advance(Duration::from_secs(200)).await;
        health.note_outcome(Outcome::Good);
        assert_eq!(health.recent(), (3, 7));
        tokio::time::advance(Duration::from_secs(150)).await;
        assert_eq!(health.recent(), (0, 1));
    }
}
