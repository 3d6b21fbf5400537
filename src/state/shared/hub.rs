//! What the parts of the shared store have in common.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;
use tracing::error;

use super::holds::Holds;
use super::link::Link;
use super::queue::{Kind, Queue};
use super::script::{Call, Script};
use super::settings::{OnLoss, Settings};
use super::share::Shares;
use crate::base::money::Nanos;
use crate::state::claim::{Claim, HoldId};
use crate::state::slot::Slot;

pub(super) struct Hub {
    /// This gateway, as long as it runs.
    pub me: String,
    pub link: Link,
    pub queue: Queue,
    pub holds: Holds,
    pub shares: Shares,
    pub on_loss: OnLoss,
    pub gone_after: Duration,
    /// Gateways that were alive when the store was last asked, this one among them.
    alive: AtomicU32,
    /// The places that this gateway has taken, for renewal: who has it, and what of.
    seats: Mutex<HashMap<String, String>>,
    lost: AtomicU64,
}

/// How a claim is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Ask,
    /// It has been granted here, and is to be booked as it is.
    Carry,
}

impl Hub {
    /// # Errors
    /// What is wrong with the URL.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            me: format!("{:016x}", fastrand::u64(..)),
            link: Link::new(settings)?,
            queue: Queue::default(),
            holds: Holds::default(),
            shares: Shares::default(),
            on_loss: settings.on_loss,
            gone_after: settings.gone_after,
            alive: AtomicU32::new(1),
            seats: Mutex::default(),
            lost: AtomicU64::new(0),
        })
    }

    pub fn alive(&self) -> u32 {
        self.alive.load(Ordering::Relaxed).max(1)
    }

    pub fn are_alive(&self, gateways: u32) {
        self.alive.store(gateways, Ordering::Relaxed);
    }

    /// Waits until the store knows what this gateway has told it so far; for no longer than a request may.
    pub async fn caught_up(&self) {
        // A store that is back is told everything before anybody may ask.
        if self.link.current().is_some() {
            // Who cannot wait that long asks all the same, and sees more held than there is.
            let _ = timeout(self.link.timeout, self.queue.told(self.queue.mark())).await;
        }
    }

    pub fn settle(&self, hold: HoldId, cost: Nanos, remember: Duration) {
        let arguments = [hold.to_string(), cost.0.to_string(), remember.as_secs().to_string()];
        if !self.queue.push(Call::new(Script::Settle, arguments), Kind::Money) {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                error!(lost, %hold, "no room to keep settlements until the shared store is back; they lapse in full");
            }
        }
    }

    pub fn claim(&self, claim: &Claim, how: How) -> Call {
        let slot = Slot::of(claim.at);
        let how = match how {
            How::Ask => "ask",
            How::Carry => "carry",
        };
        let head = [
            how.to_owned(),
            millis(claim.at),
            slot.0.to_string(),
            Slot::horizon(claim.at).0.to_string(),
            claim.hold.to_string(),
            millis(claim.lapses),
            self.me.clone(),
            self.gone_after.as_millis().to_string(),
        ];
        let legs = claim.legs.iter().flat_map(|leg| {
            [
                leg.account.to_string(),
                leg.since.0.to_string(),
                leg.cap.0.max(0).to_string(),
                leg.amount.0.max(1).to_string(),
                leg.amount.0.to_string(),
            ]
        });
        Call::new(Script::Reserve, head.into_iter().chain(legs))
    }

    /// Has a place renewed from now on.
    pub fn seat(&self, who: String, key: &str) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).insert(who, key.to_owned());
    }

    pub fn leave(&self, who: &str, key: &str) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
        // If there is no room, it is free once it is not renewed.
        self.queue.push(Call::new(Script::Leave, [key.to_owned(), who.to_owned()]), Kind::Chore);
    }

    /// Calls that keep this gateway's places taken.
    pub fn renewals(&self) -> Vec<Call> {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<_> = seats.iter().map(|(who, key)| [key.clone(), who.clone()]).collect();
        drop(seats);
        let lease = self.gone_after.as_millis().to_string();
        let call = |chunk: &[[String; 2]]| {
            Call::new(Script::Renew, std::iter::once(lease.clone()).chain(chunk.iter().flatten().cloned()))
        };
        pairs.chunks(RENEWED_AT_ONCE).map(call).collect()
    }
}

pub(super) fn millis(time: Timestamp) -> String {
    time.as_millisecond().to_string()
}

const RENEWED_AT_ONCE: usize = 500;
