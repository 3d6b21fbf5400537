//! The rules of the ledger, as a pure state machine: no IO, no clock.
//!
//! Each question is decided into an [`Entry`], and only [`Books::apply`] changes anything, so books that are
//! read back from a log are the books that wrote it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::account::{Account, Sum, nanos};
use crate::state::claim::{Balance, Claim, Denied, HoldId, Leg};
use crate::state::ledger::{Settlement, Standing};
use crate::state::line::CostLine;
use crate::state::record::{Booking, Entry};
use crate::state::slot::Slot;

/// All accounts and all that is held. Holds have names that no caller makes up, so they need no hash that withstands
/// an attack.
#[derive(Debug, Default)]
pub struct Books {
    accounts: HashMap<AccountId, Account>,
    open: HashMap<HoldId, Hold, RandomState>,
    /// The open holds, by when they lapse.
    due: BTreeSet<(Timestamp, HoldId)>,
    /// Holds that have lapsed, for a settlement that comes after all.
    late: HashMap<HoldId, Hold, RandomState>,
    lapsed: VecDeque<HoldId>,
    /// Holds settled of late. A hold forgotten here is in neither map above, so settling it once more can
    /// never move money; only its lines would stand in the log twice.
    done: HashSet<HoldId, RandomState>,
    settled: VecDeque<HoldId>,
    horizon: Slot,
}

/// What is set aside, or assumed to be spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Hold {
    pub lapses: Timestamp,
    pub legs: Arc<[Booking]>,
}

/// What a claim came to.
#[derive(Debug)]
pub struct Reserved {
    /// To be written down; `None` if it is already.
    pub entry: Option<Entry>,
    pub balances: Vec<Balance>,
}

impl Books {
    /// Sets money aside on all legs of a claim, or on none.
    ///
    /// # Errors
    /// When a cap does not allow it, or the claim makes no sense.
    pub fn reserve(&mut self, claim: &Claim) -> Result<Reserved, Denied> {
        let faulty = |why: &str| Denied::Faulty { hold: claim.hold, why: why.to_owned() };
        let slot = Slot::of(claim.at);
        check(claim, slot).map_err(faulty)?;
        if let Some(hold) = self.open.get(&claim.hold) {
            let same = hold.legs.len() == claim.legs.len()
                && hold
                    .legs
                    .iter()
                    .zip(&claim.legs)
                    .all(|(ours, leg)| ours.account == leg.account && ours.amount == leg.amount);
            let balances = claim.legs.iter().map(|leg| self.balance(leg)).collect();
            return if same {
                Ok(Reserved { entry: None, balances })
            } else {
                Err(faulty("its hold has other legs already"))
            };
        }
        if self.late.contains_key(&claim.hold) || self.done.contains(&claim.hold) {
            return Err(faulty("its hold is over already"));
        }
        for leg in &claim.legs {
            self.afford(leg)?;
        }
        if claim.legs.is_empty() {
            return Ok(Reserved { entry: None, balances: Vec::new() });
        }
        let booking = |leg: &Leg| Booking { account: leg.account.clone(), slot, amount: leg.amount };
        let legs = claim.legs.iter().map(booking).collect();
        let entry = Entry::Reserved { hold: claim.hold, at: claim.at, lapses: claim.lapses, legs };
        self.apply(&entry);
        let balances = claim.legs.iter().map(|leg| self.balance(leg)).collect();
        Ok(Reserved { entry: Some(entry), balances })
    }

    /// Ends a hold; `None` if there is nothing to write down.
    pub fn settle(&mut self, settlement: Settlement) -> Option<Entry> {
        let Settlement { hold, at, mut lines } = settlement;
        if self.done.contains(&hold) {
            return None;
        }
        lines.iter_mut().for_each(CostLine::tidy);
        let cost = nanos(lines.iter().map(|line| i128::from(line.cost.0)).sum());
        let booked = match (self.open.get(&hold), self.late.get(&hold)) {
            (Some(open), _) => rebook(&open.legs, |_| cost),
            (None, Some(late)) => rebook(&late.legs, |leg| Nanos(cost.0.saturating_sub(leg.amount.0))),
            (None, None) if lines.is_empty() => return None,
            (None, None) => Vec::new(),
        };
        let entry = Entry::Settled { hold, at, booked, lines };
        self.apply(&entry);
        Some(entry)
    }

    /// Ends every hold whose time is over at `now`, as spent in full.
    pub fn lapse(&mut self, now: Timestamp) -> Vec<Entry> {
        self.fold(now);
        self.lapse_while(now, |lapses| lapses <= now)
    }

    /// Ends every hold there is, as spent in full: those who made them are dead.
    pub fn lapse_all(&mut self, now: Timestamp) -> Vec<Entry> {
        self.fold(now);
        self.lapse_while(now, |_| true)
    }

    /// What was spent and what is held of all that was reserved since a slot.
    pub fn standing(&self, account: &AccountId, since: Slot) -> (Nanos, Nanos) {
        self.accounts.get(account).map(|account| account.sum(since)).unwrap_or_default().nanos()
    }

    /// All accounts with spend or holds, by name.
    pub fn accounts(&self) -> Vec<Standing> {
        let used = self.accounts.iter().filter(|(_, account)| !account.is_empty());
        let mut standings: Vec<_> = used
            .map(|(name, account)| {
                let (spent, held) = account.sum(Slot::FIRST).nanos();
                Standing { account: name.clone(), spent, held }
            })
            .collect();
        standings.sort_by(|a, b| a.account.cmp(&b.account));
        standings
    }

    /// Takes note of a fact.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Reserved { hold, lapses, legs, .. } => {
                self.open(*hold, Hold { lapses: *lapses, legs: legs.clone() })
            }
            Entry::Settled { hold, booked, .. } => {
                self.end(*hold);
                self.late.remove(hold);
                self.spend(booked);
                remember(&mut self.done, &mut self.settled, *hold);
            }
            Entry::Lapsed { hold, at, booked } => {
                self.end(*hold);
                self.spend(booked);
                self.assume(*hold, Hold { lapses: *at, legs: booked.clone() });
            }
        }
    }

    /// Takes over what was once spent, without its history.
    pub(super) fn carry(&mut self, account: AccountId, slot: Slot, spent: i128) {
        self.accounts.entry(account).or_default().book(slot, Sum { spent, held: 0 });
    }

    pub(super) fn open(&mut self, hold: HoldId, held: Hold) {
        for leg in held.legs.iter() {
            self.change(leg, Sum { spent: 0, held: i128::from(leg.amount.0) });
        }
        self.due.insert((held.lapses, hold));
        self.open.insert(hold, held);
    }

    pub(super) fn assume(&mut self, hold: HoldId, held: Hold) {
        self.late.insert(hold, held);
        self.lapsed.push_back(hold);
        if self.lapsed.len() > REMEMBERED {
            self.lapsed.pop_front().map(|oldest| self.late.remove(&oldest));
        }
    }

    fn afford(&mut self, leg: &Leg) -> Result<(), Denied> {
        let account = match self.accounts.get_mut(&leg.account) {
            Some(account) => {
                account.watch(leg.since);
                account.sum(leg.since)
            }
            None => Sum::default(),
        };
        let after = account.spent + account.held + i128::from(leg.amount.0.max(1));
        if after <= i128::from(leg.cap.0) { Ok(()) } else { Err(Denied::Overdrawn(self.balance(leg))) }
    }

    fn balance(&self, leg: &Leg) -> Balance {
        let (spent, held) = self.standing(&leg.account, leg.since);
        Balance { account: leg.account.clone(), spent, held, cap: leg.cap }
    }

    fn lapse_while(&mut self, now: Timestamp, is_due: impl Fn(Timestamp) -> bool) -> Vec<Entry> {
        let mut entries = Vec::new();
        while let Some((_, hold)) = self.due.first().copied().filter(|(lapses, _)| is_due(*lapses)) {
            let legs = self.open.get(&hold).map(|open| open.legs.clone()).unwrap_or_default();
            let entry = Entry::Lapsed { hold, at: now, booked: legs };
            self.apply(&entry);
            entries.push(entry);
        }
        entries
    }

    /// Takes a hold out of what is held, if it is.
    fn end(&mut self, hold: HoldId) {
        let Some(held) = self.open.remove(&hold) else { return };
        self.due.remove(&(held.lapses, hold));
        for leg in held.legs.iter() {
            self.change(leg, Sum { spent: 0, held: -i128::from(leg.amount.0) });
        }
    }

    fn spend(&mut self, booked: &[Booking]) {
        for leg in booked {
            self.change(leg, Sum { spent: i128::from(leg.amount.0), held: 0 });
        }
    }

    fn change(&mut self, leg: &Booking, change: Sum) {
        match self.accounts.get_mut(&leg.account) {
            Some(account) => account.book(leg.slot, change),
            None => self.accounts.entry(leg.account.clone()).or_default().book(leg.slot, change),
        }
    }

    fn fold(&mut self, now: Timestamp) {
        let horizon = Slot::horizon(now);
        if horizon > self.horizon {
            self.horizon = horizon;
            self.accounts.retain(|_, account| !account.is_empty());
            self.accounts.values_mut().for_each(|account| account.fold(horizon));
        }
    }
}

/// Why a claim makes no sense.
pub(super) fn check(claim: &Claim, slot: Slot) -> Result<(), &'static str> {
    if claim.lapses <= claim.at {
        return Err("it lapses before it begins");
    }
    for (place, leg) in claim.legs.iter().enumerate() {
        if leg.amount < Nanos::ZERO {
            return Err("it sets aside less than nothing");
        }
        if leg.since > slot {
            return Err("its window begins after it");
        }
        if claim.legs.iter().take(place).any(|other| other.account == leg.account) {
            return Err("it names an account twice");
        }
    }
    Ok(())
}

fn rebook(legs: &[Booking], amount: impl Fn(&Booking) -> Nanos) -> Vec<Booking> {
    let rebooked = legs.iter().map(|leg| Booking { amount: amount(leg), ..leg.clone() });
    rebooked.filter(|booking| booking.amount != Nanos::ZERO).collect()
}

fn remember(set: &mut HashSet<HoldId, RandomState>, order: &mut VecDeque<HoldId>, hold: HoldId) {
    if set.insert(hold) {
        order.push_back(hold);
    }
    if order.len() > REMEMBERED {
        order.pop_front().map(|oldest| set.remove(&oldest));
    }
}

/// So many holds that are over are known by name.
pub(super) const REMEMBERED: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::contract::{claim, hold, leg, noon, settlement};

    #[test]
    fn a_settlement_so_late_that_its_hold_is_forgotten_moves_no_money() {
        let (mut books, held) = (Books::default(), hold());
        books.reserve(&claim(held, [leg("a", 100, 40)])).unwrap();
        books.lapse(noon(1));
        books.settle(settlement(held, 15));
        for _ in 0..=REMEMBERED {
            books.settle(settlement(hold(), 1));
        }
        books.settle(settlement(held, 99));
        assert_eq!(books.standing(&AccountId::new("a"), Slot::FIRST), (Nanos(15), Nanos(0)));
    }
}
