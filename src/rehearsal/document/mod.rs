//! A suite of tests as it is written.

mod expect;
mod reply;
mod request;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use expect::{CallDoc, Ended, ExpectDoc, UpstreamDoc};
pub use reply::{CutDoc, Ending, ErrorDoc, FinishDoc, ReplyDoc, ToolCallDoc, UsageDoc, Without};
pub use request::RequestDoc;

use super::golden::ServerDoc;
use crate::base::units::{Period, Usd};
use crate::policy::{At, OneOrMany, Table};

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
    /// How things stand before the first request.
    pub given: Option<At<GivenDoc>>,
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

/// How things stand before the first request of a test.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenDoc {
    /// Who calls, if the test does not say.
    pub caller: Option<At<CallerDoc>>,
    /// What time it is, instead of the suite's.
    pub clock: Option<At<String>>,
    /// Environment variables, besides the suite's and before them.
    #[serde(default)]
    pub env: Table<String>,
    /// How much longer each target's breaker stays open.
    #[serde(default)]
    pub breakers_open: Table<Period>,
    /// Requests that each target is busy with.
    #[serde(default)]
    pub in_flight: Table<u32>,
    /// The time each target last took to its first token.
    #[serde(default)]
    pub first_token: Table<Period>,
    /// How much longer each target has asked to be spared.
    #[serde(default)]
    pub resting: Table<Period>,
    /// What accounts have spent in the window they are in: `user/u1: 4.97`.
    #[serde(default)]
    pub spent: Table<Usd>,
    /// What each guard outside says of whatever it is shown; those that are not named find nothing.
    #[serde(default)]
    pub screens: Table<GuardDoc>,
    /// What servers answer that plugins call, by method and URL: `GET https://example.org/check`. Others cannot be reached.
    #[serde(default)]
    pub http: Table<ServerDoc>,
    /// How each target fared in the last minutes.
    #[serde(default)]
    pub recent: Table<RecentDoc>,
}

/// What a guard says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardDoc {
    /// It finds nothing.
    #[default]
    Allow,
    /// It finds these kinds in the first text, beyond doubt. A webhook refuses by the first of them.
    Finds(Vec<String>),
    /// It fails.
    Unavailable,
}

/// Outcomes of a target in the last minutes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecentDoc {
    #[serde(default)]
    pub good: u32,
    #[serde(default)]
    pub bad: u32,
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
    /// What a signed token says, for callers who show one; team, user and tags are then read from it, as the gateway file
    /// has it.
    pub claims: Option<BTreeMap<String, Value>>,
}

impl CallerDoc {
    /// Whether something is said of a caller whose claims say it all.
    pub fn says_more_than_claims(&self) -> bool {
        let Self { key, team, user, tags, models, claims: _ } = self;
        key.is_some() || team.is_some() || user.is_some() || !tags.is_empty() || !models.is_empty()
    }
}
