//! Making the route of a policy, and the rules for its attempts.

use std::cell::Cell;
use std::sync::Arc;

use super::Targets;
use crate::base::ids::TargetName;
use crate::base::stop::Refusal;
use crate::pipeline::Step;
use crate::pipeline::facts::Facts;
use crate::pipeline::retry::{OnDisconnect, OnLoss, Rules, Timeouts};
use crate::pipeline::route::{AbortIf, Canary, CanaryBook, Case, Choice, Predicate, Route, Shadow, Sticky};
use crate::pipeline::run;
use crate::pipeline::target::Target;
use crate::pipeline::trail::Clause;
use crate::policy::condition::Condition;
use crate::policy::config::{self, Config, PolicyConfig, RouteConfig, Way};
use crate::policy::decode::At;
use crate::policy::document;

/// Makes a step that asks the budget of this name.
type Asking<'a> = dyn Fn(&str, &Arc<Target>) -> Option<Arc<dyn Step>> + 'a;

/// The route of one policy, to be made.
pub struct Routes<'a> {
    pub policy: &'a PolicyConfig,
    pub config: &'a Config,
    pub targets: &'a Targets,
    pub canaries: &'a CanaryBook,
    /// Makes a step that asks a budget for what a target may cost.
    pub budget: &'a Asking<'a>,
    /// How many nodes have a number already.
    pub sites: Cell<u32>,
}

impl Routes<'_> {
    /// `None` if a target could not be made, which is a problem of its own.
    pub fn compile(&self) -> Option<(Route, Rules)> {
        match &self.policy.route {
            Some(route) => Some((self.route(&route.route)?, rules(route))),
            None => Some((plain(Choice::First(self.by_model()?)), Rules::default())),
        }
    }

    /// A policy without a route: each model it names leads to targets of its own.
    fn by_model(&self) -> Option<Vec<Case>> {
        let models: Vec<_> = self.policy.selector.exact_models()?.collect();
        let case = |model: &str| {
            let targets = self.config.models.get(model)?.targets.iter().map(|target| self.target(target));
            let to = plain(Choice::Fallback(targets.collect::<Option<_>>()?));
            Some(Case { when: Some(Box::new(Named(model.to_owned()))), to })
        };
        models.into_iter().map(case).collect()
    }

    fn route(&self, route: &config::Route) -> Option<Route> {
        let site = self.sites.replace(self.sites.get() + 1);
        let sticky = route.sticky.map(Into::into);
        let shadow = match &route.shadow {
            None => None,
            Some(shadow) => Some(self.shadow(shadow)?),
        };
        Some(Route { site, choice: self.choice(&route.way.value)?, sticky, shadow })
    }

    fn shadow(&self, shadow: &config::Shadow) -> Option<Shadow> {
        let to = Arc::clone(self.targets.get(&shadow.to.value)?);
        let budget = match &shadow.budget {
            None => None,
            Some(name) => Some((self.budget)(&name.value, &to)?),
        };
        Some(Shadow { to, share: hundredths(shadow.share), budget })
    }

    fn choice(&self, way: &Way) -> Option<Choice> {
        Some(match way {
            Way::Target(name) => Choice::Target(Arc::clone(self.targets.get(name)?)),
            Way::Fallback(routes) => Choice::Fallback(self.all(routes)?),
            Way::Weighted(targets) => {
                let weighted = targets.iter().map(|(target, weight)| Some((*weight, self.target(target)?)));
                Choice::Weighted(weighted.collect::<Option<_>>()?)
            }
            Way::Fastest(routes) => Choice::Fastest(self.all(routes)?),
            Way::Cheapest(routes) => Choice::Cheapest(self.all(routes)?),
            Way::LeastBusy(routes) => Choice::LeastBusy(self.all(routes)?),
            Way::First { cases, otherwise } => {
                let mut made = Vec::with_capacity(cases.len() + 1);
                for (when, to) in cases {
                    made.push(Case { when: Some(Box::new(when.value.clone())), to: self.route(to)? });
                }
                made.push(Case { when: None, to: self.route(otherwise)? });
                Choice::First(made)
            }
            Way::Canary(canary) => Choice::Canary(self.canary(canary)?),
            Way::Deny(deny) => Choice::Deny(Refusal::new(deny.status, deny.code.clone(), deny.message.clone())),
        })
    }

    fn canary(&self, canary: &config::Canary) -> Option<Canary> {
        let sticky = canary.sticky.map(Into::into);
        // Other settings make it another trial, and an abort of the last one says nothing about it.
        let trial = format!("{:?} {} {:?}", canary.candidate, canary.share, canary.abort_if);
        Some(Canary {
            stable: Box::new(self.route(&canary.stable)?),
            candidate: Box::new(self.route(&canary.candidate)?),
            share: hundredths(canary.share),
            sticky,
            abort_if: canary
                .abort_if
                .map(|abort| AbortIf { error_rate: hundredths(abort.error_rate), min_requests: abort.min_requests }),
            aborted: self.canaries.of(self.policy.name.value.as_str(), &trial),
        })
    }

    fn all(&self, routes: &[config::Route]) -> Option<Vec<Route>> {
        routes.iter().map(|route| self.route(route)).collect()
    }

    fn target(&self, name: &At<TargetName>) -> Option<Route> {
        Some(plain(Choice::Target(Arc::clone(self.targets.get(&name.value)?))))
    }
}

/// The number of nodes that no file writes.
const NO_SITE: u32 = u32::MAX;

/// A node that nothing accompanies.
fn plain(choice: Choice) -> Route {
    Route { site: NO_SITE, choice, sticky: None, shadow: None }
}

/// A share as hundredths of a percent.
fn hundredths(share: f64) -> u32 {
    (share * 10_000.0).round() as u32
}

fn rules(route: &RouteConfig) -> Rules {
    let usual = Rules::default();
    let set = &route.timeouts;
    let timeouts = Timeouts {
        connect: set.connect.unwrap_or(usual.timeouts.connect),
        headers: set.headers.unwrap_or(usual.timeouts.headers),
        first_token: set.first_token.unwrap_or(usual.timeouts.first_token),
        between_tokens: set.between_tokens.unwrap_or(usual.timeouts.between_tokens),
        whole: set.whole.unwrap_or(usual.timeouts.whole),
        total: set.total.unwrap_or(usual.timeouts.total),
    };
    Rules {
        retry_on: route.retry_on.clone().unwrap_or(usual.retry_on),
        attempts_per_target: route.attempts_per_target.map_or(usual.attempts_per_target, std::num::NonZeroU32::get),
        timeouts,
        losses: match route.losses {
            document::Losses::Allow => OnLoss::Allow,
            document::Losses::Refuse => OnLoss::Refuse,
        },
        on_disconnect: match route.on_disconnect {
            document::OnDisconnect::Cancel => OnDisconnect::Cancel,
            document::OnDisconnect::Drain => OnDisconnect::Drain,
        },
        mark_prefixes: route.mark_prefixes,
    }
}

impl Predicate for Condition {
    fn holds(&self, facts: &dyn Facts) -> bool {
        Condition::holds(self, facts) == Ok(true)
    }

    fn explain(&self, facts: &dyn Facts) -> Clause {
        Condition::explain(self, facts)
    }
}

/// Holds for one model.
struct Named(String);

impl Predicate for Named {
    fn holds(&self, facts: &dyn Facts) -> bool {
        facts.model() == self.0
    }

    fn explain(&self, facts: &dyn Facts) -> Clause {
        Clause {
            text: format!("request.model == {:?}", self.0),
            holds: Ok(self.holds(facts)),
            asked: vec![("request.model".into(), format!("{:?}", facts.model()))],
            parts: Vec::new(),
        }
    }
}

impl From<document::Sticky> for Sticky {
    fn from(sticky: document::Sticky) -> Self {
        match sticky {
            document::Sticky::User => Self::User,
            document::Sticky::Session => Self::Session,
        }
    }
}

impl From<document::Mode> for run::Mode {
    fn from(mode: document::Mode) -> Self {
        match mode {
            document::Mode::Enforce => Self::Enforce,
            document::Mode::Observe => Self::Observe,
        }
    }
}
