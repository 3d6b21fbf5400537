//! What a dialect of traces adds to spans: names for what everybody says in their own words.

use super::attributes::Attributes;
use super::settings::Dialect;
use super::story::{Attempt, StepTaken, Story};
use super::texts::Spoken;
use super::{genai, langfuse, openinference};

/// Whose words they are.
pub trait Vocabulary: Sync {
    /// Of every span.
    fn every(&self, story: &Story, out: &mut Attributes);

    /// Of the request.
    fn root(&self, story: &Story, out: &mut Attributes);

    fn step(&self, step: &StepTaken, out: &mut Attributes);

    fn attempt(&self, story: &Story, attempt: &Attempt, out: &mut Attributes);

    /// What was asked and answered, as far as it may be told.
    fn texts(&self, spoken: &Spoken, place: Place, out: &mut Attributes);
}

/// On which span something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Root,
    Attempt,
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
