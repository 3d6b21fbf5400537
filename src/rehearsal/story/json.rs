//! The same story for programs.

use serde_json::{Map, Value, json};

use crate::pipeline::trail::{AttemptEntry, ChoiceEntry, Clause, Considered, Planned, StepEntry, Verdict};
use crate::rehearsal::house::Seen;

/// The story of one request: `policies`, `steps`, `routes`, `plan` and `attempts`, in the order of their decisions,
/// and what came of it.
pub fn of(seen: &Seen) -> Value {
    let Some(decision) = &seen.decision else { return Value::Null };
    let trail = &decision.trail;
    json!({
        "policy": decision.line.policy.as_ref().map(|policy| policy.as_str()),
        "policies": trail.considered.iter().map(policy).collect::<Value>(),
        "steps": trail.steps.iter().map(step).collect::<Value>(),
        "routes": trail.choices.iter().map(choice).collect::<Value>(),
        "plan": trail.planned.iter().map(stop).collect::<Value>(),
        "attempts": trail.attempts.iter().map(attempt).collect::<Value>(),
        "outcome": decision.line.outcome,
        "status": seen.status,
    })
}

fn policy(considered: &Considered) -> Value {
    let (verdict, field) = match considered.verdict {
        Verdict::Covers => ("covers", None),
        Verdict::CannotAct => ("cannot_act", None),
        Verdict::For(field) => ("for", Some(field)),
        Verdict::When => ("when", None),
    };
    json!({
        "policy": considered.policy.as_str(),
        "verdict": verdict,
        "field": field,
        "condition": considered.condition.as_ref().map(clause),
    })
}

fn clause(clause: &Clause) -> Value {
    let (holds, error) = match &clause.holds {
        Ok(holds) => (Some(*holds), None),
        Err(reason) => (None, Some(reason)),
    };
    let asked: Map<_, _> = clause.asked.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    json!({
        "text": clause.text,
        "holds": holds,
        "error": error,
        "asked": asked,
        "parts": clause.parts.iter().map(self::clause).collect::<Value>(),
    })
}

fn step(step: &StepEntry) -> Value {
    let notes: Map<_, _> = step.remarks.all().map(|(name, value)| (name.to_string(), value.into())).collect();
    json!({ "step": step.step, "verdict": step.verdict, "notes": notes })
}

fn choice(choice: &ChoiceEntry) -> Value {
    json!({
        "site": choice.site,
        "way": choice.way,
        "order": choice.order,
        "conditions": choice.clauses.iter().map(clause).collect::<Value>(),
    })
}

fn stop(stop: &Planned) -> Value {
    match stop {
        Planned::Target(target) => json!({ "target": target.as_str() }),
        Planned::Deny(code) => json!({ "deny": code }),
    }
}

fn attempt(attempt: &AttemptEntry) -> Value {
    json!({
        "target": attempt.target.as_str(),
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "took_ms": attempt.took.as_secs_f64() * 1e3,
        "marked_prefixes": attempt.marked,
        "losses": attempt.losses.iter().map(|loss| loss.what.as_ref()).collect::<Value>(),
    })
}
