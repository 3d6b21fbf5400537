//! An answer of a played provider, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::base::units::Period;
use crate::policy::{At, OneOrMany, Table};

/// What a provider answers, once.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyDoc {
    /// No connection can be made.
    #[serde(default)]
    pub refuse: bool,
    /// Nobody takes up the connection, and nobody refuses it.
    #[serde(default)]
    pub unreachable: bool,
    /// Time before the answer begins.
    pub delay: Option<Period>,
    pub status: Option<u16>,
    #[serde(default)]
    pub headers: Table<String>,
    /// The `retry-after` header, as it is.
    pub retry_after: Option<String>,
    /// All bytes of the answer, head and body, as they are; nothing else is sent.
    pub raw: Option<String>,
    /// The body as it is: a text, or JSON.
    pub body: Option<Value>,
    /// An answer that says this, in the target's dialect, streamed if that was asked for.
    pub text: Option<String>,
    /// An answer that repeats the last thing the user said.
    #[serde(default)]
    pub echo: bool,
    /// What the model thinks before it answers.
    pub thinking: Option<String>,
    /// Tools that the model calls, after what it says.
    #[serde(default)]
    pub tool_calls: Vec<ToolCallDoc>,
    /// Why the answer ends; `stop`, or `tool_calls` if there are some.
    pub finish: Option<FinishDoc>,
    pub usage: Option<UsageDoc>,
    /// What a proper answer has and this one lacks.
    #[serde(default)]
    pub without: OneOrMany<Without>,
    /// JSON that breaks off: the body, or an event after the last word of a stream.
    #[serde(default)]
    pub malformed: bool,
    /// The error of a status that is none of success, or of a stream that fails; one of the kind if not said.
    pub error: Option<ErrorDoc>,
    /// How the bytes of the body come.
    pub stream: Option<StreamDoc>,
    /// What comes after the headers instead of a body.
    pub headers_then: Option<Ending>,
    /// The number of events of a stream after which nothing more comes.
    pub stall_after: Option<usize>,
    /// The number of events of a stream after which the connection breaks.
    pub cut_after: Option<usize>,
    /// The number of events of a stream after which it reports an error.
    pub error_after: Option<usize>,
    /// A place in the body at which the connection breaks.
    pub cut: Option<At<CutDoc>>,
}

/// A call of a tool.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCallDoc {
    pub id: Option<String>,
    pub name: String,
    /// JSON, or the text of it.
    #[serde(default)]
    pub arguments: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinishDoc {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Without {
    /// The last event of a stream: `[DONE]`, `message_stop`.
    End,
    /// The reason why the answer ends.
    Finish,
}

/// An error as a provider reports it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorDoc {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nothing, on an open connection.
    Stall,
    /// The end of the connection.
    Cut,
}

/// Tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageDoc {
    #[serde(rename = "in")]
    pub input: u64,
    #[serde(rename = "out")]
    pub output: u64,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamDoc {
    /// Bytes of one write.
    pub chunk_bytes: Option<std::num::NonZeroUsize>,
    /// Time between two writes.
    pub pause: Option<Period>,
}

/// A place in the bytes of a body, named by the first text there that is the same.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutDoc {
    Before(String),
    /// Behind its first byte; the text of a single character that takes several is cut inside it.
    Inside(String),
    After(String),
}
