//! The ledger against a model that is too simple to be wrong: a list of facts, summed anew for each question.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::contract::{claim, hold, line, noon};
use crate::state::{Books, Claim, Denied, Durability, Embedded, HoldId, Ledger, Leg, Options, Settlement, Slot};
use crate::state::{read, record::Entry, verify};

const ACCOUNTS: [&str; 3] = ["day", "month", "ever"];

#[derive(Debug, Clone)]
enum Act {
    Reserve {
        legs: u8,
        amount: i64,
        minutes: i64,
        durability: bool,
    },
    /// Settles the hold of that number, counted from the newest, for a part of what was set aside.
    Settle {
        which: usize,
        percent: i64,
    },
    Wait {
        minutes: i64,
    },
    Lapse,
    ChangeCap {
        account: usize,
        cap: i64,
    },
    Flush,
    Reopen,
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..8u8, 0..60i64, 1..300i64, any::<bool>())
            .prop_map(|(legs, amount, minutes, durability)| Act::Reserve { legs, amount, minutes, durability }),
        5 => (0..6usize, 0..=100i64).prop_map(|(which, percent)| Act::Settle { which, percent }),
        2 => (1..400i64).prop_map(|minutes| Act::Wait { minutes }),
        1 => Just(Act::Lapse),
        1 => (0..3usize, 0..300i64).prop_map(|(account, cap)| Act::ChangeCap { account, cap }),
        1 => Just(Act::Flush),
        1 => Just(Act::Reopen),
        1 => Just(Act::Crash),
    ]
}

#[derive(Debug, Clone)]
enum Fact {
    Reserved { hold: HoldId, slot: Slot, lapses: Timestamp, legs: Vec<(usize, i64)> },
    Settled { hold: HoldId, cost: i64 },
    Lapsed { hold: HoldId },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Open,
    Assumed,
    Settled(i64),
}

struct Model {
    facts: Vec<Fact>,
    now: Timestamp,
    caps: [i64; 3],
    /// The greatest cap there was: what was admitted under it may stay.
    most: [i64; 3],
    made: Vec<HoldId>,
}

impl Model {
    fn new() -> Self {
        Self { facts: Vec::new(), now: noon(0), caps: [100, 150, 200], most: [100, 150, 200], made: Vec::new() }
    }

    fn fate(&self, wanted: HoldId) -> Option<Fate> {
        self.facts.iter().fold(None, |fate, fact| match fact {
            Fact::Reserved { hold, .. } if *hold == wanted => Some(Fate::Open),
            Fact::Settled { hold, cost } if *hold == wanted => Some(Fate::Settled(*cost)),
            Fact::Lapsed { hold } if *hold == wanted => Some(Fate::Assumed),
            _ => fate,
        })
    }

    fn standing(&self, account: usize, since: Slot) -> (i64, i64) {
        let (mut spent, mut held) = (0, 0);
        for fact in &self.facts {
            let Fact::Reserved { hold, slot, legs, .. } = fact else { continue };
            for (_, amount) in legs.iter().filter(|(leg, _)| *leg == account && *slot >= since) {
                match self.fate(*hold) {
                    Some(Fate::Settled(cost)) => spent += cost,
                    Some(Fate::Assumed) => spent += amount,
                    _ => held += amount,
                }
            }
        }
        (spent, held)
    }

    fn since(&self, account: usize) -> Slot {
        let now = Slot::of(self.now).0;
        Slot(match account {
            0 => now - now % 96,
            1 => now - now % 400,
            _ => 0,
        })
    }

    fn claim(&self, legs: u8, amount: i64, minutes: i64, durability: bool) -> Claim {
        let picked = (0..3).filter(|account| legs & (1 << account) != 0);
        let legs = picked.map(|account| Leg {
            account: AccountId::new(ACCOUNTS[account]),
            since: self.since(account),
            cap: Nanos(self.caps[account]),
            // Each budget may set aside another amount.
            amount: Nanos(amount + account as i64),
        });
        Claim {
            at: self.now,
            lapses: self.now + SignedDuration::from_mins(minutes),
            durability: if durability { Durability::Now } else { Durability::Soon },
            ..claim(hold(), legs)
        }
    }

    /// Whether a claim is to be admitted; notes it if so.
    fn reserve(&mut self, claim: &Claim) -> bool {
        self.lapse(|lapses, now| lapses <= now);
        let place = |leg: &Leg| ACCOUNTS.iter().position(|name| *name == leg.account.as_str()).unwrap();
        let fits = claim.legs.iter().all(|leg| {
            let (spent, held) = self.standing(place(leg), leg.since);
            spent + held + leg.amount.0.max(1) <= leg.cap.0
        });
        if fits {
            let legs = claim.legs.iter().map(|leg| (place(leg), leg.amount.0)).collect();
            let slot = Slot::of(claim.at);
            self.facts.push(Fact::Reserved { hold: claim.hold, slot, lapses: claim.lapses, legs });
            self.made.push(claim.hold);
        }
        fits
    }

    fn lapse(&mut self, is_due: impl Fn(Timestamp, Timestamp) -> bool) {
        let mut due: Vec<_> = self
            .facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Reserved { hold, lapses, .. } if is_due(*lapses, self.now) => Some((*lapses, *hold)),
                _ => None,
            })
            .filter(|(_, hold)| self.fate(*hold) == Some(Fate::Open))
            .collect();
        due.sort();
        self.facts.extend(due.into_iter().map(|(_, hold)| Fact::Lapsed { hold }));
    }

    /// What is to be told to the ledger: the cost, at most what was set aside.
    fn settle(&mut self, which: usize, percent: i64) -> Option<Settlement> {
        let hold = *self.made.iter().rev().nth(which)?;
        let set_aside = self.facts.iter().find_map(|fact| match fact {
            Fact::Reserved { hold: other, legs, .. } if *other == hold => legs.iter().map(|(_, amount)| *amount).min(),
            _ => None,
        })?;
        let cost = set_aside * percent / 100;
        if matches!(self.fate(hold), Some(Fate::Open | Fate::Assumed)) {
            self.facts.push(Fact::Settled { hold, cost });
            return Some(Settlement { hold, at: self.now, lines: vec![line(hold, cost)] });
        }
        // Once more, with nothing on the bill: after a crash a store may have forgotten that the hold is over.
        Some(Settlement { hold, at: self.now, lines: Vec::new() })
    }

    /// After a crash only so many facts are left; then a new process finds what is open.
    fn crash(&mut self, written: usize) {
        self.facts.truncate(written);
        self.restart();
    }

    fn restart(&mut self) {
        self.lapse(|_, _| true);
    }

    fn change_cap(&mut self, account: usize, cap: i64) {
        self.caps[account] = cap;
        self.most[account] = self.most[account].max(cap);
    }

    fn assert_caps(&self) {
        for (account, most) in self.most.iter().enumerate() {
            let (spent, held) = self.standing(account, self.since(account));
            assert!(spent + held <= *most, "{} is overdrawn: {spent} + {held} > {most}", ACCOUNTS[account]);
        }
    }

    fn assert_same(&self, standing: impl Fn(&AccountId, Slot) -> (Nanos, Nanos)) {
        for (account, name) in ACCOUNTS.iter().enumerate() {
            for since in [self.since(account), Slot::FIRST, Slot::of(self.now)] {
                let (spent, held) = self.standing(account, since);
                let theirs = standing(&AccountId::new(name), since);
                assert_eq!(theirs, (Nanos(spent), Nanos(held)), "{name} since {since:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn books_are_what_their_facts_say(acts in prop::collection::vec(act(), 1..60)) {
        let (mut model, mut books, mut log) = (Model::new(), Books::default(), Vec::<Entry>::new());
        for act in acts {
            match act {
                Act::Reserve { legs, amount, minutes, durability } => {
                    let claim = model.claim(legs, amount, minutes, durability);
                    log.extend(books.lapse(model.now));
                    let reserved = books.reserve(&claim);
                    prop_assert_eq!(reserved.is_ok(), model.reserve(&claim));
                    log.extend(reserved.ok().and_then(|reserved| reserved.entry));
                }
                Act::Settle { which, percent } => {
                    log.extend(model.settle(which, percent).and_then(|settlement| books.settle(settlement)));
                }
                Act::Wait { minutes } => model.now += SignedDuration::from_mins(minutes),
                Act::Lapse => {
                    log.extend(books.lapse(model.now));
                    model.lapse(|lapses, now| lapses <= now);
                }
                Act::ChangeCap { account, cap } => model.change_cap(account, cap),
                Act::Flush => {}
                Act::Reopen | Act::Crash => {
                    if matches!(act, Act::Crash) {
                        log.truncate(log.len() * 2 / 3);
                    }
                    books = Books::default();
                    log.iter().for_each(|entry| books.apply(entry));
                    model.crash(log.len());
                    log.extend(books.lapse_all(model.now));
                }
            }
            prop_assert_eq!(log.len(), model.facts.len());
            model.assert_caps();
            model.assert_same(|account, since| books.standing(account, since));
        }
    }
}

fn open(folder: &Path, now: Timestamp) -> Embedded {
    // Small segments: most cases see some.
    Embedded::open(folder, &Options { rotate_at: 4000, ..Options::default() }, now).unwrap()
}

async fn assert_same(model: &Model, ledger: &Embedded) {
    let mut theirs = Vec::new();
    for name in ACCOUNTS {
        let account = AccountId::new(name);
        for since in [model.since(0), model.since(1), Slot::FIRST, Slot::of(model.now)] {
            theirs.push((account.clone(), since, ledger.standing(&account, since).await.unwrap()));
        }
    }
    model.assert_same(|account, since| {
        theirs.iter().find(|(name, slot, _)| name == account && *slot == since).unwrap().2
    });
}

/// Opens the folder again after the process was killed: what is left is what the log has.
fn restart(model: &mut Model, folder: &TempDir) -> Embedded {
    let written = read::records(folder.path()).unwrap().count();
    let ledger = open(folder.path(), model.now);
    model.crash(written);
    ledger
}

async fn play(acts: Vec<Act>) {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::new();
    let mut ledger = open(folder.path(), model.now);
    // So many facts were answered as safe.
    let mut safe = 0;
    for act in acts {
        match act {
            Act::Reserve { legs, amount, minutes, durability } => {
                let claim = model.claim(legs, amount, minutes, durability);
                let is_durable = claim.durability == Durability::Now;
                let reserved = ledger.reserve(claim.clone()).await;
                assert_eq!(reserved.is_ok(), model.reserve(&claim), "{reserved:?}");
                assert!(!matches!(reserved, Err(Denied::Unavailable(_) | Denied::Faulty { .. })), "{reserved:?}");
                if reserved.is_ok() && is_durable {
                    safe = model.facts.len();
                }
            }
            Act::Settle { which, percent } => {
                if let Some(settlement) = model.settle(which, percent) {
                    ledger.settle(settlement);
                }
            }
            Act::Wait { minutes } => model.now += SignedDuration::from_mins(minutes),
            Act::Lapse => {
                ledger.lapse(model.now);
                model.lapse(|lapses, now| lapses <= now);
            }
            Act::ChangeCap { account, cap } => model.change_cap(account, cap),
            Act::Flush => {
                ledger.flush().await.unwrap();
                safe = model.facts.len();
            }
            Act::Reopen => {
                ledger.close();
                ledger = open(folder.path(), model.now);
                model.restart();
                safe = model.facts.len();
            }
            Act::Crash => {
                ledger.kill();
                ledger = restart(&mut model, &folder);
                assert!(model.facts.len() >= safe, "what was safe is gone");
                safe = model.facts.len();
            }
        }
        model.assert_caps();
        assert_same(&model, &ledger).await;
    }
    ledger.close();
    assert_log(&model, folder.path());
}

/// The log, read alone, says what the model says.
fn assert_log(model: &Model, folder: &Path) {
    let report = verify::verify(folder).unwrap();
    assert!(report.faults.is_empty() && report.torn.is_none(), "{report:?}");
    assert_eq!(report.records, model.facts.len() as u64);
    let spent = read::spent(folder).unwrap();
    for (account, name) in ACCOUNTS.iter().enumerate() {
        let sum: i128 = spent.iter().filter(|((other, _), _)| other.as_str() == *name).map(|(_, sum)| sum).sum();
        assert_eq!(sum, i128::from(model.standing(account, Slot::FIRST).0), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_in_a_folder_is_what_its_facts_say(acts in prop::collection::vec(act(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(acts));
    }
}
