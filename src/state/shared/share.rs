//! What this gateway may spend on its own while the store is away: its share of what was left at last sight.
//!
//! What was left is divided by the number of gateways that were alive. Each may have looked at another time, so all
//! shares together may be more than there is, by what was spent between their looks. What is taken of a share counts
//! against it until the account is seen again, whatever became of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::account::nanos;
use crate::state::claim::{Balance, Claim, Denied, HoldId, Unavailable};
use crate::state::slot::Slot;

#[derive(Default)]
pub(super) struct Shares(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    seen: HashMap<AccountId, Seen>,
    /// What holds have taken of shares, to be replaced by what they cost.
    taken: HashMap<HoldId, Vec<(AccountId, u64, i128)>>,
    looks: u64,
}

struct Seen {
    since: Slot,
    /// Spent and held by all.
    used: i128,
    /// Taken of the share since.
    taken: i128,
    /// Which look it was.
    look: u64,
}

impl Shares {
    /// Takes note of how accounts stand.
    pub fn saw(&self, claim: &Claim, balances: &[Balance]) {
        let mut inner = self.lock();
        inner.looks += 1;
        let look = inner.looks;
        if inner.seen.len() > MOST {
            // Those that were looked at longest ago are likely to be idle.
            inner.seen.retain(|_, seen| seen.look + (MOST as u64) / 2 > look);
        }
        for (leg, balance) in claim.legs.iter().zip(balances) {
            let used = i128::from(balance.spent.0) + i128::from(balance.held.0);
            inner.seen.insert(leg.account.clone(), Seen { since: leg.since, used, taken: 0, look });
        }
    }

    /// Sets money aside of the shares alone, on all legs or on none.
    pub fn reserve(&self, claim: &Claim, gateways: u32) -> Result<Vec<Balance>, Denied> {
        let mut inner = self.lock();
        let mut balances = Vec::with_capacity(claim.legs.len());
        for leg in &claim.legs {
            // An older window has at least as much in it as a newer one.
            let seen = inner.seen.get(&leg.account).filter(|seen| seen.since <= leg.since);
            let Some(seen) = seen else {
                let why = format!("the shared store is away, and nobody knows how `{}` stands", leg.account);
                return Err(Unavailable(why).into());
            };
            let share = (i128::from(leg.cap.0) - seen.used).max(0) / i128::from(gateways.max(1));
            let balance = |taken: i128| Balance {
                account: leg.account.clone(),
                spent: nanos(i128::from(leg.cap.0) - share),
                held: nanos(taken),
                cap: leg.cap,
            };
            if seen.taken + i128::from(leg.amount.0.max(1)) > share {
                return Err(Denied::Overdrawn(balance(seen.taken)));
            }
            balances.push(balance(seen.taken + i128::from(leg.amount.0)));
        }
        let mut taken = Vec::with_capacity(claim.legs.len());
        for leg in &claim.legs {
            if let Some(seen) = inner.seen.get_mut(&leg.account) {
                seen.taken += i128::from(leg.amount.0);
                taken.push((leg.account.clone(), seen.look, i128::from(leg.amount.0)));
            }
        }
        inner.taken.insert(claim.hold, taken);
        Ok(balances)
    }

    /// A hold that may have been taken of shares has cost so much.
    pub fn settle(&self, hold: HoldId, cost: Nanos) {
        let mut inner = self.lock();
        for (account, look, amount) in inner.taken.remove(&hold).unwrap_or_default() {
            // After another look, what it took is part of what was seen.
            if let Some(seen) = inner.seen.get_mut(&account).filter(|seen| seen.look == look) {
                seen.taken += i128::from(cost.0) - amount;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accounts whose standing is remembered.
const MOST: usize = 1 << 16;
