//! A suite of tests as it is written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::policy::{At, OneOrMany, Period, Table};

/// A file of tests for one configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tidegate test file")]
pub struct SuiteDoc {
    /// The version of the language; 1.
    pub version: At<u64>,
    /// The gateway file that is tested, and overlays on it; paths start from this file's folder.
    pub gateway: At<OneOrMany<At<String>>>,
    /// What time it is when a test begins, in RFC 3339; `2026-01-01T00:00:00Z` if not said.
    pub clock: Option<At<String>>,
    /// Environment variables; those that are not named stand for a placeholder.
    #[serde(default)]
    pub env: Table<String>,
    /// What every test has that does not say otherwise.
    pub defaults: Option<DefaultsDoc>,
    pub tests: At<Vec<At<TestDoc>>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultsDoc {
    pub caller: Option<At<CallerDoc>>,
    #[serde(default)]
    pub upstream: Table<At<Vec<At<ReplyDoc>>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestDoc {
    /// What is true if the test passes, in a sentence.
    pub name: At<String>,
    /// Who calls; let in without a key of the configuration's own.
    pub caller: Option<At<CallerDoc>>,
    pub request: At<RequestDoc>,
    /// What each target answers, attempt by attempt; the last is repeated. Targets that are not named answer with a
    /// short text.
    #[serde(default)]
    pub upstream: Table<At<Vec<At<ReplyDoc>>>>,
    /// The request is sent so often; each answer must be as expected.
    pub repeat: Option<RepeatDoc>,
    pub expect: At<ExpectDoc>,
    /// Further requests to the same gateway, which remembers what was before.
    #[serde(default)]
    pub then: Vec<At<TurnDoc>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepeatDoc {
    pub times: std::num::NonZeroU32,
    /// All at once rather than one after the other.
    #[serde(default)]
    pub concurrently: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnDoc {
    /// How long after the request before.
    pub after: Option<Period>,
    /// The request before if not said.
    pub request: Option<At<RequestDoc>>,
    pub repeat: Option<RepeatDoc>,
    pub expect: At<ExpectDoc>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerDoc {
    /// The name of the virtual key.
    pub key: Option<String>,
    pub team: Option<String>,
    pub user: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// The models the key is for; all if not said.
    #[serde(default)]
    pub models: Vec<String>,
}

/// A request, in short or as its very body.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestDoc {
    /// The path; `/v1/chat/completions` if not said.
    pub endpoint: Option<At<String>>,
    #[serde(default)]
    pub headers: Table<String>,
    /// The whole body, instead of the fields below: a text as it is, anything else as JSON.
    pub body: Option<At<Value>>,
    pub model: Option<String>,
    pub messages: Option<Value>,
    pub system: Option<Value>,
    pub stream: Option<bool>,
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub tools: Option<Value>,
}

/// What a provider answers, once.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyDoc {
    /// No connection can be made.
    #[serde(default)]
    pub refuse: bool,
    /// Time before the answer begins.
    pub delay: Option<Period>,
    pub status: Option<u16>,
    #[serde(default)]
    pub headers: Table<String>,
    /// The `retry-after` header, as it is.
    pub retry_after: Option<String>,
    /// The body as it is: a text, or JSON.
    pub body: Option<Value>,
    /// An answer that says this, in the target's dialect, streamed if that was asked for.
    pub text: Option<String>,
    /// An answer that repeats the last thing the user said.
    #[serde(default)]
    pub echo: bool,
    pub usage: Option<UsageDoc>,
    /// How the bytes of the body come.
    pub stream: Option<StreamDoc>,
    /// What comes after the headers instead of a body.
    pub headers_then: Option<Ending>,
    /// The number of events of a stream after which nothing more comes.
    pub stall_after: Option<usize>,
    /// The number of events of a stream after which the connection breaks.
    pub cut_after: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nothing, on an open connection.
    Stall,
    /// The end of the connection.
    Cut,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
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

/// What must be true afterwards. What is not named may be anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectDoc {
    pub status: Option<u16>,
    /// The error's code.
    pub code: Option<String>,
    /// The text of the answer.
    pub answer: Option<String>,
    #[serde(default)]
    pub answer_contains: OneOrMany<String>,
    #[serde(default)]
    pub answer_lacks: OneOrMany<String>,
    /// How the answer ended.
    pub ending: Option<Ended>,
    pub policy: Option<String>,
    /// The target of each attempt, in order.
    pub attempts: Option<Vec<String>>,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: Table<String>,
    /// What the requests to providers hold, heads and bodies, all taken together.
    #[serde(default)]
    pub upstream_contains: OneOrMany<String>,
    #[serde(default)]
    pub upstream_lacks: OneOrMany<String>,
    /// Fields of the access log's line.
    #[serde(default)]
    pub log: Table<Value>,
    pub elapsed_at_least: Option<Period>,
    pub elapsed_at_most: Option<Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// As an answer of its kind ends.
    Clean,
    /// With an error in the stream.
    Error,
    /// With the connection.
    Cut,
}
