//! What was spent that day on behalf of nobody: on texts that were embedded for whoever may ask the like.

use std::sync::Mutex;
use std::sync::PoisonError;

use futures_core::future::BoxFuture;
use jiff::Timestamp;

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::{Balance, Claim, Denied, Ledger, Memory, Settlement, Slot, Standing, Unavailable};

/// Books in memory, beside which that is added up.
#[derive(Default)]
pub struct Till {
    books: Memory,
    unasked: Mutex<i64>,
}

impl Till {
    pub fn unasked(&self) -> Nanos {
        Nanos(*self.unasked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ledger for Till {
    fn reserve(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<Balance>, Denied>> {
        self.books.reserve(claim)
    }

    fn settle(&self, settlement: Settlement) {
        // All callers of the day have keys.
        let costs: i64 = settlement.lines.iter().filter(|line| line.key.is_none()).map(|line| line.cost.0).sum();
        *self.unasked.lock().unwrap_or_else(PoisonError::into_inner) += costs;
        self.books.settle(settlement);
    }

    fn lapse(&self, now: Timestamp) {
        self.books.lapse(now);
    }

    fn standing<'a>(
        &'a self,
        account: &'a AccountId,
        since: Slot,
    ) -> BoxFuture<'a, Result<(Nanos, Nanos), Unavailable>> {
        self.books.standing(account, since)
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>> {
        self.books.accounts()
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.books.flush()
    }
}
