//! One account: what was spent and what is held, by slot.
//!
//! Sums are `i128`: no number of 64-bit amounts can overflow one, so nothing here saturates or wraps.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::base::money::Nanos;
use crate::state::slot::Slot;

/// Nano-USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub spent: i128,
    pub held: i128,
}

impl Sum {
    pub fn add(&mut self, other: Self) {
        self.spent += other.spent;
        self.held += other.held;
    }

    /// Both as amounts. What does not fit is shown as the greatest amount there is.
    pub fn nanos(self) -> (Nanos, Nanos) {
        (nanos(self.spent), nanos(self.held))
    }
}

pub(super) fn nanos(sum: i128) -> Nanos {
    Nanos(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

#[derive(Debug, Default)]
pub(super) struct Account {
    slots: BTreeMap<Slot, Sum>,
    /// Of all slots.
    total: Sum,
    /// Sums since the slots that were asked for of late, kept up to date.
    windows: SmallVec<[(Slot, Sum); 4]>,
    /// What is older has been folded into the first slot.
    horizon: Slot,
}

impl Account {
    pub fn book(&mut self, slot: Slot, change: Sum) {
        let slot = if slot < self.horizon { Slot::FIRST } else { slot };
        self.slots.entry(slot).or_default().add(change);
        self.total.add(change);
        self.windows.iter_mut().filter(|(since, _)| *since <= slot).for_each(|(_, sum)| sum.add(change));
    }

    /// The sum since a slot. One that lies before the horizon counts everything: too much rather than too
    /// little.
    pub fn sum(&self, since: Slot) -> Sum {
        if since < self.horizon || since == Slot::FIRST {
            return self.total;
        }
        if let Some((_, sum)) = self.windows.iter().find(|(start, _)| *start == since) {
            return *sum;
        }
        let mut sum = Sum::default();
        self.slots.range(since..).for_each(|(_, slot)| sum.add(*slot));
        sum
    }

    /// Keeps the sum since `since` at hand from now on, in place of the one that was asked for longest ago.
    pub fn watch(&mut self, since: Slot) {
        if since < self.horizon || since == Slot::FIRST || self.windows.iter().any(|(start, _)| *start == since) {
            return;
        }
        let sum = self.sum(since);
        if self.windows.len() >= WATCHED {
            self.windows.remove(0);
        }
        self.windows.push((since, sum));
    }

    /// Makes one sum of all slots before `horizon`.
    pub fn fold(&mut self, horizon: Slot) {
        if horizon <= self.horizon {
            return;
        }
        self.horizon = horizon;
        self.windows.retain(|(since, _)| *since >= horizon);
        let kept = self.slots.split_off(&horizon);
        let old = std::mem::replace(&mut self.slots, kept);
        let first = self.slots.entry(Slot::FIRST).or_default();
        old.into_values().for_each(|sum| first.add(sum));
    }

    pub fn is_empty(&self) -> bool {
        self.slots.values().all(|sum| *sum == Sum::default())
    }
}

const WATCHED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(spent: i128) -> Sum {
        Sum { spent, held: 0 }
    }

    #[test]
    fn a_watched_window_counts_like_one_that_is_summed() {
        let mut account = Account::default();
        account.book(Slot(10), spent(5));
        account.watch(Slot(8));
        account.watch(Slot(11));
        account.book(Slot(9), spent(7));
        account.book(Slot(12), spent(1));
        assert_eq!(account.sum(Slot(8)), spent(13));
        assert_eq!(account.sum(Slot(9)), spent(13));
        assert_eq!(account.sum(Slot(11)), spent(1));
    }

    #[test]
    fn old_slots_are_folded_and_never_forgotten() {
        let mut account = Account::default();
        account.book(Slot(10), spent(5));
        account.book(Slot(20), spent(6));
        account.watch(Slot::FIRST);
        account.fold(Slot(15));
        account.book(Slot(12), spent(1));
        assert_eq!(account.sum(Slot::FIRST), spent(12));
        assert_eq!(account.sum(Slot(15)), spent(6));
        assert_eq!(account.sum(Slot(14)), spent(12), "too much rather than too little");
    }

    #[test]
    fn what_no_amount_can_hold_is_still_summed() {
        let mut account = Account::default();
        account.book(Slot(1), spent(i128::from(i64::MAX)));
        account.book(Slot(1), spent(i128::from(i64::MAX)));
        assert_eq!(account.sum(Slot(1)).nanos().0, Nanos(i64::MAX));
        account.book(Slot(1), spent(-i128::from(i64::MAX)));
        assert_eq!(account.sum(Slot(1)), spent(i128::from(i64::MAX)));
    }
}
