//! How much of something was taken lately: rate limits.
//!
//! The rule is the generic cell rate algorithm (ITU-T I.371): each key has one point in time, at which everything
//! taken so far is worked off at the rate. A request may pass if that point, moved on by what it takes, is no further
//! away than the rate's whole period; so a full period's worth may come at once, and never more within any period
//! than twice that. There is no window that begins anew, and no table of times to keep.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use futures_core::future::BoxFuture;
use tokio::time::Instant;

use crate::base::units::Rate;

/// Whoever keeps count.
pub trait Windows: Send + Sync {
    /// Takes `amount` of what `rate` allows for `key`, or nothing if there is not enough.
    ///
    /// # Errors
    /// When there is not enough, or nobody can tell.
    fn take<'a>(&'a self, key: &'a str, rate: Rate, amount: u64) -> BoxFuture<'a, Result<Room, Full>>;

    /// Corrects what was taken by an estimate: more by so much, or less if that is negative. What was more may leave
    /// the key in debt.
    fn correct(&self, key: &str, rate: Rate, by: i64);
}

/// What is left of a rate for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub limit: u64,
    pub remaining: u64,
    /// Until all of it is free again.
    pub reset: Duration,
}

/// Why nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Full {
    /// There will be enough after this long.
    Wait(Room, Duration),
    /// More than the rate ever allows at once.
    Never(Room),
    /// The store cannot be asked.
    Unavailable(String),
}

/// Counts of this process alone.
pub struct LocalWindows {
    born: Instant,
    /// Of shards alone: whoever finds keys that share one only waits.
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// For each key the nanoseconds from the store's birth to when all that was taken is worked off.
#[derive(Default)]
struct Shard {
    due: HashMap<Box<str>, u64>,
    /// How many keys there may be before those that are worked off are dropped.
    sweep_at: usize,
}

/// Requests with different keys seldom wait for each other.
const SHARDS: usize = 16;
const FIRST_SWEEP: usize = 1_024;

impl Default for LocalWindows {
    fn default() -> Self {
        Self { born: Instant::now(), hasher: RandomState::default(), shards: Default::default() }
    }
}

impl LocalWindows {
    fn now(&self) -> u64 {
        nanos(self.born.elapsed())
    }

    fn with<R>(&self, key: &str, change: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let shard = self.shards.get(self.hasher.hash_one(key) as usize % SHARDS)?;
        Some(change(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn take_now(&self, key: &str, rate: Rate, amount: u64) -> Result<Room, Full> {
        let now = self.now();
        let (worth, period) = (worth(rate, amount), nanos(rate.per));
        let taken = self.with(key, |shard| {
            shard.change(key, now, |due| {
                let then = due.saturating_add(worth);
                if worth > period {
                    return (due, Err(Full::Never(room(rate, due - now))));
                }
                if then - now > period {
                    let wait = Duration::from_nanos(then - now - period);
                    return (due, Err(Full::Wait(room(rate, due - now), wait)));
                }
                (then, Ok(room(rate, then - now)))
            })
        });
        taken.unwrap_or_else(|| Err(Full::Unavailable("no shard".into())))
    }
}

impl Windows for LocalWindows {
    fn take<'a>(&'a self, key: &'a str, rate: Rate, amount: u64) -> BoxFuture<'a, Result<Room, Full>> {
        let taken = self.take_now(key, rate, amount);
        Box::pin(std::future::ready(taken))
    }

    fn correct(&self, key: &str, rate: Rate, by: i64) {
        let now = self.now();
        let worth = worth(rate, by.unsigned_abs());
        let corrected = |due: u64| if by < 0 { due.saturating_sub(worth) } else { due.saturating_add(worth) };
        self.with(key, |shard| shard.change(key, now, |due| (corrected(due), ())));
    }
}

impl Shard {
    /// Puts in the place of when a key is worked off, which is not before `now`, what `change` makes of it.
    fn change<R>(&mut self, key: &str, now: u64, change: impl FnOnce(u64) -> (u64, R)) -> R {
        if let Some(due) = self.due.get_mut(key) {
            let (then, result) = change((*due).max(now));
            *due = then;
            return result;
        }
        let (due, result) = change(now);
        if due <= now {
            return result;
        }
        if self.due.len() >= self.sweep_at.max(FIRST_SWEEP) {
            // A key that is worked off is as good as one that never was.
            self.due.retain(|_, due| *due > now);
            self.sweep_at = self.due.len() * 2;
        }
        self.due.insert(key.into(), due);
        result
    }
}

/// The time that `amount` takes at the rate, rounded up.
fn worth(rate: Rate, amount: u64) -> u64 {
    let time = u128::from(amount) * rate.per.as_nanos();
    u64::try_from(time.div_ceil(u128::from(rate.amount.get()))).unwrap_or(u64::MAX)
}

/// What is left when it takes `busy` nanoseconds to work off what was taken.
pub(super) fn room(rate: Rate, busy: u64) -> Room {
    let free = nanos(rate.per).saturating_sub(busy);
    let remaining = u128::from(free) * u128::from(rate.amount.get()) / rate.per.as_nanos().max(1);
    let remaining = u64::try_from(remaining).unwrap_or(u64::MAX);
    Room { limit: rate.amount.get(), remaining, reset: Duration::from_nanos(busy) }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use proptest::prelude::*;

    use super::*;

    fn rate(amount: u64, seconds: u64) -> Rate {
        Rate { amount: NonZeroU64::new(amount).unwrap(), per: Duration::from_secs(seconds) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_period_may_come_at_once_and_no_more() {
        let windows = LocalWindows::default();
        for left in (0..3).rev() {
            assert_eq!(windows.take("k", rate(3, 60), 1).await.unwrap().remaining, left);
        }
        let Err(Full::Wait(room, wait)) = windows.take("k", rate(3, 60), 1).await else { panic!() };
        assert_eq!((room.remaining, wait), (0, Duration::from_secs(20)));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(windows.take("k", rate(3, 60), 1).await.is_ok());
        assert!(windows.take("k", rate(3, 60), 1).await.is_err());
        assert!(windows.take("another", rate(3, 60), 3).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_estimate_that_was_too_low_is_made_up_for() {
        let windows = LocalWindows::default();
        windows.take("k", rate(100, 60), 10).await.unwrap();
        windows.correct("k", rate(100, 60), 150);
        let Err(Full::Wait(_, wait)) = windows.take("k", rate(100, 60), 1).await else { panic!() };
        assert_eq!(wait.as_secs(), 36, "161 of 100 in a minute are 61 too many");
        windows.correct("k", rate(100, 60), -160);
        assert_eq!(windows.take("k", rate(100, 60), 1).await.unwrap().remaining, 99);
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_a_period_allows_never_passes() {
        let windows = LocalWindows::default();
        assert!(matches!(windows.take("k", rate(100, 60), 101).await, Err(Full::Never(_))));
        assert_eq!(windows.take("k", rate(100, 60), 100).await.unwrap().remaining, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_are_worked_off_are_forgotten() {
        let windows = LocalWindows::default();
        for n in 0..100_000 {
            windows.take(&n.to_string(), rate(1, 1), 1).await.unwrap();
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let kept: usize = windows.shards.iter().map(|shard| shard.lock().unwrap().due.len()).sum();
        assert!(kept <= 2 * SHARDS * FIRST_SWEEP, "{kept} keys are kept");
    }

    proptest! {
        #[test]
        fn within_no_stretch_of_time_does_more_pass_than_its_share_and_one_period(
            asks in prop::collection::vec((0_u64..5_000, 1_u64..4), 1..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let (windows, limit) = (LocalWindows::default(), rate(10, 60));
                let (mut now, mut passed) = (0, Vec::new());
                for (pause, amount) in asks {
                    tokio::time::advance(Duration::from_millis(pause)).await;
                    now += pause;
                    if windows.take("k", limit, amount).await.is_ok() {
                        passed.push((now, amount));
                    }
                }
                for (first, (begin, _)) in passed.iter().enumerate() {
                    let mut sum = 0;
                    for (end, amount) in &passed[first..] {
                        sum += amount;
                        let allowed = 10 + (end - begin) * 10 / 60_000 + 1;
                        assert!(sum <= allowed, "{sum} of {allowed} from {begin} to {end} ms");
                    }
                }
            });
        }
    }
}
