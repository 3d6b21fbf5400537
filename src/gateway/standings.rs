//! How the accounts of budgets stand, each in the window it is in.

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::gateway::world::World;
use crate::policy::Snapshot;
use crate::state::Unavailable;
use crate::steps::budget::Budget;

pub struct AccountStanding {
    pub account: AccountId,
    pub budget: Arc<Budget>,
    pub spent: Nanos,
    pub held: Nanos,
    pub renews: Option<Timestamp>,
}

impl AccountStanding {
    pub fn remaining(&self) -> Nanos {
        Nanos(self.budget.cap.0.saturating_sub(self.spent.plus(self.held).0))
    }
}

/// Every account that has been used, by name.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn standings(world: &World, snapshot: &Snapshot) -> Result<Vec<AccountStanding>, Unavailable> {
    let now = world.clock.now();
    let Some(ledger) = &world.stores.ledger else { return Ok(Vec::new()) };
    let mut standings = Vec::new();
    for account in ledger.accounts().await?.into_iter().map(|standing| standing.account) {
        let name = account.as_str().split('/').next().unwrap_or_default();
        let Some(budget) = snapshot.budgets.get(name) else { continue };
        let (spent, held) = ledger.standing(&account, budget.since(now)).await?;
        let (budget, renews) = (Arc::clone(budget), budget.renews(now));
        standings.push(AccountStanding { account, budget, spent, held, renews });
    }
    Ok(standings)
}
