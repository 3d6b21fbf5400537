//! What a dialect of traces adds to spans: names for what everybody says in their own words.

use super::attributes::Attributes;
use super::settings::Dialect;
use super::story::{Attempt, StepTaken, Story};
use super::{genai, langfuse, openinference};

/// Whose words they are.
pub trait Vocabulary: Sync {
    /// Of every span.
    fn every(&self, story: &Story, out: &mut Attributes);

    /// Of the request.
    fn root(&self, story: &Story, out: &mut Attributes);

    fn step(&self, step: &StepTaken, out: &mut Attributes);

    fn attempt(&self, story: &Story, attempt: &Attempt, out: &mut Attributes);
}

pub fn vocabulary(dialect: Dialect) -> &'static dyn Vocabulary {
    match dialect {
        Dialect::Genai => &genai::Genai,
        Dialect::Langfuse => &langfuse::Langfuse,
        Dialect::OpenInference => &openinference::OpenInference,
    }
}

/// What an attempt asked for, by OpenTelemetry's words; others by the endpoint's name.
pub fn operation(story: &Story) -> &'static str {
    match story.line.endpoint {
        "completions" => "text_completion",
        endpoint => endpoint,
    }
}

/// Whether a model has said or embedded something, so that an attempt is one of generation.
pub fn is_generation(story: &Story) -> bool {
    matches!(story.line.endpoint, "chat" | "completions" | "responses" | "embeddings")
}
