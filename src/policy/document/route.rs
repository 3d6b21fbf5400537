//! A route: one way to find a target, with what holds for the attempts on it.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AbortDoc, FaultDoc};
use crate::base::units::{Period, Share, Size};
use crate::policy::decode::{At, Table, TextOr};

/// A target's name, or a map that says how targets are chosen.
pub type RouteDoc = At<TextOr<Box<RouteMap>>>;

/// How targets are chosen: exactly one of the ways, and options.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteMap {
    /// One target, where options are wanted as well.
    pub target: Option<At<String>>,
    /// The first that answers.
    pub fallback: Option<At<Vec<RouteDoc>>>,
    /// Targets by weight: `{ a: 90, b: 10 }`.
    pub weighted: Option<At<Table<At<u32>>>>,
    /// The target with the quickest first token.
    pub fastest: Option<At<Vec<RouteDoc>>>,
    /// The target with the lowest price.
    pub cheapest: Option<At<Vec<RouteDoc>>>,
    /// The target with the fewest requests under way.
    pub least_busy: Option<At<Vec<RouteDoc>>>,
    /// The first case whose condition holds; the last has none.
    pub first: Option<At<Vec<At<CaseDoc>>>>,
    pub canary: Option<At<CanaryDoc>>,
    /// Refuse.
    pub deny: Option<At<DenyDoc>>,
    /// Send a copy elsewhere, and drop its answer.
    pub shadow: Option<ShadowDoc>,
    /// Keep to the same choice for one user or session.
    pub sticky: Option<At<Sticky>>,
    /// The classes of fault after which another attempt is made.
    pub retry_on: Option<At<Vec<At<FaultDoc>>>>,
    pub attempts_per_target: Option<At<NonZeroU32>>,
    pub timeouts: Option<At<TimeoutsDoc>>,
    /// What to do where a target cannot be told the whole request in its dialect; `allow` if not said.
    pub losses: Option<At<Losses>>,
    pub on_disconnect: Option<At<OnDisconnect>>,
    /// Ask Anthropic's own cache to keep tools and instructions of at least so many bytes, where the caller has marked
    /// nothing itself: `4KiB`. Not if not said.
    pub mark_prefixes: Option<At<Size>>,
}

/// What to do where a target cannot be told the whole request in its dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Losses {
    /// Send what can be said, and note the rest.
    #[default]
    Allow,
    /// Pass the target over.
    Refuse,
}

/// What becomes of an answer whose caller has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// The provider is told to stop, where it listens, and what was said so far is charged for by an estimate.
    #[default]
    Cancel,
    /// It is read to its end, so that the provider says what it has used.
    Drain,
}

/// The fields that choose a target, of which a route has exactly one.
pub const WAYS: [&str; 9] =
    ["target", "fallback", "weighted", "fastest", "cheapest", "least_busy", "first", "canary", "deny"];

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseDoc {
    /// A condition in CEL.
    pub when: Option<At<String>>,
    pub to: RouteDoc,
}

/// A new route that gets a share of the requests, until it fails too often.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryDoc {
    pub stable: RouteDoc,
    pub candidate: RouteDoc,
    pub percent: At<Share>,
    pub sticky: Option<Sticky>,
    pub abort_if: Option<AbortDoc>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DenyDoc {
    /// 403 if not said.
    pub status: Option<At<u16>>,
    /// A short word for programs; `denied` if not said.
    pub code: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShadowDoc {
    pub to: At<String>,
    pub percent: At<Share>,
    /// The budget that pays for the copies; one that it cannot bear is not sent. Without it they are paid for by none,
    /// and stand in the ledger all the same.
    pub budget: Option<At<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sticky {
    User,
    Session,
}

/// How long each part of an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsDoc {
    pub connect: Option<Period>,
    pub headers: Option<Period>,
    pub first_token: Option<Period>,
    pub between_tokens: Option<Period>,
    /// An answer that is not streamed, from sending to its last byte.
    pub whole: Option<Period>,
    /// All attempts together.
    pub total: Option<Period>,
}
