//! Accounts that are running low: told of once in each window.
//!
//! What has been told is forgotten with the process, so a new one may tell it again.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::warn;

use crate::base::ids::AccountId;
use crate::state::claim::Balance;
use crate::state::slot::Slot;

/// An account that has come to where its budget warns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub budget: Arc<str>,
    pub balance: Balance,
    /// When its window begins anew, if it does.
    pub renews: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub struct Alerts {
    told: Mutex<HashMap<AccountId, Slot>>,
    counts: Mutex<HashMap<Arc<str>, u64>>,
    waiting: Mutex<VecDeque<(Timestamp, Alert)>>,
    dropped: AtomicU64,
}

impl Alerts {
    /// Tells of an account, unless that was done since its window began.
    pub fn raise(&self, alert: Alert, since: Slot, now: Timestamp) {
        if !self.is_first(&alert.balance.account, since, now) {
            return;
        }
        let Balance { account, spent, held, cap } = &alert.balance;
        warn!(budget = %alert.budget, %account, %spent, %held, %cap, "a budget is running low");
        *lock(&self.counts).entry(Arc::clone(&alert.budget)).or_default() += 1;
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= ROOM {
            waiting.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        waiting.push_back((now, alert));
    }

    /// How often each budget has warned.
    pub fn counts(&self) -> Vec<(Arc<str>, u64)> {
        lock(&self.counts).iter().map(|(budget, count)| (Arc::clone(budget), *count)).collect()
    }

    /// What has not been passed on yet, the oldest first.
    pub fn take(&self) -> Vec<(Timestamp, Alert)> {
        lock(&self.waiting).drain(..).collect()
    }

    fn is_first(&self, account: &AccountId, since: Slot, now: Timestamp) -> bool {
        let (mut told, now) = (lock(&self.told), Slot::of(now));
        if told.get(account).is_some_and(|last| *last >= since) {
            return false;
        }
        if told.len() >= MOST_ACCOUNTS {
            // Better to tell something twice than to keep everything.
            told.clear();
        }
        told.insert(account.clone(), now.max(since));
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const ROOM: usize = 1_024;
const MOST_ACCOUNTS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::Nanos;

    fn alert(account: &str) -> Alert {
        let balance = Balance { account: AccountId::new(account), spent: Nanos(8), held: Nanos(1), cap: Nanos(10) };
        Alert { budget: "team".into(), balance, renews: None }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    #[test]
    fn an_account_is_told_of_once_in_each_window() {
        let alerts = Alerts::default();
        for (minutes, since) in [(60, 0), (70, 0), (1_500, 96), (1_600, 96)] {
            alerts.raise(alert("team/a"), Slot(since), at(minutes));
        }
        alerts.raise(alert("team/b"), Slot(96), at(1_600));
        let told: Vec<_> = alerts.take().into_iter().map(|(at, alert)| (at, alert.balance.account)).collect();
        let account = AccountId::new;
        assert_eq!(told, [(at(60), account("team/a")), (at(1_500), account("team/a")), (at(1_600), account("team/b"))]);
        assert_eq!(alerts.counts(), [("team".into(), 3)]);
        assert!(alerts.take().is_empty());
    }

    #[test]
    fn a_window_that_moves_along_is_over_when_the_last_warning_has_left_it() {
        let alerts = Alerts::default();
        alerts.raise(alert("a"), Slot(4), at(120));
        alerts.raise(alert("a"), Slot(8), at(180));
        assert_eq!(alerts.take().len(), 1);
        alerts.raise(alert("a"), Slot(9), at(195));
        assert_eq!(alerts.take().len(), 1);
    }
}
