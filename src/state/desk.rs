//! Where those who ask and the one who writes meet.
//!
//! One lock guards the books and the queue together, so the log has the facts in the order in which they were
//! decided. It is held for a decision, never for IO. The queue is bounded: when the disk cannot keep up,
//! reservations are refused first, and room is left for settlements.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::books::Books;
use crate::state::claim::{Balance, Claim, Denied, Durability, Unavailable};
use crate::state::ledger::{Settlement, Standing};
use crate::state::record::Entry;
use crate::state::slot::Slot;

pub(super) struct Desk {
    inner: Mutex<Inner>,
    bell: Condvar,
}

struct Inner {
    books: Books,
    queue: VecDeque<Item>,
    /// Somebody waits for what is in the queue.
    is_urgent: bool,
    closing: Closing,
    /// Why nothing can be written.
    trouble: Option<String>,
    /// Settlements that found no room.
    lost: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    Asked,
    /// A last try was made to write what is left.
    Tried,
    /// As if the process had been killed.
    #[cfg(test)]
    Killed,
}

/// A fact to be written, and who waits for it; or only somebody who waits for all before it.
pub(super) struct Item {
    pub entry: Option<Entry>,
    waiter: Option<Waiter>,
}

type Waiter = oneshot::Sender<Result<(), Unavailable>>;
/// Comes when all that was queued before is safe, or could not be made so.
pub(super) type Safe = oneshot::Receiver<Result<(), Unavailable>>;

/// A reservation that may not be safe yet.
pub(super) struct Taken {
    pub balances: Vec<Balance>,
    /// Whether this claim made the hold; else it was there.
    pub is_new: bool,
    pub safe: Option<Safe>,
}

impl Desk {
    pub fn new(books: Books) -> Self {
        let inner =
            Inner { books, queue: VecDeque::new(), is_urgent: false, closing: Closing::No, trouble: None, lost: 0 };
        Self { inner: Mutex::new(inner), bell: Condvar::new() }
    }

    pub fn reserve(&self, claim: &Claim) -> Result<Taken, Denied> {
        let mut inner = self.lock();
        if let Some(why) = inner.refuses() {
            return Err(Unavailable(why).into());
        }
        self.lapse_in(&mut inner, claim.at);
        let reserved = inner.books.reserve(claim)?;
        let is_new = reserved.entry.is_some();
        let (waiter, safe) = match claim.durability {
            Durability::Now => Some(oneshot::channel()).unzip(),
            Durability::Soon => (None, None),
        };
        if is_new || waiter.is_some() {
            self.push(&mut inner, Item { entry: reserved.entry, waiter });
        }
        Ok(Taken { balances: reserved.balances, is_new, safe })
    }

    pub fn settle(&self, settlement: Settlement) {
        let mut inner = self.lock();
        if inner.queue.len() >= ROOM {
            // Not booked at all: the hold stays, and lapses in full, which is too much rather than too little.
            inner.lost += 1;
            if inner.lost.is_power_of_two() {
                error!(lost = inner.lost, hold = %settlement.hold, "no room to keep settlements until the ledger can be written");
            }
            return;
        }
        if let Some(entry) = inner.books.settle(settlement) {
            self.push(&mut inner, Item { entry: Some(entry), waiter: None });
        }
    }

    pub fn lapse(&self, now: Timestamp) {
        self.lapse_in(&mut self.lock(), now);
    }

    pub fn standing(&self, account: &AccountId, since: Slot) -> (Nanos, Nanos) {
        self.lock().books.standing(account, since)
    }

    pub fn accounts(&self) -> Vec<Standing> {
        self.lock().books.accounts()
    }

    pub fn flush(&self) -> Safe {
        let (waiter, safe) = oneshot::channel();
        self.push(&mut self.lock(), Item { entry: None, waiter: Some(waiter) });
        safe
    }

    /// The writer is to write what there is, and to end.
    pub fn close(&self) {
        self.end(Closing::Asked);
    }

    /// The writer is to end at once, as if the process had been killed.
    #[cfg(test)]
    pub fn kill(&self) {
        self.end(Closing::Killed);
    }

    #[cfg(test)]
    pub fn is_killed(&self) -> bool {
        self.lock().closing == Closing::Killed
    }

    fn end(&self, how: Closing) {
        let mut inner = self.lock();
        inner.closing = how;
        self.bell.notify_all();
    }

    /// What is to be written next, once there is something. Nothing, while what could not be written is to be
    /// tried again. `None` at the end.
    pub fn next(&self) -> Option<Vec<Item>> {
        let mut inner = self.lock();
        loop {
            #[cfg(test)]
            if inner.closing == Closing::Killed {
                return None;
            }
            if inner.trouble.is_some() {
                return self.retry(inner);
            }
            if inner.queue.is_empty() {
                if inner.closing != Closing::No {
                    return None;
                }
                inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            inner = self.linger(inner);
            inner.is_urgent = false;
            return Some(inner.queue.drain(..).collect());
        }
    }

    /// Gives a batch some time to grow, so that not every settlement costs a sync of its own.
    fn linger<'a>(&self, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        let end = Instant::now() + LINGER;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let is_due = inner.is_urgent || inner.queue.len() >= BATCH || inner.closing != Closing::No;
            if is_due || left.is_zero() {
                return inner;
            }
            inner = self.bell.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn retry(&self, mut inner: MutexGuard<'_, Inner>) -> Option<Vec<Item>> {
        match inner.closing {
            Closing::No => {
                if !inner.is_urgent {
                    inner = self.bell.wait_timeout(inner, RETRY).unwrap_or_else(PoisonError::into_inner).0;
                }
                inner.is_urgent = false;
                Some(Vec::new())
            }
            Closing::Asked => {
                inner.closing = Closing::Tried;
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// Nothing can be written: reservations are refused from now on, and who waits is told.
    pub fn fail(&self, why: &str) {
        let mut inner = self.lock();
        if inner.trouble.is_none() {
            error!(why, "the ledger cannot be written; nothing is reserved until it can");
        }
        inner.trouble = Some(why.to_owned());
        let items = std::mem::take(&mut inner.queue);
        let failed = Err(Unavailable(why.to_owned()));
        inner.queue = items.into_iter().filter_map(|item| item.answer(&failed)).collect();
    }

    /// It can be written again.
    pub fn mend(&self) {
        let mut inner = self.lock();
        if inner.trouble.take().is_some() {
            warn!(lost = inner.lost, "the ledger is written again");
        }
    }

    /// Nobody writes any more.
    pub fn abandon(&self) {
        let mut inner = self.lock();
        inner.trouble = Some("its writer has ended".to_owned());
        inner.queue.clear();
    }

    fn lapse_in(&self, inner: &mut Inner, now: Timestamp) {
        if inner.trouble.is_none() {
            for entry in inner.books.lapse(now) {
                self.push(inner, Item { entry: Some(entry), waiter: None });
            }
        }
    }

    fn push(&self, inner: &mut Inner, item: Item) {
        let is_urgent = item.waiter.is_some();
        let rings = inner.queue.is_empty() || (is_urgent && !inner.is_urgent) || inner.queue.len() == BATCH;
        inner.is_urgent |= is_urgent;
        inner.queue.push_back(item);
        if rings {
            self.bell.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn refuses(&self) -> Option<String> {
        if self.trouble.is_some() {
            return self.trouble.clone();
        }
        if self.closing != Closing::No {
            return Some("it has been closed".to_owned());
        }
        (self.queue.len() >= ROOM / 2).then(|| "its disk cannot keep up".to_owned())
    }
}

impl Item {
    /// Tells who waits, and keeps the fact if there is one.
    pub fn answer(mut self, result: &Result<(), Unavailable>) -> Option<Self> {
        if let Some(waiter) = self.waiter.take() {
            // Who hung up meanwhile does not want to know.
            let _ = waiter.send(result.clone());
        }
        self.entry.is_some().then_some(self)
    }
}

/// Facts that may wait to be written: some tens of megabytes.
const ROOM: usize = 1 << 16;
/// So many facts are worth a write of their own.
const BATCH: usize = 512;
/// How long a fact waits for others, if nobody waits for it.
const LINGER: Duration = Duration::from_millis(10);
/// How long after a failed write the next is tried.
const RETRY: Duration = Duration::from_secs(1);
