//! What was decided about a request and why, told in lines.
//!
//! It names policies, conditions, what conditions asked and were answered, targets and reasons: never the text of
//! a request or of an answer.

pub mod json;

use crate::pipeline::trail::{AttemptEntry, ChoiceEntry, Clause, Considered, Planned, StepEntry, Verdict};
use crate::rehearsal::house::Seen;

/// The story of one request, a line each, deeper ones indented.
pub fn of(seen: &Seen) -> Vec<String> {
    let Some(decision) = &seen.decision else { return vec!["nothing was decided".into()] };
    let trail = &decision.trail;
    let mut lines = Vec::new();
    trail.considered.iter().for_each(|considered| policy(considered, &mut lines));
    lines.extend(trail.steps.iter().map(step));
    trail.choices.iter().for_each(|choice| self::choice(choice, &mut lines));
    if !trail.planned.is_empty() {
        lines.push(format!("plan: {}", trail.planned.iter().map(stop).collect::<Vec<_>>().join(", then ")));
    }
    lines.extend(trail.attempts.iter().map(attempt));
    let status = seen.status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
    lines.push(format!("outcome: {} with {status}", decision.line.outcome));
    lines
}

fn policy(considered: &Considered, lines: &mut Vec<String>) {
    let verdict = match considered.verdict {
        Verdict::Covers => "covers the request".to_owned(),
        Verdict::CannotAct => "is not for this kind of request: one of its steps cannot act on it".to_owned(),
        Verdict::For(field) => format!("is not for it: `for.{field}` names others"),
        Verdict::When => "is not for it: its condition does not hold".to_owned(),
    };
    lines.push(format!("policy `{}` {verdict}", considered.policy));
    if let Some(clause) = &considered.condition {
        self::clause(clause, 1, lines);
    }
}

fn clause(clause: &Clause, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let holds = match &clause.holds {
        Ok(true) => "holds".to_owned(),
        Ok(false) => "does not hold".to_owned(),
        Err(reason) => format!("cannot be answered: {reason}"),
    };
    lines.push(format!("{indent}`{}` {holds}", clause.text));
    for (name, value) in &clause.asked {
        lines.push(format!("{indent}  {name} = {value}"));
    }
    for part in &clause.parts {
        self::clause(part, depth + 1, lines);
    }
}

fn step(step: &StepEntry) -> String {
    let notes: Vec<_> = step.remarks.all().map(|(name, value)| format!("{name} {value}")).collect();
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("step `{}`: {}{notes}", step.step, step.verdict)
}

fn choice(choice: &ChoiceEntry, lines: &mut Vec<String>) {
    let order: Vec<_> = choice.order.iter().map(|branch| (branch + 1).to_string()).collect();
    let order = if order.is_empty() { "none".to_owned() } else { order.join(", ") };
    lines.push(format!("route `{}`: branches in the order {order}", choice.way));
    choice.clauses.iter().for_each(|clause| self::clause(clause, 1, lines));
}

fn stop(stop: &Planned) -> String {
    match stop {
        Planned::Target(target) => target.to_string(),
        Planned::Deny(code) => format!("deny with `{code}`"),
    }
}

fn attempt(attempt: &AttemptEntry) -> String {
    let reason = if attempt.reason.is_empty() { String::new() } else { format!(": {}", attempt.reason) };
    let losses: Vec<_> = attempt.losses.iter().map(|loss| loss.what.to_string()).collect();
    let losses = if losses.is_empty() { String::new() } else { format!(", without {}", losses.join(", ")) };
    let marked = match attempt.marked {
        0 => String::new(),
        1 => ", with a prefix marked".to_owned(),
        count => format!(", with {count} prefixes marked"),
    };
    format!("attempt at `{}`: {}{reason}{losses}{marked}", attempt.target, attempt.outcome)
}
