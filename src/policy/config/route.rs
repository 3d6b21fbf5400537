//! Routes, and what holds for the attempts on them.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::base::ids::TargetName;
use crate::base::stop::FaultClass;
use crate::policy::condition::Condition;
use crate::policy::decode::At;
use crate::policy::document::{Losses, OnDisconnect, Sticky};

/// A way to targets, and what holds for the attempts on them.
#[derive(Debug, Clone)]
pub struct RouteConfig {
    pub route: Route,
    /// `None` if the file leaves it to us.
    pub retry_on: Option<Vec<FaultClass>>,
    pub attempts_per_target: Option<NonZeroU32>,
    pub timeouts: Timeouts,
    pub losses: Losses,
    pub on_disconnect: OnDisconnect,
    /// Bytes.
    pub mark_prefixes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    pub connect: Option<Duration>,
    pub headers: Option<Duration>,
    pub first_token: Option<Duration>,
    pub between_tokens: Option<Duration>,
    /// An answer that is not streamed.
    pub whole: Option<Duration>,
    /// All attempts together.
    pub total: Option<Duration>,
}

/// A node of a route.
#[derive(Debug, Clone)]
pub struct Route {
    pub way: At<Way>,
    pub shadow: Option<Shadow>,
    pub sticky: Option<Sticky>,
}

impl Route {
    /// Every target that requests may come to this way.
    pub fn targets(&self) -> Vec<&TargetName> {
        match &self.way.value {
            Way::Target(name) => vec![name],
            Way::Weighted(targets) => targets.iter().map(|(target, _)| &target.value).collect(),
            _ => self.children().into_iter().flat_map(Self::targets).collect(),
        }
    }
}

impl Route {
    /// The nodes below, in the order in which the compiler numbers them.
    pub fn children(&self) -> Vec<&Route> {
        match &self.way.value {
            Way::Fallback(routes) | Way::Fastest(routes) | Way::Cheapest(routes) | Way::LeastBusy(routes) => {
                routes.iter().collect()
            }
            Way::First { cases, otherwise } => cases.iter().map(|(_, to)| to).chain([&**otherwise]).collect(),
            Way::Canary(canary) => vec![&canary.stable, &canary.candidate],
            Way::Target(_) | Way::Weighted(_) | Way::Deny(_) => Vec::new(),
        }
    }

    /// This node and all below it, each before its children: the numbers that a trail has for them.
    pub fn nodes(&self) -> Vec<&Route> {
        std::iter::once(self).chain(self.children().into_iter().flat_map(Self::nodes)).collect()
    }
}

/// How a route comes to a target. Lists have at least one item.
#[derive(Debug, Clone)]
pub enum Way {
    Target(TargetName),
    Fallback(Vec<Route>),
    /// Not all weights are zero.
    Weighted(Vec<(At<TargetName>, u32)>),
    Fastest(Vec<Route>),
    /// Every target has a price.
    Cheapest(Vec<Route>),
    LeastBusy(Vec<Route>),
    /// The first case whose condition holds; `otherwise` if none does.
    First {
        cases: Vec<(At<Condition>, Route)>,
        otherwise: Box<Route>,
    },
    Canary(Box<Canary>),
    Deny(Deny),
}

#[derive(Debug, Clone)]
pub struct Canary {
    pub stable: Route,
    pub candidate: Route,
    /// From 0 to 1.
    pub share: f64,
    pub sticky: Option<Sticky>,
    pub abort_if: Option<Abort>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Abort {
    /// From 0 to 1.
    pub error_rate: f64,
    pub min_requests: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deny {
    /// From 400 to 599.
    pub status: u16,
    pub code: String,
    pub message: String,
}

#[derive(Debug, Clone)]
pub struct Shadow {
    pub to: At<TargetName>,
    /// From 0 to 1.
    pub share: f64,
    /// The budget that pays for copies.
    pub budget: Option<At<String>>,
}
