//! OpenTelemetry's conventions for generative AI.

use super::attributes::Attributes;
use super::dialects::{Place, Vocabulary, operation};
use super::names::{self, genai as name};
use super::story::{Attempt, StepTaken, Story};
use super::texts::Spoken;
use crate::chat::Numbers;

pub struct Genai;

impl Vocabulary for Genai {
    fn every(&self, story: &Story, out: &mut Attributes) {
        // Never invented: without a session there is no conversation.
        out.text(name::CONVERSATION, story.session.as_deref());
    }

    /// Nothing: a model on the root would make it a second generation.
    fn root(&self, _: &Story, _: &mut Attributes) {}

    fn step(&self, _: &StepTaken, _: &mut Attributes) {}

    fn attempt(&self, story: &Story, attempt: &Attempt, out: &mut Attributes) {
        out.say(name::OPERATION, operation(story));
        out.text(name::PROVIDER, Some(name::provider(&attempt.asked.kind)));
        out.text(name::REQUEST_MODEL, Some(&attempt.asked.model));
        if story.line.stream {
            out.say(name::REQUEST_STREAM, true);
        }
        asked_for(&story.numbers, out);
        let Some(bill) = &attempt.bill else { return };
        out.text(name::RESPONSE_ID, bill.response_id.as_deref());
        out.text(name::RESPONSE_MODEL, bill.response_model.as_deref());
        if let Some(finish) = bill.finish {
            out.say(name::FINISH_REASONS, names::list([finish]));
        }
        if let Some(first) = bill.first_token {
            out.say(name::FIRST_CHUNK, first.as_secs_f64());
        }
        let Some(usage) = &bill.usage else { return };
        out.count(name::INPUT, usage.input());
        out.count(name::OUTPUT, usage.output());
        out.told(name::CACHE_READ, usage.cache_read);
        if usage.cache_write_5m.or(usage.cache_write_1h).is_some() {
            out.count(name::CACHE_WRITE, usage.cache_write());
        }
        out.told(name::REASONING, usage.reasoning_out);
    }

    fn texts(&self, spoken: &Spoken, place: Place, out: &mut Attributes) {
        if place == Place::Attempt {
            out.text(name::INPUT_MESSAGES, spoken.input.as_deref());
            out.text(name::OUTPUT_MESSAGES, spoken.output.as_deref());
        }
    }
}

/// What the model is to answer by. Sequences to stop at are texts, and not said.
fn asked_for(numbers: &Numbers, out: &mut Attributes) {
    out.told(name::MAX_TOKENS, numbers.max_tokens);
    out.told(name::SEED, numbers.seed);
    out.told(name::CHOICES, numbers.n.filter(|n| *n != 1));
    for (name, number) in [
        (name::TEMPERATURE, numbers.temperature),
        (name::TOP_P, numbers.top_p),
        (name::TOP_K, numbers.top_k),
        (name::PRESENCE_PENALTY, numbers.presence_penalty),
        (name::FREQUENCY_PENALTY, numbers.frequency_penalty),
    ] {
        if let Some(number) = number {
            out.say(name, number);
        }
    }
}
