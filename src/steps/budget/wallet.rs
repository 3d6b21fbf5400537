//! The budgets of a policy and the ledger they are kept in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_core::future::BoxFuture;
use jiff::Timestamp;
use tracing::warn;

use super::definition::{Budget, Mode};
use crate::base::clock::Clock;
use crate::base::money::Nanos;
use crate::base::stop::Refusal;
use crate::pipeline::charge::{Held, Purse};
use crate::pipeline::facts::Facts;
use crate::state::{Alert, Alerts, Balance, Claim, Denied, Durability, HoldId, Ledger};
use crate::steps::limit::WhenUnavailable;

pub struct Wallet {
    pub budgets: Vec<Arc<Budget>>,
    pub ledger: Arc<dyn Ledger>,
    pub alerts: Arc<Alerts>,
    pub reservations: Arc<AtomicU64>,
}

/// What was set aside. `None` where the ledger cannot be asked and the budgets allow that.
pub struct Reserved {
    pub held: Option<Held>,
    /// What is left of the budget that has the least.
    pub left: Option<Nanos>,
    /// The account that is running low.
    pub low: Option<String>,
}

/// Why nothing was set aside.
pub enum NotReserved {
    /// This account does not allow it.
    Over(Balance),
    Refused(Refusal),
}

impl Wallet {
    /// Sets money aside for a request: on all budgets, or on none.
    ///
    /// # Errors
    /// When one of them does not allow it, or nobody can tell.
    pub async fn reserve(self: &Arc<Self>, claim: Claim, clock: Clock) -> Result<Reserved, NotReserved> {
        let (hold, at) = (claim.hold, claim.at);
        match self.ledger.reserve(claim.clone()).await {
            Ok(balances) => {
                self.reservations.fetch_add(1, Ordering::Relaxed);
                let most = self.most(&claim);
                let purse = Arc::new(Earmark { wallet: Arc::clone(self), claim, clock });
                let low = self.low(&balances, at);
                Ok(Reserved { held: Some(Held { hold, is_spent: false, most, purse }), left: left(&balances), low })
            }
            Err(Denied::Unavailable(reason)) if self.may_go_on() => {
                warn!(%reason, "a request passes without its budgets, which allow that");
                Ok(Reserved { held: None, left: None, low: None })
            }
            Err(Denied::Overdrawn(balance)) => Err(NotReserved::Over(balance)),
            Err(denied) => Err(NotReserved::Refused(unavailable(&denied))),
        }
    }

    /// A claim on each budget's account of the request.
    pub fn claim(
        &self,
        hold: HoldId,
        facts: &dyn Facts,
        amount: impl Fn(&Budget) -> Nanos,
        durability: Durability,
    ) -> Claim {
        let at = facts.now();
        let legs = self.budgets.iter().map(|budget| budget.leg(facts, at, amount(budget))).collect();
        Claim { hold, at, legs, lapses: at.checked_add(LONGEST_REQUEST).unwrap_or(Timestamp::MAX), durability }
    }

    pub fn refusal(&self, balance: &Balance, now: Timestamp) -> Refusal {
        let renews = self.budget_of(balance).and_then(|budget| budget.renews(now));
        let mut message = format!(
            "the budget `{}` does not allow it: of {} US dollars {} are spent and {} set aside for requests under way",
            balance.account, balance.cap, balance.spent, balance.held
        );
        if let Some(renews) = renews {
            message.push_str(&format!("; it begins anew at {renews}"));
        }
        Refusal::new(402, "budget_exceeded", message)
    }

    /// The budget that an account is one of.
    pub fn budget_of(&self, balance: &Balance) -> Option<&Arc<Budget>> {
        self.budgets.iter().find(|budget| budget.has(&balance.account))
    }

    /// What is set aside by strict budgets.
    fn most(&self, claim: &Claim) -> Option<Nanos> {
        let both = self.budgets.iter().zip(&claim.legs);
        both.filter(|(budget, _)| budget.mode == Mode::Strict).map(|(_, leg)| leg.amount).min()
    }

    fn may_go_on(&self) -> bool {
        self.budgets.iter().all(|budget| budget.when_unavailable == WhenUnavailable::Allow)
    }

    /// The first account that has come to where its budget warns. Whoever watches is told once a window.
    fn low(&self, balances: &[Balance], now: Timestamp) -> Option<String> {
        let is_low = |(budget, balance): &(&Arc<Budget>, &Balance)| budget.is_low(used(balance));
        let mut first = None;
        for (budget, balance) in self.budgets.iter().zip(balances).filter(is_low) {
            let renews = budget.renews(now);
            self.alerts.raise(
                Alert { budget: budget.name().into(), balance: balance.clone(), renews },
                budget.since(now),
                now,
            );
            first = first.or_else(|| Some(balance.account.to_string()));
        }
        first
    }
}

/// What one request has set aside, and may set aside again.
struct Earmark {
    wallet: Arc<Wallet>,
    claim: Claim,
    clock: Clock,
}

impl Drop for Earmark {
    fn drop(&mut self) {
        self.wallet.reservations.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Purse for Earmark {
    fn again(&self, hold: HoldId) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let claim = Claim { hold, ..self.claim.clone() };
            match self.wallet.ledger.reserve(claim).await {
                Ok(_) => Ok(()),
                Err(Denied::Overdrawn(balance)) => Err(self.wallet.refusal(&balance, self.clock.now())),
                Err(denied) => Err(unavailable(&denied)),
            }
        })
    }
}

fn unavailable(denied: &Denied) -> Refusal {
    Refusal::new(503, "budget_unavailable", format!("the budget cannot be checked: {denied}"))
}

fn left(balances: &[Balance]) -> Option<Nanos> {
    balances.iter().map(|balance| Nanos(balance.cap.0.saturating_sub(used(balance).0).max(0))).min()
}

fn used(balance: &Balance) -> Nanos {
    Nanos(balance.spent.0.saturating_add(balance.held.0))
}

/// Whoever holds money for longer is thought to be dead.
const LONGEST_REQUEST: Duration = Duration::from_secs(24 * 60 * 60);
