//! What a request leaves in the ledger: its line of the bill, in place of what was set aside for it.

use crate::base::money::Nanos;
use crate::gateway::bill::{Bill, Cost};
use crate::pipeline::cx::Held;
use crate::state::{CostLine, Counts, HoldId, Mark};
use crate::telemetry::Line;

/// The hold that a request's end settles, and the lines that take its place. `None` if there is nothing to say: no
/// money was set aside and none was spent.
pub fn settlement(line: &Line, bill: &Bill, cost: Option<Cost>, held: Option<Held>) -> Option<(HoldId, Vec<CostLine>)> {
    let lines: Vec<CostLine> = cost_line(line, bill, cost, held).into_iter().collect();
    let hold = match held {
        Some(held) => held.hold,
        None if lines.is_empty() => return None,
        None => HoldId { request: line.request_id, attempt: 0 },
    };
    Some((hold, lines))
}

/// `None` if nobody was asked for an answer, or in vain.
fn cost_line(line: &Line, bill: &Bill, cost: Option<Cost>, held: Option<Held>) -> Option<CostLine> {
    let mut marks = Vec::new();
    let has_answer = line.target.is_some();
    let mut usage = Counts::from(&bill.usage);
    let cost = match (cost, held) {
        (Some(cost), _) => {
            marks.extend(cost.is_estimate.then_some(Mark::Estimated));
            usage = Counts::from(&cost.usage);
            cost.nanos
        }
        // The caller left while somebody was at work for it.
        (None, Some(held)) if line.outcome == "hang_up" && line.attempts > 0 && !has_answer => {
            marks.push(Mark::Estimated);
            held.asked
        }
        (None, _) if has_answer && bill.quote.is_none() && line.endpoint == "chat" => {
            marks.push(Mark::Unpriced);
            Nanos::ZERO
        }
        (None, _) => return None,
    };
    marks.extend(match line.outcome {
        "hang_up" => Some(Mark::HangUp),
        "cut" => Some(Mark::Cut),
        "failed" | "refused" => Some(Mark::Failed),
        _ => None,
    });
    Some(CostLine {
        request: line.request_id,
        attempt: u16::try_from(line.attempts.saturating_sub(1)).unwrap_or(u16::MAX),
        at: line.time,
        key: line.key.clone(),
        team: line.team.clone(),
        user: line.user.clone(),
        policy: line.policy.clone(),
        model: line.model.as_str().into(),
        target: line.target.clone(),
        provider: bill.provider.clone(),
        priced: bill.quote.as_ref().and_then(|quote| quote.row.clone()),
        usage,
        cost,
        marks,
    })
}
