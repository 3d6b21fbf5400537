//! The scripts against [`Books`]: the same questions, the same answers, the same sums.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::redis::Redis;
use super::{open, settings};
use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::contract::{claim, hold, line, noon};
use crate::state::{Books, Claim, Denied, Ledger, Leg, Settlement, Shared, Slot};

const ACCOUNTS: [&str; 3] = ["day", "rolling", "ever"];
/// So that sums go beyond what one half of an amount can hold.
const UNIT: i64 = 333_333_337;

#[derive(Debug, Clone)]
enum Act {
    Reserve {
        legs: u8,
        amount: i64,
        minutes: i64,
    },
    /// Asks again for the claim of that number, counted from the newest.
    Again {
        which: usize,
    },
    Settle {
        which: usize,
        percent: i64,
    },
    Wait {
        minutes: i64,
    },
    Lapse,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..8_u8, 0..60_i64, 1..3_000_i64)
            .prop_map(|(legs, amount, minutes)| Act::Reserve { legs, amount, minutes }),
        1 => (0..6_usize).prop_map(|which| Act::Again { which }),
        5 => (0..6_usize, 0..=130_i64).prop_map(|(which, percent)| Act::Settle { which, percent }),
        3 => prop_oneof![4 => 1..400_i64, 1 => 1_000..300_000_i64].prop_map(|minutes| Act::Wait { minutes }),
        1 => Just(Act::Lapse),
    ]
}

/// Both stores, told the same.
struct Pair<'a> {
    shared: &'a Shared,
    books: Books,
    now: Timestamp,
    /// Those that were granted.
    claims: Vec<Claim>,
}

impl Pair<'_> {
    fn since(&self, account: usize) -> Slot {
        let now = Slot::of(self.now).0;
        Slot(match account {
            0 => now - now % 96,
            1 => now - 95,
            _ => 0,
        })
    }

    fn claim(&self, legs: u8, amount: i64, minutes: i64) -> Claim {
        let picked = (0..3).filter(|account| legs & (1 << account) != 0);
        let legs = picked.map(|account| Leg {
            account: AccountId::new(ACCOUNTS[account]),
            since: self.since(account),
            cap: Nanos([100, 150, 600][account] * UNIT),
            amount: Nanos((amount + account as i64) * UNIT),
        });
        Claim { at: self.now, lapses: self.now + SignedDuration::from_mins(minutes), ..claim(hold(), legs) }
    }

    async fn play(&mut self, act: Act) {
        match act {
            Act::Reserve { legs, amount, minutes } => {
                let claim = self.claim(legs, amount, minutes);
                if self.reserve(claim.clone()).await {
                    self.claims.push(claim);
                }
            }
            Act::Again { which } => {
                if let Some(claim) = self.claims.iter().rev().nth(which).cloned() {
                    let _ = self.reserve(claim).await;
                }
            }
            Act::Settle { which, percent } => {
                if let Some(claim) = self.claims.iter().rev().nth(which) {
                    let cost = claim.legs.iter().map(|leg| leg.amount.0).min().unwrap_or(0) / 100 * percent;
                    let settlement = Settlement { hold: claim.hold, at: self.now, lines: vec![line(claim.hold, cost)] };
                    self.shared.settle(settlement.clone());
                    self.books.settle(settlement);
                }
            }
            Act::Wait { minutes } => self.now += SignedDuration::from_mins(minutes),
            Act::Lapse => self.lapse(),
        }
    }

    /// Whether it was granted.
    async fn reserve(&mut self, claim: Claim) -> bool {
        self.lapse();
        let theirs = self.shared.reserve(claim.clone()).await;
        let ours = self.books.reserve(&claim).map(|reserved| reserved.balances);
        match (&theirs, &ours) {
            (Err(Denied::Faulty { .. }), Err(Denied::Faulty { .. })) => {}
            _ => assert_eq!(theirs, ours),
        }
        ours.is_ok()
    }

    fn lapse(&mut self) {
        self.shared.lapse(self.now);
        self.books.lapse(self.now);
    }

    async fn compare(&self) {
        for (account, name) in ACCOUNTS.iter().enumerate() {
            let name = AccountId::new(name);
            let now = Slot::of(self.now).0;
            for since in [self.since(account), Slot::FIRST, Slot(now), Slot(now - 40), Slot(now - 20_000)] {
                let theirs = self.shared.standing(&name, since).await.unwrap();
                assert_eq!(theirs, self.books.standing(&name, since), "{name:?} since {since:?}");
            }
        }
        assert_eq!(self.shared.accounts().await.unwrap(), self.books.accounts());
    }
}

async fn agrees(redis: &Redis, acts: Vec<Act>) {
    let shared = open(&settings(&redis.url())).await;
    let mut pair = Pair { shared: &shared, books: Books::default(), now: noon(0), claims: Vec::new() };
    for (number, act) in acts.into_iter().enumerate() {
        pair.play(act).await;
        if number % 5 == 4 {
            pair.compare().await;
        }
    }
    pair.compare().await;
}

#[test]
fn the_scripts_decide_like_the_books() {
    let redis = Redis::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 250, failure_persistence: None, ..Config::default() });
    let acts = prop::collection::vec(act(), 1..60);
    runner
        .run(&acts, |acts| {
            runtime.block_on(agrees(&redis, acts));
            Ok(())
        })
        .unwrap();
}
