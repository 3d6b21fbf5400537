//! Why an answer ended, in Anthropic's words.

use std::borrow::Cow;

use crate::base::text::Text;
use crate::chat::{Finish, FinishReason};

/// The reason a `stop_reason` stands for.
pub(super) fn reason(word: &str) -> FinishReason {
    match word {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "pause_turn" => FinishReason::Pause,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

pub(super) fn read(word: Option<Text>, stop_sequence: Option<Text>) -> Option<Finish> {
    // An empty word is what some compatible servers send for null.
    let word = word.filter(|word| !word.is_empty())?;
    Some(Finish { reason: reason(&word.as_str()), word, stop_sequence })
}

/// What the answer held that its own reason may not tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub tool_calls: bool,
    pub refusal: bool,
}

/// The `stop_reason` for `finish`: its own word if that is one of Anthropic's or of nobody's we know.
/// Clients run tools only when told `tool_use`, which not every upstream says by itself.
pub(super) fn word(finish: &Finish, held: Held) -> Cow<'_, str> {
    let own = finish.word.as_str();
    if !own.is_empty() && reason(&own) == finish.reason {
        return own;
    }
    Cow::Borrowed(match finish.reason {
        FinishReason::Stop if held.refusal => "refusal",
        FinishReason::Stop if held.tool_calls => "tool_use",
        FinishReason::Stop if finish.stop_sequence.is_some() => "stop_sequence",
        FinishReason::Stop | FinishReason::Other => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Pause => "pause_turn",
    })
}
