//! One decision as a line of JSON.

use std::time::Duration;

use crate::base::json::Writer;
use crate::base::millis::Millis;
use crate::telemetry::otlp::{Attempt, Bill, PassedOver, StepTaken, Story};

/// The line, with its end.
pub fn of(story: &Story) -> Vec<u8> {
    let mut writer = Writer::with_capacity(1536);
    writer.object(|w| {
        story.line.members(w);
        w.key("trace_id").str(&story.context.trace.to_string());
        said(w, "revision", story.revision.as_deref());
        said(w, "session", story.session.as_deref());
        if !story.tags.is_empty() {
            w.key("tags").array(|w| story.tags.iter().for_each(|tag| w.str(tag)));
        }
        if let Some(estimated) = story.estimated {
            w.key("estimated_input_tokens").u64(estimated);
        }
        w.key("steps").array(|w| story.steps.iter().for_each(|taken| step(w, taken)));
        w.key("passed_over").array(|w| story.passed_over.iter().for_each(|passed| passed_over(w, passed)));
        w.key("tries").array(|w| story.attempts.iter().for_each(|tried| attempt(w, tried)));
    });
    let mut line = writer.into_bytes();
    line.push(b'\n');
    line
}

fn step(writer: &mut Writer, step: &StepTaken) {
    writer.object(|w| {
        w.key("step").str(step.name);
        if step.is_guard {
            w.key("guard").bool(true);
        }
        millis(w, "after_ms", step.after);
        millis(w, "took_ms", step.took);
        w.key("verdict").str(&step.verdict);
        if !step.notes.is_empty() {
            w.key("notes").object(|w| step.notes.iter().for_each(|(name, value)| w.any_key(name).str(value)));
        }
    });
}

fn passed_over(writer: &mut Writer, passed: &PassedOver) {
    writer.object(|w| {
        w.key("target").str(&passed.target);
        w.key("reason").str(&passed.reason);
        millis(w, "after_ms", passed.after);
    });
}

fn attempt(writer: &mut Writer, attempt: &Attempt) {
    writer.object(|w| {
        w.key("number").u64(attempt.number as u64);
        w.key("target").str(&attempt.asked.target);
        w.key("provider").str(&attempt.asked.provider);
        w.key("model").str(&attempt.asked.model);
        millis(w, "after_ms", attempt.after);
        millis(w, "took_ms", attempt.took);
        if let Some(status) = attempt.status {
            w.key("status").u64(u64::from(status));
        }
        w.key("outcome").str(&attempt.outcome);
        said(w, "reason", Some(attempt.reason.as_str()).filter(|reason| !reason.is_empty()));
        if attempt.is_recovered {
            w.key("recovered").bool(true);
        }
        if let Some(told) = &attempt.bill {
            bill(w, told);
        }
    });
}

fn bill(w: &mut Writer, bill: &Bill) {
    said(w, "served_model", bill.response_model.as_deref());
    if let Some(first) = bill.first_token {
        millis(w, "first_token_ms", first);
        w.key("chunks").u64(u64::from(bill.chunks));
    }
    if let Some(usage) = &bill.usage {
        w.key("usage").object(|w| {
            for (kind, count) in usage.parts() {
                if let Some(count) = count {
                    w.key(kind.name()).u64(count);
                }
            }
        });
    }
    if let Some(cost) = bill.cost {
        w.key("cost_usd").dollars(cost);
    }
    if bill.is_estimate {
        w.key("estimated").bool(true);
    }
}

fn said(w: &mut Writer, name: &'static str, text: Option<&str>) {
    if let Some(text) = text {
        w.key(name).str(text);
    }
}

fn millis(w: &mut Writer, name: &'static str, time: Duration) {
    w.key(name).millis(Millis::of(time));
}
