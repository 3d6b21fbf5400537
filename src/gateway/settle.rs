//! What a request leaves in the ledger: a line of the bill for each attempt that cost something, in place of what was
//! set aside for it.

use jiff::Timestamp;

use crate::base::money::Nanos;
use crate::chat::Usage;
use crate::gateway::bill::{Bill, Cost};
use crate::pipeline::charge::{Held, is_beside};
use crate::state::{CostLine, Counts, HoldId, Ledger, Mark, Settlement};
use crate::telemetry::Line;

/// What has cost something and is no answer: an attempt that failed, or a step's own question. What it was for, and what is
/// set aside for it.
pub struct Failed {
    pub attempt: u16,
    pub hold: Option<HoldId>,
    pub bill: Bill,
}

/// A request that is over.
pub struct Over<'a> {
    pub line: &'a Line,
    pub at: Timestamp,
    /// Attempts that came to nothing.
    pub failed: &'a [Failed],
    /// What the last one has cost.
    pub bill: &'a Bill,
    pub cost: Option<&'a Cost>,
    pub held: Option<&'a Held>,
}

impl Over<'_> {
    /// Settles each attempt with the ledger.
    pub fn settle(&self, ledger: &dyn Ledger) {
        let (beside, failed): (Vec<_>, Vec<_>) = self.failed.iter().partition(|failed| is_beside(failed.attempt));
        for failed in failed {
            let cost = failed.bill.cost();
            let lines = self.cost_line(failed.attempt, &failed.bill, cost.as_ref(), Some(Mark::Failed));
            let hold = failed.hold.unwrap_or(HoldId { request: self.line.request_id, attempt: failed.attempt });
            ledger.settle(Settlement { hold, at: self.at, lines: vec![lines] });
        }
        let attempt = u16::try_from(self.line.attempts.saturating_sub(1)).unwrap_or(u16::MAX);
        // Budgets pay for what steps have asked as they do for the request.
        let asked = beside.into_iter().map(|asked| {
            let cost = asked.bill.cost();
            self.cost_line(asked.attempt, &asked.bill, cost.as_ref(), None)
        });
        let lines: Vec<_> = self.last_line(attempt).into_iter().chain(asked).collect();
        // What a failed attempt has used up is settled above.
        let hold = match self.held.filter(|held| !held.is_spent) {
            Some(held) => held.hold,
            None if lines.is_empty() => return,
            None => HoldId { request: self.line.request_id, attempt },
        };
        ledger.settle(Settlement { hold, at: self.at, lines });
    }

    /// `None` if nobody was asked for an answer and nothing is charged for one that was kept, or nobody was asked but in
    /// vain.
    fn last_line(&self, attempt: u16) -> Option<CostLine> {
        let mark = match self.line.outcome {
            "hang_up" => Some(Mark::HangUp),
            "cut" => Some(Mark::Cut),
            "failed" | "refused" => Some(Mark::Failed),
            _ => None,
        };
        if self.bill.payee.is_some() {
            return Some(self.cost_line(attempt, self.bill, self.cost, mark));
        }
        let cost = Cost { nanos: self.line.charged?, usage: Usage::default(), is_estimate: false };
        let mut line = self.cost_line(attempt, self.bill, Some(&cost), mark);
        line.marks.push(Mark::Kept);
        Some(line)
    }

    fn cost_line(&self, attempt: u16, bill: &Bill, cost: Option<&Cost>, mark: Option<Mark>) -> CostLine {
        let line = self.line;
        let own = match cost {
            Some(cost) => cost.is_estimate.then_some(Mark::Estimated),
            None => Some(Mark::Unpriced),
        };
        let beside = match (line.shadow_of, line.renewal_of) {
            (Some(_), _) => Some(Mark::Shadow),
            (None, Some(_)) => Some(Mark::Renewal),
            (None, None) => None,
        };
        CostLine {
            request: line.request_id,
            attempt,
            at: line.time,
            key: line.key.clone(),
            team: line.team.clone(),
            user: line.user.clone(),
            policy: line.policy.clone(),
            model: line.model.as_str().into(),
            target: bill.payee.as_ref().map(|payee| payee.target.clone()),
            provider: bill.payee.as_ref().map(|payee| payee.provider.clone()),
            priced: bill.quote().and_then(|quote| quote.row.clone()),
            usage: cost.map_or_else(|| Counts::from(&bill.usage), |cost| Counts::from(&cost.usage)),
            cost: cost.map_or(Nanos::ZERO, |cost| cost.nanos),
            marks: own.into_iter().chain(mark).chain(beside).collect(),
        }
    }
}
