//! A file of cases as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::moment::Sent;
use crate::policy::{At, Table};
use crate::steps::plugin::{Grant, LimitsDoc};

/// A file of cases for one plugin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tidegate plugin cases")]
pub struct CasesDoc {
    /// The version of the language; 1.
    pub version: At<u64>,
    /// What the plugin may see and do, as in a policy; nothing if not said.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Its configuration.
    pub config: Option<Value>,
    #[serde(default)]
    pub limits: LimitsDoc,
    pub cases: At<Vec<At<CaseDoc>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseDoc {
    /// What is true if the case passes, in a sentence.
    pub name: At<String>,
    /// Instead of the file's.
    pub grants: Option<Vec<Grant>>,
    /// Instead of the file's.
    pub config: Option<Value>,
    #[serde(default)]
    pub caller: CallerDoc,
    #[serde(default)]
    pub given: GivenDoc,
    /// The body of a request to `/v1/chat/completions`.
    pub request: Option<At<Value>>,
    /// The answer to it, whole: the hook is called with this.
    pub answer: Option<Vec<PieceDoc>>,
    /// The answer to it, piece by piece.
    pub stream: Option<Vec<PieceDoc>>,
    /// How many bytes of a text come at a time; if not said, the case is played with several, and comes out the same.
    pub cut: Option<std::num::NonZeroUsize>,
    pub expect: At<ExpectDoc>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PieceDoc {
    Text(String),
    Thinking(String),
    Refusal(String),
    ToolCall(CallDoc),
    /// What the provider reports at the end.
    Usage(UsageDoc),
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallDoc {
    pub name: String,
    /// A text as it is, anything else as JSON.
    pub arguments: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageDoc {
    #[serde(rename = "in")]
    pub input: u64,
    pub out: u64,
    #[serde(default)]
    pub cached: u64,
}

/// Who calls. Claims and headers are shown only as far as they are granted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerDoc {
    pub key: Option<String>,
    pub team: Option<String>,
    pub user: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub claims: Option<Value>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What plugins before this one have tagged the request with.
    #[serde(default)]
    pub tagged: BTreeMap<String, String>,
}

/// How things stand outside of the plugin.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenDoc {
    /// What time it is; `2026-01-01T00:00:00Z` if not said.
    pub clock: Option<At<String>>,
    /// What the store holds.
    #[serde(default)]
    pub kv: BTreeMap<String, String>,
    /// Numbers in the store.
    #[serde(default)]
    pub numbers: BTreeMap<String, i64>,
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// What servers answer, by method and URL: `GET https://example.org/check`.
    #[serde(default)]
    pub http: Table<ServerDoc>,
    /// What models say, one question after the other; the last is repeated. None is a model that does not answer.
    #[serde(default)]
    pub model: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerDoc {
    pub status: u16,
    /// A text as it is, anything else as JSON.
    pub body: Option<Value>,
}

/// What a case expects. What is not named is not looked at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectDoc {
    pub verdict: Option<VerdictDoc>,
    /// Of a denial.
    pub status: Option<u16>,
    pub code: Option<String>,
    /// A part of its message.
    pub message: Option<String>,
    /// The text of the plugin's own answer.
    pub reply: Option<String>,
    /// A part of what the plugin, or the gateway, says of its failure.
    pub failure: Option<String>,
    /// The texts of the messages, or of the answer, after all edits.
    pub texts: Option<Vec<String>>,
    /// The model that is asked, if the plugin asks for another.
    pub model: Option<String>,
    /// The parameters that are changed.
    pub params: Option<Value>,
    /// The headers that are set.
    pub headers: Option<BTreeMap<String, String>>,
    pub tags: Option<BTreeMap<String, String>>,
    /// The kinds of all findings, in order.
    pub findings: Option<Vec<String>>,
    /// What the caller reads of a stream.
    pub read: Option<String>,
    /// What is in the store afterwards.
    #[serde(default)]
    pub kv: BTreeMap<String, String>,
    #[serde(default)]
    pub numbers: BTreeMap<String, i64>,
    /// What was added to counters: `name`, or `name/label`.
    #[serde(default)]
    pub counted: BTreeMap<String, u64>,
    /// The servers that were called, by method and URL.
    pub sent: Option<Vec<String>>,
    /// Parts of the questions to models, one each.
    pub asked: Option<Vec<String>>,
    /// Parts of lines in the log.
    #[serde(default)]
    pub logged: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictDoc {
    Pass,
    Deny,
    Respond,
}

impl CaseDoc {
    /// What the hook is called with besides the request.
    pub fn sent(&self) -> Sent {
        match (&self.answer, &self.stream) {
            (Some(answer), _) => Sent::Answer(answer.clone()),
            (None, Some(stream)) => Sent::Stream(stream.clone()),
            (None, None) => Sent::Request,
        }
    }

    /// The sizes of the pieces in which a stream comes; `None` is all at once.
    pub fn cuts(&self) -> Vec<Option<usize>> {
        match (&self.stream, self.cut) {
            (None, _) => vec![None],
            (Some(_), None) => vec![None, Some(1), Some(5)],
            (Some(_), Some(cut)) => vec![Some(cut.get())],
        }
    }
}
