//! A request of a test, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::base::units::Period;
use crate::policy::{At, Table};

/// A request, in short or as its very body.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestDoc {
    /// `POST` if not said, and `GET` where that is all the path allows.
    pub method: Option<At<String>>,
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
    /// The caller hangs up.
    pub hang_up: Option<HangUpDoc>,
    /// The caller takes so long before it reads on.
    pub read_pause: Option<Period>,
}

/// When a caller hangs up; at the first of the two if both are named.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HangUpDoc {
    /// So long after it has asked.
    pub after: Option<Period>,
    /// Once it has read so many events of a stream.
    pub after_events: Option<usize>,
}
