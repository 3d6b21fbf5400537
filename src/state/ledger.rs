//! The questions that the business asks of its books.

use futures_core::future::BoxFuture;
use jiff::Timestamp;

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::claim::{Balance, Claim, Denied, HoldId, Unavailable};
use crate::state::line::CostLine;
use crate::state::slot::Slot;

/// What an attempt came to: the sum of its lines, on every leg of its hold.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub hold: HoldId,
    pub at: Timestamp,
    /// None: nothing was spent, and what was set aside is given back.
    pub lines: Vec<CostLine>,
}

/// An account as the admin page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub account: AccountId,
    /// All that was ever spent, in any window.
    pub spent: Nanos,
    pub held: Nanos,
}

/// Books that hold for all gateways that share them.
///
/// For any interleaving and any crash: what is settled and what is held never exceed a cap, as long as no
/// request costs more than was set aside for it; and each hold is settled exactly once.
pub trait Ledger: Send + Sync {
    /// Sets money aside on all legs or on none: for each, `spent + held + max(amount, 1) <= cap`, where what
    /// counts is what was reserved since the leg's slot. The balances are those with the claim in them, in
    /// the order of the legs.
    ///
    /// Asking again for a hold that is open, with the same amounts, sets nothing aside a second time. If the
    /// future is dropped before it is done, what it took is given back.
    ///
    /// # Errors
    /// [`Denied`]; nothing was set aside then.
    fn reserve(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<Balance>, Denied>>;

    /// Books what an attempt has cost in place of what was held for it. Never waits and never fails its
    /// caller, so it may be called from `Drop`.
    ///
    /// A second settlement of a hold is ignored. A hold that was never reserved (no budget covers the
    /// request) only leaves its lines. A hold that has lapsed has its assumed cost replaced.
    fn settle(&self, settlement: Settlement);

    /// Books as spent, in full, every hold whose time is over at `now`. To be called now and then; when
    /// exactly does not matter, for what is held counts like what is spent.
    fn lapse(&self, now: Timestamp);

    /// What was spent and what is held of all that was reserved since a slot.
    fn standing<'a>(
        &'a self,
        account: &'a AccountId,
        since: Slot,
    ) -> BoxFuture<'a, Result<(Nanos, Nanos), Unavailable>>;

    /// All accounts with spend or holds, by name.
    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>>;

    /// Waits until all that was reserved and settled so far is safe.
    ///
    /// # Errors
    /// When it is not. It is kept, as far as there is room, and written once that is possible.
    fn flush(&self) -> BoxFuture<'_, Result<(), Unavailable>>;
}
