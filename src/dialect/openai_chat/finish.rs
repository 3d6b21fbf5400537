//! Finish reasons and their words.

use crate::chat::{Finish, FinishReason};

/// What a word of this dialect, or of a vendor's variant, means.
pub fn reason(word: &str) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" | "model_length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// The word for a reason: its own where that says the same here, otherwise ours. A paused turn is a `length`,
/// for it is not complete and may be continued. A reason nobody knows keeps its word: better a word a client
/// has not seen than a wrong one.
pub fn word(finish: &Finish) -> std::borrow::Cow<'_, str> {
    let own = finish.word.as_str();
    if !own.is_empty() && reason(&own) == finish.reason {
        return own;
    }
    match finish.reason {
        FinishReason::Stop | FinishReason::Other => "stop",
        FinishReason::Length | FinishReason::Pause => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    }
    .into()
}
