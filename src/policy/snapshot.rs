//! One policy revision, ready to run: immutable, and shared by every request that began under it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderValue;
use jiff::Timestamp;

use super::condition::Condition;
use super::selector::Selector;
use crate::auth::Authenticator;
use crate::base::ids::PolicyName;
use crate::base::secret::Secret;
use crate::pipeline::facts::{Endpoint, Facts};
use crate::pipeline::run::Line;
use crate::pipeline::target::Target;
use crate::pipeline::trail::{Considered, Verdict};
use crate::pricing::Unknown;
use crate::steps::budget::Budget;
use crate::telemetry::decisions;
use crate::telemetry::otlp::{Exporter, MetricExporter};

/// Everything a request needs to know that a policy file says.
pub struct Snapshot {
    /// A hash of all files it was made from.
    pub revision: String,
    /// Its first characters, for callers.
    pub short_revision: HeaderValue,
    pub loaded_at: Timestamp,
    pub authenticator: Authenticator,
    /// In the order they are tried.
    pub policies: Vec<Policy>,
    /// Whether any of them may go on with requests whose callers have hung up.
    pub may_outlive: bool,
    pub targets: Vec<Arc<Target>>,
    /// By name.
    pub budgets: BTreeMap<String, Arc<Budget>>,
    /// What becomes of requests to models whose price nobody knows, if no budget has a word on it.
    pub unknown_price: Unknown,
    /// Where warnings of budgets are posted to.
    pub webhook: Option<Secret>,
    /// Who is told of requests, as traces.
    pub exporters: Vec<Exporter>,
    /// Who is told of metrics.
    pub metric_exporters: Vec<MetricExporter>,
    /// Where decisions are recorded.
    pub decisions: Option<decisions::Settings>,
    /// Members of callers' baggage that spans get.
    pub baggage: Vec<String>,
    pub server: ServerSettings,
}

/// What the server needs to know of the files for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSettings {
    /// Bytes of a request body.
    pub body_limit: usize,
}

/// A policy: whom it is for, and what it does.
pub struct Policy {
    pub selector: Selector,
    pub condition: Option<Condition>,
    /// What its steps can act on. Requests of another kind are not its.
    pub endpoints: Vec<Endpoint>,
    /// Models that a caller may be told of.
    pub models: Vec<String>,
    pub line: Line,
}

impl Policy {
    /// Whether a request is this policy's. A condition that cannot be answered does not hold.
    fn covers(&self, facts: &dyn Facts) -> bool {
        self.endpoints.contains(&facts.endpoint())
            && self.selector.matches(facts)
            && self.condition.as_ref().is_none_or(|condition| condition.holds(facts) == Ok(true))
    }

    /// The same with reasons.
    fn consider(&self, facts: &dyn Facts) -> Considered {
        let considered = |verdict, condition| Considered { policy: self.line.policy.clone(), verdict, condition };
        if !self.endpoints.contains(&facts.endpoint()) {
            return considered(Verdict::CannotAct, None);
        }
        if let Some(field) = self.selector.mismatch(facts) {
            return considered(Verdict::For(field), None);
        }
        match self.condition.as_ref().map(|condition| condition.explain(facts)) {
            Some(clause) if clause.holds != Ok(true) => considered(Verdict::When, Some(clause)),
            clause => considered(Verdict::Covers, clause),
        }
    }
}

impl Snapshot {
    /// The policy that decides on a request: the first that covers it.
    pub fn select(&self, facts: &dyn Facts) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.covers(facts))
    }

    /// The teams that the files name: those of keys, and those that policies are for.
    pub fn teams(&self) -> impl Iterator<Item = Arc<str>> {
        let of_policies = self.policies.iter().flat_map(|policy| policy.selector.teams());
        self.authenticator.teams().chain(of_policies.map(Arc::from))
    }

    /// The most bytes of each text of a streamed answer that a policy's steps keep back, where they do.
    pub fn hold_backs(&self) -> impl Iterator<Item = (&PolicyName, &'static str, usize)> {
        self.policies.iter().flat_map(|policy| {
            let steps = policy.line.steps.iter();
            steps.filter_map(|step| Some((&policy.line.policy, step.name(), step.holds_back()?)))
        })
    }

    /// The policies that are looked at for a request, up to the one that decides on it.
    pub fn consider(&self, facts: &dyn Facts) -> Vec<Considered> {
        let mut considered = Vec::new();
        for policy in &self.policies {
            considered.push(policy.consider(facts));
            if considered.last().is_some_and(|last| last.verdict == Verdict::Covers) {
                break;
            }
        }
        considered
    }

    /// The models a caller may name, as far as the files name any: sorted, without repetition.
    ///
    /// A model is listed if the caller's request for it would find a policy. Conditions are left out of
    /// account, since they may ask for what only a request has.
    pub fn models_for(&self, facts: &dyn Facts) -> Vec<String> {
        let mut models: Vec<String> = Vec::new();
        for policy in &self.policies {
            let listed = policy
                .models
                .iter()
                .filter(|model| facts.caller().may_name(model) && policy.selector.matches(&Naming { facts, model }));
            models.extend(listed.cloned());
        }
        models.sort();
        models.dedup();
        models
    }
}

/// The facts of a caller, as if it named this model in a chat request.
struct Naming<'a> {
    facts: &'a dyn Facts,
    model: &'a str,
}

impl Facts for Naming<'_> {
    fn caller(&self) -> &crate::auth::Caller {
        self.facts.caller()
    }

    fn now(&self) -> Timestamp {
        self.facts.now()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Chat
    }

    fn dialect(&self) -> Option<crate::base::ids::DialectId> {
        self.facts.dialect()
    }

    fn model(&self) -> &str {
        self.model
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn input_tokens(&self) -> u64 {
        0
    }

    fn max_tokens(&self) -> Option<u64> {
        None
    }

    fn has_tools(&self) -> bool {
        false
    }

    fn has_images(&self) -> bool {
        false
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.facts.header(name)
    }
}
