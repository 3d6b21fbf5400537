//! Langfuse's own attributes, which go before what it would make of others.
//!
//! Usage and cost are always spelled out: read from OpenTelemetry's names alone, tokens that were written to a cache
//! would be counted twice. The keys are disjoint, and those that begin with `input` and `output` are added up by
//! Langfuse.

use super::attributes::Attributes;
use super::dialects::{Place, Vocabulary, is_generation};
use super::names::langfuse as name;
use super::story::{Attempt, Bill, StepTaken, Story};
use super::texts::Spoken;
use crate::base::json::Writer;
use crate::base::money::Nanos;
use crate::chat::TokenKind;

pub struct Langfuse;

impl Vocabulary for Langfuse {
    fn every(&self, story: &Story, out: &mut Attributes) {
        out.list(name::TRACE_TAGS, &story.tags);
    }

    fn root(&self, story: &Story, out: &mut Attributes) {
        out.say(name::TYPE, "span");
        out.say(
            name::TRACE_NAME,
            story.line.policy.as_ref().map_or(story.line.endpoint, |policy| policy.as_str()).to_owned(),
        );
        if story.context.parent.is_some() {
            out.say(name::AS_ROOT, true);
        }
        if story.line.is_failed() || story.line.is_refused() {
            out.say(name::LEVEL, if story.line.is_failed() { "ERROR" } else { "WARNING" });
            out.text(name::MESSAGE, story.line.code.as_deref());
        }
    }

    fn step(&self, step: &StepTaken, out: &mut Attributes) {
        out.say(name::TYPE, if step.is_guard { "guardrail" } else { "span" });
        if matches!(step.verdict.as_str(), "refuse" | "unavailable") {
            out.say(name::LEVEL, "WARNING");
        }
    }

    fn attempt(&self, story: &Story, attempt: &Attempt, out: &mut Attributes) {
        out.say(name::TYPE, observation(story));
        if !attempt.is_ok() {
            out.say(name::LEVEL, if attempt.is_recovered { "WARNING" } else { "ERROR" });
            let reason = if attempt.reason.is_empty() { &attempt.outcome } else { &attempt.reason };
            out.text(name::MESSAGE, Some(reason));
        }
        out.text(name::MODEL, Some(&attempt.asked.model));
        out.text(name::PARAMETERS, story.numbers.json().as_deref());
        let Some(bill) = &attempt.bill else { return };
        if let Some(first) = bill.first_token.and_then(|first| (story.began + attempt.after).checked_add(first)) {
            let at = jiff::Timestamp::try_from(first).map(|at| format!("\"{at}\"")).unwrap_or_default();
            out.text(name::COMPLETION_START, Some(&at));
        }
        out.text(name::USAGE, usage(bill).as_deref());
        out.text(name::COST, cost(bill).as_deref());
    }

    fn texts(&self, spoken: &Spoken, place: Place, out: &mut Attributes) {
        let (input, output) = match place {
            Place::Root => (name::TRACE_INPUT, name::TRACE_OUTPUT),
            Place::Attempt => (name::INPUT, name::OUTPUT),
        };
        out.text(input, spoken.input.as_deref());
        out.text(output, spoken.output.as_deref());
    }
}

fn observation(story: &Story) -> &'static str {
    match story.line.endpoint {
        "embeddings" => "embedding",
        _ if is_generation(story) => "generation",
        _ => "span",
    }
}

fn usage(bill: &Bill) -> Option<String> {
    let usage = bill.usage.as_ref()?;
    let mut writer = Writer::new();
    writer.object(|w| {
        for (kind, count) in usage.parts() {
            if let Some(count) = count {
                w.key(key(kind)).u64(count);
            }
        }
        w.key("total").u64(usage.total());
    });
    Some(writer.into_json().0.to_string())
}

fn cost(bill: &Bill) -> Option<String> {
    let total = bill.cost?;
    let mut writer = Writer::new();
    writer.object(|w| {
        for (kind, cost) in bill.parts.iter().filter(|(_, cost)| *cost != Nanos::ZERO) {
            w.key(key(*kind)).dollars(*cost);
        }
        w.key("total").dollars(total);
    });
    Some(writer.into_json().0.to_string())
}

fn key(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::TextIn => "input",
        TokenKind::CacheRead => "input_cache_read",
        TokenKind::CacheWrite5m => "input_cache_creation_5m",
        TokenKind::CacheWrite1h => "input_cache_creation_1h",
        TokenKind::AudioIn => "input_audio",
        TokenKind::ImageIn => "input_image",
        TokenKind::Out => "output",
        TokenKind::ReasoningOut => "output_reasoning",
        TokenKind::AudioOut => "output_audio",
    }
}
