//! OpenInference, which Arize Phoenix reads.

mod messages;

use super::attributes::Attributes;
use super::dialects::{Place, Vocabulary, is_generation};
use super::names::openinference as name;
use super::story::{Attempt, Bill, StepTaken, Story};
use super::texts::Spoken;
use crate::base::money::Nanos;

pub struct OpenInference;

impl Vocabulary for OpenInference {
    fn every(&self, story: &Story, out: &mut Attributes) {
        out.list(name::TAGS, &story.tags);
    }

    fn root(&self, _: &Story, out: &mut Attributes) {
        out.say(name::KIND, "CHAIN");
    }

    fn step(&self, step: &StepTaken, out: &mut Attributes) {
        out.say(name::KIND, if step.is_guard { "GUARDRAIL" } else { "CHAIN" });
    }

    fn attempt(&self, story: &Story, attempt: &Attempt, out: &mut Attributes) {
        out.say(name::KIND, kind(story));
        out.text(name::PROVIDER, Some(name::provider(&attempt.asked.kind)));
        out.text(name::SYSTEM, name::system(&attempt.asked.kind));
        let answered = attempt.bill.as_ref().and_then(|bill| bill.response_model.as_deref());
        let model = if kind(story) == EMBEDDING { name::EMBEDDING_MODEL } else { name::MODEL };
        out.text(model, Some(answered.unwrap_or(&attempt.asked.model)));
        out.text(name::PARAMETERS, story.numbers.json().as_deref());
        let Some(bill) = &attempt.bill else { return };
        out.text(name::FINISH, bill.finish);
        cost(bill, out);
        let Some(usage) = &bill.usage else { return };
        out.count(name::PROMPT, usage.input());
        out.count(name::COMPLETION, usage.output());
        out.count(name::TOTAL, usage.total());
        out.told(name::CACHE_READ, usage.cache_read);
        if usage.cache_write_5m.or(usage.cache_write_1h).is_some() {
            out.count(name::CACHE_WRITE, usage.cache_write());
        }
        out.told(name::AUDIO_IN, usage.audio_in);
        out.told(name::REASONING, usage.reasoning_out);
        out.told(name::AUDIO_OUT, usage.audio_out);
    }

    fn texts(&self, spoken: &Spoken, place: Place, out: &mut Attributes) {
        for (value, kind, list, text) in [
            (name::INPUT, name::INPUT_KIND, name::INPUT_MESSAGES, &spoken.input),
            (name::OUTPUT, name::OUTPUT_KIND, name::OUTPUT_MESSAGES, &spoken.output),
        ] {
            let Some(text) = text else { continue };
            // Tables show what is on the root; whoever wants the whole conversation looks at the attempt.
            match messages::gist(text).filter(|_| place == Place::Root) {
                Some(gist) => {
                    out.text(value, Some(&gist));
                    out.say(kind, "text/plain");
                }
                None => {
                    out.text(value, Some(text));
                    out.say(kind, "application/json");
                }
            }
            if place == Place::Attempt {
                out.0.extend(messages::told(list, text));
            }
        }
    }
}

fn kind(story: &Story) -> &'static str {
    match story.line.endpoint {
        "embeddings" => EMBEDDING,
        _ if is_generation(story) => "LLM",
        _ => "CHAIN",
    }
}

const EMBEDDING: &str = "EMBEDDING";

fn cost(bill: &Bill, out: &mut Attributes) {
    if bill.cost.is_none() {
        return;
    }
    let of = |is_input: bool| {
        let parts = bill.parts.iter().filter(|(kind, _)| kind.is_input() == is_input);
        parts.fold(Nanos::ZERO, |sum, (_, cost)| sum.plus(*cost))
    };
    out.usd(name::COST_PROMPT, Some(of(true)));
    out.usd(name::COST_COMPLETION, Some(of(false)));
    out.usd(name::COST_TOTAL, bill.cost);
}
