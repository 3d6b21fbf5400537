//! Books that end with the process: for tests, and for `state: memory`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_core::future::BoxFuture;
use jiff::Timestamp;

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::books::Books;
use crate::state::claim::{Balance, Claim, Denied, Unavailable};
use crate::state::ledger::{Ledger, Settlement, Standing};
use crate::state::slot::Slot;

/// A ledger of this process alone. Lines are not kept.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Books>);

impl Memory {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Memory {
    fn reserve(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<Balance>, Denied>> {
        Box::pin(async move {
            let mut books = self.books();
            books.lapse(claim.at);
            books.reserve(&claim).map(|reserved| reserved.balances)
        })
    }

    fn settle(&self, settlement: Settlement) {
        self.books().settle(settlement);
    }

    fn lapse(&self, now: Timestamp) {
        self.books().lapse(now);
    }

    fn standing<'a>(
        &'a self,
        account: &'a AccountId,
        since: Slot,
    ) -> BoxFuture<'a, Result<(Nanos, Nanos), Unavailable>> {
        Box::pin(async move { Ok(self.books().standing(account, since)) })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>> {
        Box::pin(async move { Ok(self.books().accounts()) })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async { Ok(()) })
    }
}
