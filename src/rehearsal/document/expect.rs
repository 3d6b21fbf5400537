//! What a test expects, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::reply::UsageDoc;
use crate::base::units::{Period, Usd};
use crate::policy::{At, OneOrMany, Table};

/// What must be true afterwards. What is not named may be anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectDoc {
    pub status: Option<u16>,
    /// How many of the repeated requests got each status; the rest of what is expected must hold for all of them.
    #[serde(default)]
    pub statuses: Table<usize>,
    /// The error's code.
    pub code: Option<String>,
    /// The text of the answer.
    pub answer: Option<String>,
    #[serde(default)]
    pub answer_contains: OneOrMany<String>,
    #[serde(default)]
    pub answer_lacks: OneOrMany<String>,
    /// The bytes of the answer as they came.
    #[serde(default)]
    pub body_contains: OneOrMany<String>,
    #[serde(default)]
    pub body_lacks: OneOrMany<String>,
    /// Regular expressions, each of which fits somewhere in the text of the answer.
    #[serde(default)]
    pub answer_matches: OneOrMany<At<String>>,
    /// What a JSON path (RFC 9535) finds in the body; in a list of its events, if it is a stream.
    #[serde(default)]
    pub json: Table<Value>,
    /// Events of a stream, in this order and perhaps with others between them: JSON that has at least these fields,
    /// or the very text.
    pub events: Option<Vec<Value>>,
    /// The tools that the answer calls, in order.
    pub tool_calls: Option<Vec<CallDoc>>,
    /// What the model thought.
    pub thinking: Option<String>,
    /// Why the answer ended: `stop`, `length`, `tool_calls`, `content_filter`.
    pub finish: Option<String>,
    /// What the caller was told it used.
    pub usage: Option<UsageDoc>,
    /// What the request cost, exactly.
    pub cost_usd: Option<Usd>,
    /// What accounts have spent when all requests are over: `user/u1: 5.00`.
    #[serde(default)]
    pub spent: Table<Usd>,
    #[serde(default)]
    pub spent_at_most: Table<Usd>,
    /// How the answer ended.
    pub ending: Option<Ended>,
    pub policy: Option<String>,
    /// Each step that ran, in order, with its verdict, or with its notes.
    pub trail: Option<Vec<Table<Value>>>,
    /// The target of each attempt, in order.
    pub attempts: Option<Vec<String>>,
    /// Targets that were not asked because of their state, in order.
    pub passed_over: Option<Vec<String>>,
    /// What could not be expressed in a target's dialect.
    pub losses: Option<Vec<String>>,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: Table<String>,
    #[serde(default)]
    pub headers_lack: OneOrMany<String>,
    /// What the requests to providers hold, heads and bodies, all taken together.
    #[serde(default)]
    pub upstream_contains: OneOrMany<String>,
    #[serde(default)]
    pub upstream_lacks: OneOrMany<String>,
    /// What each target received.
    #[serde(default)]
    pub upstream: Table<UpstreamDoc>,
    /// Fields of the access log's line.
    #[serde(default)]
    pub log: Table<Value>,
    #[serde(default)]
    pub log_lacks: OneOrMany<String>,
    pub elapsed_at_least: Option<Period>,
    pub elapsed_at_most: Option<Period>,
}

/// A call of a tool; arguments that are not named may be anything.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallDoc {
    pub name: String,
    pub arguments: Option<Value>,
}

/// What one target received. If it was asked more than once, paths and headers are those of each request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamDoc {
    /// How often it was asked.
    pub requests: Option<usize>,
    pub path: Option<String>,
    #[serde(default)]
    pub contains: OneOrMany<String>,
    #[serde(default)]
    pub lacks: OneOrMany<String>,
    /// What a JSON path (RFC 9535) finds in the body.
    #[serde(default)]
    pub json: Table<Value>,
    #[serde(default)]
    pub headers: Table<String>,
    #[serde(default)]
    pub headers_lack: OneOrMany<String>,
    /// Whether the gateway hung up before the answer's end.
    pub cancelled: Option<bool>,
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
