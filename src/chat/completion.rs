//! A whole answer.

use crate::base::ids::DialectId;
use crate::base::json::{Json, Number};
use crate::base::text::Text;
use crate::chat::{Extra, Part, Usage};

/// An answer that came, or leaves, in one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The dialect it was read from, and so the one its extras belong to.
    pub dialect: DialectId,
    pub id: Text,
    pub model: Text,
    /// Unix seconds.
    pub created: Option<Number>,
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
    pub extra: Extra,
}

/// One of the answers asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    pub index: u32,
    pub parts: Vec<Part>,
    pub finish: Option<Finish>,
    pub logprobs: Option<Json>,
    pub extra: Extra,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    pub reason: FinishReason,
    /// The dialect's own word, so that one we do not know still passes.
    pub word: Text,
    /// Which stop sequence it was.
    pub stop_sequence: Option<Text>,
}

impl Finish {
    pub fn new(reason: FinishReason, word: impl Into<Text>) -> Self {
        Self { reason, word: word.into(), stop_sequence: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// The model had said all it wanted, or came upon a stop sequence.
    Stop,
    /// The limit of tokens, or the context, was used up.
    Length,
    /// The model waits for the results of tool calls.
    ToolCalls,
    /// A filter of the provider's, or the model itself, refused.
    ContentFilter,
    /// The provider paused a long turn; it may be continued.
    Pause,
    /// Some other reason; see the word.
    Other,
}

impl FinishReason {
    /// A stable word for logs and traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Pause => "pause",
            Self::Other => "other",
        }
    }
}
