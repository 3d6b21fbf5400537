//! The holds that this gateway has asked for and not yet settled.
//!
//! Only what is in here is settled in the store: a request that no budget covers does not trouble it, and whatever is
//! settled a second time is not there any more.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::state::claim::HoldId;

#[derive(Default)]
pub(super) struct Holds(Mutex<HashSet<HoldId>>);

impl Holds {
    /// Whether it is new.
    pub fn add(&self, hold: HoldId) -> bool {
        self.lock().insert(hold)
    }

    /// Whether it was there.
    pub fn remove(&self, hold: HoldId) -> bool {
        self.lock().remove(&hold)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<HoldId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
