//! What every store of money promises, as tests over [`Ledger`].
//!
//! A store runs them with [`keeps_the_contract!`](keeps_the_contract). Each test has accounts of its own, so
//! stores that cannot be emptied can run them too.

use std::task::{Context, Waker};

use futures_util::future::join_all;
use jiff::Timestamp;
use smallvec::SmallVec;

use crate::base::ids::{AccountId, RequestId};
use crate::base::money::Nanos;
use crate::state::{Balance, Claim, CostLine, Counts, Denied, Durability, HoldId, Ledger, Leg, Settlement, Slot};

/// Makes a test of each promise for the ledgers that `$open` gives, with something to keep alive meanwhile.
macro_rules! keeps_the_contract {
    ($open:expr) => {
        crate::state::contract::keeps_the_contract! { $open;
            a_claim_is_held_until_it_is_settled
            what_is_held_counts_against_the_cap
            a_claim_that_one_leg_cannot_bear_takes_nothing_of_the_other
            a_settlement_without_lines_gives_everything_back
            a_second_settlement_is_ignored
            a_request_over_midnight_counts_where_it_was_admitted
            a_hold_that_lapses_is_spent_in_full
            a_settlement_after_the_lapse_replaces_what_was_assumed
            a_changed_cap_or_window_resets_nothing
            a_claim_of_nothing_asks_whether_anything_is_left
            a_hold_that_was_never_reserved_moves_no_money
            a_claim_made_twice_is_held_once
            a_claim_that_makes_no_sense_is_refused
            claims_at_the_same_time_share_what_is_left
            a_claim_that_nobody_waits_for_is_given_back
            accounts_are_listed_with_all_they_ever_spent
            the_greatest_amounts_do_not_wrap
        }
    };
    ($open:expr; $($promise:ident)*) => {
        $(#[tokio::test]
        async fn $promise() {
            let (_alive, ledger) = $open;
            crate::state::contract::$promise(&*ledger).await;
        })*
    };
}
pub(super) use keeps_the_contract;

pub(super) async fn a_claim_is_held_until_it_is_settled(ledger: &dyn Ledger) {
    let hold = hold();
    let balances = ledger.reserve(claim(hold, [leg("held", 100, 40)])).await.unwrap();
    assert_eq!(balances, [balance("held", 0, 40, 100)]);
    ledger.settle(settlement(hold, 25));
    assert_eq!(standing(ledger, "held").await, (25, 0));
}

pub(super) async fn what_is_held_counts_against_the_cap(ledger: &dyn Ledger) {
    ledger.reserve(claim(hold(), [leg("counts", 100, 60)])).await.unwrap();
    let denied = ledger.reserve(claim(hold(), [leg("counts", 100, 41)])).await.unwrap_err();
    assert_eq!(denied, Denied::Overdrawn(balance("counts", 0, 60, 100)));
    ledger.reserve(claim(hold(), [leg("counts", 100, 40)])).await.unwrap();
}

pub(super) async fn a_claim_that_one_leg_cannot_bear_takes_nothing_of_the_other(ledger: &dyn Ledger) {
    let legs = [leg("wide", 100, 50), leg("narrow", 10, 50)];
    let denied = ledger.reserve(claim(hold(), legs)).await.unwrap_err();
    assert_eq!(denied, Denied::Overdrawn(balance("narrow", 0, 0, 10)));
    assert_eq!(standing(ledger, "wide").await, (0, 0));
}

pub(super) async fn a_settlement_without_lines_gives_everything_back(ledger: &dyn Ledger) {
    let hold = hold();
    ledger.reserve(claim(hold, [leg("back", 100, 40), leg("back too", 100, 30)])).await.unwrap();
    ledger.settle(Settlement { hold, at: noon(1), lines: Vec::new() });
    assert_eq!(standing(ledger, "back").await, (0, 0));
    assert_eq!(standing(ledger, "back too").await, (0, 0));
}

pub(super) async fn a_second_settlement_is_ignored(ledger: &dyn Ledger) {
    let hold = hold();
    ledger.reserve(claim(hold, [leg("once", 100, 40)])).await.unwrap();
    ledger.settle(settlement(hold, 10));
    ledger.settle(settlement(hold, 20));
    assert_eq!(standing(ledger, "once").await, (10, 0));
}

pub(super) async fn a_request_over_midnight_counts_where_it_was_admitted(ledger: &dyn Ledger) {
    let (hold, account) = (hold(), AccountId::new("midnight"));
    let midnight = Slot::of("2026-03-02T00:00:00Z".parse().unwrap());
    let late = Claim { at: "2026-03-01T23:59:00Z".parse().unwrap(), ..claim(hold, [leg("midnight", 100, 40)]) };
    ledger.reserve(Claim { lapses: noon(24), ..late }).await.unwrap();
    assert_eq!(ledger.standing(&account, midnight).await.unwrap(), (Nanos(0), Nanos(0)));
    ledger.settle(Settlement { at: "2026-03-02T00:01:00Z".parse().unwrap(), ..settlement(hold, 30) });
    assert_eq!(ledger.standing(&account, midnight).await.unwrap(), (Nanos(0), Nanos(0)));
    assert_eq!(standing(ledger, "midnight").await, (30, 0));
}

pub(super) async fn a_hold_that_lapses_is_spent_in_full(ledger: &dyn Ledger) {
    ledger.reserve(claim(hold(), [leg("lapses", 100, 40)])).await.unwrap();
    ledger.lapse("2026-03-01T12:59:59Z".parse().unwrap());
    assert_eq!(standing(ledger, "lapses").await, (0, 40));
    ledger.lapse(noon(1));
    assert_eq!(standing(ledger, "lapses").await, (40, 0));
}

pub(super) async fn a_settlement_after_the_lapse_replaces_what_was_assumed(ledger: &dyn Ledger) {
    let hold = hold();
    ledger.reserve(claim(hold, [leg("late", 100, 40)])).await.unwrap();
    ledger.lapse(noon(1));
    ledger.settle(settlement(hold, 15));
    ledger.settle(settlement(hold, 15));
    assert_eq!(standing(ledger, "late").await, (15, 0));
}

pub(super) async fn a_changed_cap_or_window_resets_nothing(ledger: &dyn Ledger) {
    let first = hold();
    ledger.reserve(claim(first, [leg("changed", 100, 40)])).await.unwrap();
    ledger.settle(settlement(first, 40));
    let denied = ledger.reserve(claim(hold(), [leg("changed", 50, 20)])).await.unwrap_err();
    assert_eq!(denied, Denied::Overdrawn(balance("changed", 40, 0, 50)));
    let wider = Leg { since: Slot::FIRST, ..leg("changed", 50, 20) };
    assert!(ledger.reserve(claim(hold(), [wider])).await.is_err());
    ledger.reserve(claim(hold(), [leg("changed", 60, 20)])).await.unwrap();
}

pub(super) async fn a_claim_of_nothing_asks_whether_anything_is_left(ledger: &dyn Ledger) {
    ledger.reserve(claim(hold(), [leg("nothing", 100, 99)])).await.unwrap();
    ledger.reserve(claim(hold(), [leg("nothing", 100, 0)])).await.unwrap();
    ledger.reserve(claim(hold(), [leg("nothing", 100, 1)])).await.unwrap();
    assert!(matches!(ledger.reserve(claim(hold(), [leg("nothing", 100, 0)])).await, Err(Denied::Overdrawn(_))));
}

pub(super) async fn a_hold_that_was_never_reserved_moves_no_money(ledger: &dyn Ledger) {
    ledger.reserve(claim(hold(), [leg("stranger", 100, 40)])).await.unwrap();
    ledger.settle(settlement(hold(), 30));
    ledger.reserve(claim(hold(), [])).await.unwrap();
    assert_eq!(standing(ledger, "stranger").await, (0, 40));
}

pub(super) async fn a_claim_made_twice_is_held_once(ledger: &dyn Ledger) {
    let hold = hold();
    let first = ledger.reserve(claim(hold, [leg("twice", 100, 60)])).await.unwrap();
    let second = ledger.reserve(claim(hold, [leg("twice", 100, 60)])).await.unwrap();
    assert_eq!(first, second);
    assert!(matches!(ledger.reserve(claim(hold, [leg("twice", 100, 30)])).await, Err(Denied::Faulty { .. })));
    assert_eq!(standing(ledger, "twice").await, (0, 60));
    ledger.settle(settlement(hold, 5));
    assert!(matches!(ledger.reserve(claim(hold, [leg("twice", 100, 60)])).await, Err(Denied::Faulty { .. })));
}

pub(super) async fn a_claim_that_makes_no_sense_is_refused(ledger: &dyn Ledger) {
    let backwards = Claim { lapses: noon(0), ..claim(hold(), [leg("senseless", 100, 1)]) };
    let twofold = claim(hold(), [leg("senseless", 100, 1), leg("senseless", 100, 1)]);
    let negative = claim(hold(), [leg("senseless", 100, -1)]);
    let future = claim(hold(), [Leg { since: Slot::of(noon(1)), ..leg("senseless", 100, 1) }]);
    assert!(matches!(ledger.reserve(backwards).await, Err(Denied::Faulty { .. })));
    assert!(matches!(ledger.reserve(twofold).await, Err(Denied::Faulty { .. })));
    assert!(matches!(ledger.reserve(negative).await, Err(Denied::Faulty { .. })));
    assert!(matches!(ledger.reserve(future).await, Err(Denied::Faulty { .. })));
    assert_eq!(standing(ledger, "senseless").await, (0, 0));
}

pub(super) async fn claims_at_the_same_time_share_what_is_left(ledger: &dyn Ledger) {
    let claims = (0..50).map(|_| ledger.reserve(claim(hold(), [leg("shared", 100, 10)])));
    let granted = join_all(claims).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(granted, 10);
    assert_eq!(standing(ledger, "shared").await, (0, 100));
}

pub(super) async fn a_claim_that_nobody_waits_for_is_given_back(ledger: &dyn Ledger) {
    let hold = hold();
    let mut asked = ledger.reserve(claim(hold, [leg("left", 100, 100)]));
    let answered = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(asked);
    if answered.is_ready() {
        ledger.settle(Settlement { hold, at: noon(0), lines: Vec::new() });
    }
    ledger.reserve(claim(self::hold(), [leg("left", 100, 100)])).await.unwrap();
}

pub(super) async fn accounts_are_listed_with_all_they_ever_spent(ledger: &dyn Ledger) {
    let (first, second) = (hold(), hold());
    ledger.reserve(claim(first, [leg("listed a", 100, 40)])).await.unwrap();
    ledger.settle(settlement(first, 40));
    ledger.reserve(claim(second, [leg("listed b", 100, 7)])).await.unwrap();
    let listed = ledger.accounts().await.unwrap();
    let ours: Vec<_> = listed.iter().filter(|standing| standing.account.as_str().starts_with("listed")).collect();
    assert_eq!(ours.len(), 2);
    assert_eq!((ours[0].spent, ours[0].held), (Nanos(40), Nanos(0)));
    assert_eq!((ours[1].spent, ours[1].held), (Nanos(0), Nanos(7)));
}

pub(super) async fn the_greatest_amounts_do_not_wrap(ledger: &dyn Ledger) {
    let first = hold();
    ledger.reserve(claim(first, [leg("great", i64::MAX, i64::MAX)])).await.unwrap();
    ledger.settle(settlement(first, i64::MAX));
    assert!(matches!(ledger.reserve(claim(hold(), [leg("great", i64::MAX, 0)])).await, Err(Denied::Overdrawn(_))));
}

// The small vocabulary of these tests, and of those of the stores.

pub(super) fn noon(hours_later: i64) -> Timestamp {
    Timestamp::from_second(1_772_366_400 + hours_later * 3600).unwrap()
}

pub(super) fn hold() -> HoldId {
    HoldId { request: RequestId::fresh(1_772_366_400_000), attempt: 0 }
}

/// A claim at noon that lapses at one, safe before it is answered.
pub(super) fn claim(hold: HoldId, legs: impl IntoIterator<Item = Leg>) -> Claim {
    let legs = legs.into_iter().collect::<SmallVec<[Leg; 2]>>();
    Claim { hold, at: noon(0), legs, lapses: noon(1), durability: Durability::Now }
}

/// A leg whose window is the day.
pub(super) fn leg(account: &str, cap: i64, amount: i64) -> Leg {
    Leg { account: AccountId::new(account), since: Slot::of(noon(-12)), cap: Nanos(cap), amount: Nanos(amount) }
}

pub(super) fn settlement(hold: HoldId, cost: i64) -> Settlement {
    Settlement { hold, at: noon(0), lines: vec![line(hold, cost)] }
}

pub(super) fn line(hold: HoldId, cost: i64) -> CostLine {
    CostLine {
        request: hold.request,
        attempt: hold.attempt,
        at: noon(0),
        key: None,
        team: Some("search".into()),
        user: None,
        policy: None,
        model: "gpt-4.1".into(),
        target: None,
        provider: None,
        priced: None,
        usage: Counts { text_in: Some(12), out: Some(3), ..Counts::default() },
        cost: Nanos(cost),
        marks: Vec::new(),
    }
}

pub(super) async fn standing(ledger: &dyn Ledger, account: &str) -> (i64, i64) {
    let (spent, held) = ledger.standing(&AccountId::new(account), Slot::of(noon(-12))).await.unwrap();
    (spent.0, held.0)
}

fn balance(account: &str, spent: i64, held: i64, cap: i64) -> Balance {
    Balance { account: AccountId::new(account), spent: Nanos(spent), held: Nanos(held), cap: Nanos(cap) }
}
