//! Rates that hold for all gateways together, by the store's clock.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use redis::{Value, from_redis_value};

use super::hub::Hub;
use super::link::{Again, Lost};
use super::queue::Kind;
use super::script::{Call, Script};
use super::settings::OnLoss;
use crate::base::units::Rate;
use crate::state::windows::{Full, LocalWindows, Room, Windows, room};

pub(super) struct SharedWindows {
    hub: Arc<Hub>,
    /// This gateway's share while the store is away.
    alone: LocalWindows,
}

impl SharedWindows {
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, alone: LocalWindows::default() }
    }
}

impl Windows for SharedWindows {
    fn take<'a>(&'a self, key: &'a str, rate: Rate, amount: u64) -> BoxFuture<'a, Result<Room, Full>> {
        Box::pin(async move {
            let arguments = [key.to_owned(), worth(rate, amount).to_string(), micros(rate.per).to_string()];
            // Never asked twice: nobody could tell whether the first time counted.
            match self.hub.link.run(&Call::new(Script::Take, arguments), Again::No).await {
                Ok(answer) => taken(rate, answer),
                Err(_) if self.hub.on_loss == OnLoss::LocalShare => {
                    self.alone.take(key, share(rate, self.hub.alive()), amount).await
                }
                Err(Lost { why, .. }) => Err(Full::Unavailable(why)),
            }
        })
    }

    /// While the store is away corrections are lost, or go to this gateway's share.
    fn correct(&self, key: &str, rate: Rate, by: i64) {
        if self.hub.link.is_down().is_some() {
            self.alone.correct(key, share(rate, self.hub.alive()), by);
            return;
        }
        let worth = worth(rate, by.unsigned_abs());
        let by = if by < 0 { format!("-{worth}") } else { worth.to_string() };
        self.hub.queue.push(Call::new(Script::Correct, [key.to_owned(), by]), Kind::Once);
    }
}

fn taken(rate: Rate, answer: Value) -> Result<Room, Full> {
    let odd = |_| Full::Unavailable("the shared store gave an answer that makes no sense".into());
    let (word, busy, wait): (String, u64, u64) = from_redis_value(answer).map_err(odd)?;
    let room = room(rate, busy.saturating_mul(1_000));
    match word.as_str() {
        "ok" => Ok(room),
        "wait" => Err(Full::Wait(room, Duration::from_micros(wait))),
        _ => Err(Full::Never(room)),
    }
}

/// A rate that so many gateways may each have without going beyond it together.
fn share(rate: Rate, gateways: u32) -> Rate {
    let amount = NonZeroU64::new(rate.amount.get() / u64::from(gateways.max(1))).unwrap_or(NonZeroU64::MIN);
    // What the division has cut off the amount is made up for by the time.
    let nanos = rate.per.as_nanos() * u128::from(gateways.max(1)) * u128::from(amount.get());
    let per = nanos.div_ceil(u128::from(rate.amount.get()));
    Rate { amount, per: Duration::from_nanos(u64::try_from(per).unwrap_or(u64::MAX)) }
}

/// The microseconds that `amount` takes at the rate, rounded up, within what a double holds exactly.
fn worth(rate: Rate, amount: u64) -> u64 {
    let time = u128::from(amount).saturating_mul(rate.per.as_micros());
    u64::try_from(time.div_ceil(u128::from(rate.amount.get()))).unwrap_or(LONGEST).min(LONGEST)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(LONGEST).min(LONGEST)
}

/// Some thirty years, in microseconds.
const LONGEST: u64 = 1 << 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(amount: u64, seconds: u64) -> Rate {
        Rate { amount: NonZeroU64::new(amount).unwrap(), per: Duration::from_secs(seconds) }
    }

    #[test]
    fn shares_together_are_never_more_than_the_rate() {
        for (amount, gateways) in [(1, 3), (2, 3), (600, 7), (1_000_000, 2), (5, 1)] {
            let (whole, share) = (rate(amount, 60), share(rate(amount, 60), gateways));
            let together = u128::from(share.amount.get()) * u128::from(gateways) * whole.per.as_nanos();
            assert!(together <= u128::from(amount) * share.per.as_nanos(), "{share:?}");
        }
    }
}
