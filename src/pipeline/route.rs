//! Routes: from a request to the ordered list of targets that may serve it.
//!
//! A route is a tree. Each node puts what is below it in an order; a node that chooses among equals
//! (`weighted`, `fastest`, `cheapest`, `least_busy`) keeps those it did not choose behind the chosen one, so
//! that they serve as fallbacks. The result is a [`Plan`]; the loop that works it off is in
//! [`attempt`](crate::pipeline::attempt).
//!
//! A route never waits and never asks the network.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;
use tracing::warn;

use crate::base::ids::ModelName;
use crate::base::stop::Refusal;
use crate::chat::Usage;
use crate::pipeline::facts::Facts;
use crate::pipeline::step::Step;
use crate::pipeline::target::Target;
use crate::pipeline::trail::{ChoiceEntry, Clause, Detail, Planned};
use crate::pricing::Terms;

/// A node of a route with what may accompany it.
pub struct Route {
    /// Its number among the nodes of its policy, in the order in which they are written.
    pub site: u32,
    pub choice: Choice,
    /// Choose the same way for the same session or user.
    pub sticky: Option<Sticky>,
    /// Send a copy of some requests elsewhere and drop the answer.
    pub shadow: Option<Shadow>,
}

pub enum Choice {
    Target(Arc<Target>),
    /// In this order.
    Fallback(Vec<Route>),
    /// By chance, in proportion to the weights.
    Weighted(Vec<(u32, Route)>),
    /// The one with the shortest expected time to the first token.
    Fastest(Vec<Route>),
    /// The one with the lowest expected cost.
    Cheapest(Vec<Route>),
    /// The one with the fewest requests under way.
    LeastBusy(Vec<Route>),
    /// The first whose condition holds.
    First(Vec<Case>),
    Canary(Canary),
    Deny(Refusal),
}

pub struct Case {
    pub when: Option<Box<dyn Predicate>>,
    pub to: Route,
}

/// A condition of a policy.
pub trait Predicate: Send + Sync {
    /// A condition that cannot be evaluated does not hold.
    fn holds(&self, facts: &dyn Facts) -> bool;

    /// The same with reasons.
    fn explain(&self, facts: &dyn Facts) -> Clause;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sticky {
    Session,
    User,
}

/// A share of the traffic for a candidate, the rest (and what the candidate fails) for the stable route.
pub struct Canary {
    pub stable: Box<Route>,
    pub candidate: Box<Route>,
    /// Hundredths of a percent.
    pub share: u32,
    /// Let the same session or user see the same side each time.
    pub sticky: Option<Sticky>,
    pub abort_if: Option<AbortIf>,
    /// Set once the candidate has failed too often. Belongs to the process.
    pub aborted: Arc<AtomicBool>,
}

/// Which canaries have given up their candidates, by policy and candidate. Belongs to the process, so that
/// a reload that changes neither does not bring a failed candidate back.
#[derive(Debug, Default)]
pub struct CanaryBook(Mutex<HashMap<(String, String), Arc<AtomicBool>>>);

impl CanaryBook {
    pub fn of(&self, policy: &str, candidate: &str) -> Arc<AtomicBool> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(book.entry((policy.to_owned(), candidate.to_owned())).or_default())
    }
}

/// When a canary gives up its candidate, judged over the last five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortIf {
    /// The error rate above which it does, in hundredths of a percent.
    pub error_rate: u32,
    /// How many outcomes are needed to judge.
    pub min_requests: u32,
}

#[derive(Clone)]
pub struct Shadow {
    pub to: Arc<Target>,
    /// Hundredths of a percent.
    pub share: u32,
    /// What sets aside what a copy may cost, or refuses it.
    pub budget: Option<Arc<dyn Step>>,
}

/// Where a request may go, in order, and where copies of it go.
#[derive(Default)]
pub struct Plan {
    pub candidates: Vec<Candidate>,
    pub shadows: Vec<Shadow>,
    detail: Detail,
    /// How it came about, in full detail only.
    pub choices: Vec<ChoiceEntry>,
}

pub enum Candidate {
    Target(Arc<Target>),
    /// Whoever comes this far is refused.
    Deny(Refusal),
}

/// The tokens of output that a cost is estimated with when the caller set no limit.
const USUAL_OUTPUT: u64 = 512;

impl Route {
    pub fn plan(&self, facts: &dyn Facts, detail: Detail) -> Plan {
        let mut plan = Plan { detail, ..Plan::default() };
        self.extend(&mut plan, facts, Lot::default());
        // The same target twice would be asked twice as often as the rules allow.
        let mut seen: SmallVec<[*const Target; 4]> = SmallVec::new();
        plan.candidates.retain(|candidate| match candidate {
            Candidate::Target(target) => {
                let known = seen.contains(&Arc::as_ptr(target));
                seen.push(Arc::as_ptr(target));
                !known
            }
            Candidate::Deny(_) => true,
        });
        if plan.candidates.len() > 1 {
            rest_last(&mut plan.candidates);
        }
        plan
    }

    fn extend(&self, plan: &mut Plan, facts: &dyn Facts, lot: Lot) {
        let lot = lot.held_by(self.sticky, facts);
        if let Some(shadow) = &self.shadow
            && falls_within(shadow.share, Lot::default(), "shadow")
        {
            plan.shadows.push(shadow.clone());
        }
        let (lot, order) = match &self.choice {
            Choice::Target(target) => return plan.candidates.push(Candidate::Target(Arc::clone(target))),
            Choice::Deny(refusal) => return plan.candidates.push(Candidate::Deny(refusal.clone())),
            Choice::Canary(canary) => {
                let lot = lot.held_by(canary.sticky, facts);
                (lot, canary.order(lot))
            }
            choice => (lot, choice.order(facts, lot)),
        };
        plan.note(self, &order, facts);
        for (i, route) in order {
            route.extend(plan, facts, lot.below(i));
        }
    }

    /// Appends which branches its conditions choose for a request, in the order in which they are written. Requests
    /// for which that differs may be meant for different models.
    pub fn bearing(&self, facts: &dyn Facts, chosen: &mut Vec<usize>) {
        match &self.choice {
            Choice::Target(_) | Choice::Deny(_) => {}
            Choice::Fallback(routes)
            | Choice::Fastest(routes)
            | Choice::Cheapest(routes)
            | Choice::LeastBusy(routes) => routes.iter().for_each(|route| route.bearing(facts, chosen)),
            Choice::Weighted(routes) => routes.iter().for_each(|(_, route)| route.bearing(facts, chosen)),
            Choice::Canary(canary) => {
                canary.stable.bearing(facts, chosen);
                canary.candidate.bearing(facts, chosen);
            }
            Choice::First(cases) => {
                let holds = |case: &Case| case.when.as_ref().is_none_or(|when| when.holds(facts));
                let found = cases.iter().enumerate().find(|(_, case)| holds(case));
                chosen.push(found.map_or(usize::MAX, |(number, _)| number));
                if let Some((_, case)) = found {
                    case.to.bearing(facts, chosen);
                }
            }
        }
    }

    /// The target this node would most likely use: what an adaptive parent judges it by.
    fn representative(&self) -> Option<&Target> {
        match &self.choice {
            Choice::Target(target) => Some(target),
            Choice::Fallback(routes)
            | Choice::Fastest(routes)
            | Choice::Cheapest(routes)
            | Choice::LeastBusy(routes) => routes.first()?.representative(),
            Choice::Weighted(routes) => routes.iter().max_by_key(|(weight, _)| *weight)?.1.representative(),
            Choice::First(cases) => cases.last()?.to.representative(),
            Choice::Canary(canary) => canary.stable.representative(),
            Choice::Deny(_) => None,
        }
    }
}

/// Branches of a node in the order in which they are to be tried, each with its place among all of them.
type Order<'a> = SmallVec<[(usize, &'a Route); 4]>;

impl Choice {
    fn order(&self, facts: &dyn Facts, lot: Lot) -> Order<'_> {
        match self {
            Self::Fallback(routes) => routes.iter().enumerate().collect(),
            Self::Weighted(routes) => {
                let order = by_key(routes, |i, (weight, _)| weighted_rank(*weight, lot, i));
                order.filter(|(_, (weight, _))| *weight > 0).map(|(i, (_, route))| (i, route)).collect()
            }
            Self::Fastest(routes) => {
                sorted(routes, lot, |target| target.health.first_token().as_micros() as u64).collect()
            }
            Self::Cheapest(routes) => {
                let (input, output) = (facts.input_tokens(), facts.max_tokens().unwrap_or(USUAL_OUTPUT));
                let (usage, asked) = (Usage::of(input, output), ModelName::new(facts.model()));
                let cost = |target: &Target| {
                    let quote = target.tariff.quote(target.model_for(&asked), facts.now());
                    // What has no price comes last: it may cost anything.
                    quote.map_or(u64::MAX, |quote| quote.rates.cost(&usage, Terms::default()).0.unsigned_abs())
                };
                // A price does not change with the session, so stickiness has nothing to say here.
                sorted(routes, Lot::default(), cost).collect()
            }
            Self::LeastBusy(routes) => sorted(routes, lot, |target| u64::from(target.health.in_flight())).collect(),
            Self::First(cases) => {
                let holds = |case: &Case| case.when.as_ref().is_none_or(|when| when.holds(facts));
                let found = cases.iter().enumerate().find(|(_, case)| holds(case));
                found.map(|(i, case)| (i, &case.to)).into_iter().collect()
            }
            Self::Canary(canary) => canary.order(lot),
            Self::Target(_) | Self::Deny(_) => Order::new(),
        }
    }

    /// The word a policy file has for it.
    fn way(&self) -> &'static str {
        match self {
            Self::Target(_) => "target",
            Self::Fallback(_) => "fallback",
            Self::Weighted(_) => "weighted",
            Self::Fastest(_) => "fastest",
            Self::Cheapest(_) => "cheapest",
            Self::LeastBusy(_) => "least_busy",
            Self::First(_) => "first",
            Self::Canary(_) => "canary",
            Self::Deny(_) => "deny",
        }
    }
}

impl Plan {
    /// A plan that leads to one target.
    pub fn to(target: Arc<Target>) -> Self {
        Self { candidates: vec![Candidate::Target(target)], ..Self::default() }
    }

    fn note(&mut self, node: &Route, order: &Order<'_>, facts: &dyn Facts) {
        if self.detail == Detail::Brief {
            return;
        }
        let clauses = match &node.choice {
            Choice::First(cases) => {
                let asked = order.first().map_or(cases.len(), |(taken, _)| taken + 1);
                cases.iter().take(asked).filter_map(|case| Some(case.when.as_ref()?.explain(facts))).collect()
            }
            _ => Vec::new(),
        };
        let order = order.iter().map(|(i, _)| *i).collect();
        self.choices.push(ChoiceEntry { site: node.site, way: node.choice.way(), order, clauses });
    }

    /// Where it leads, in words.
    pub fn stops(&self) -> Vec<Planned> {
        let stop = |candidate: &Candidate| match candidate {
            Candidate::Target(target) => Planned::Target(target.name.clone()),
            Candidate::Deny(refusal) => Planned::Deny(refusal.code.to_string()),
        };
        self.candidates.iter().map(stop).collect()
    }
}

impl Canary {
    fn order(&self, lot: Lot) -> Order<'_> {
        let mut order = Order::new();
        if !self.is_aborted() && falls_within(self.share, lot, "canary") {
            order.push((0, &*self.candidate));
        }
        order.push((1, &*self.stable));
        order
    }

    /// Once aborted, a canary stays so until its policy changes: a candidate that gets no traffic would
    /// otherwise look healthy again.
    fn is_aborted(&self) -> bool {
        if self.aborted.load(Ordering::Relaxed) {
            return true;
        }
        let (Some(abort_if), Some(candidate)) = (self.abort_if, self.candidate.representative()) else { return false };
        let (bad, all) = candidate.health.recent();
        let too_many = u64::from(bad) * 10_000 > u64::from(all) * u64::from(abort_if.error_rate);
        if all < abort_if.min_requests || !too_many {
            return false;
        }
        if !self.aborted.swap(true, Ordering::Relaxed) {
            warn!(target_name = %candidate.name, failed = bad, of = all, "the canary's candidate fails too often and gets no more traffic");
        }
        true
    }
}

impl Sticky {
    /// A number that stays the same for the same session or user; `None` if the request names none.
    fn seed(self, facts: &dyn Facts) -> Option<u64> {
        let caller = facts.caller();
        let value = match self {
            Self::Session => caller.session.as_deref()?,
            Self::User => caller.user.as_deref()?,
        };
        // The team is part of it: two teams' user 1 are not the same person.
        Some(hash(&(caller.team.as_deref(), value)))
    }
}

/// What chance is drawn with at one node of a route.
#[derive(Debug, Clone, Copy, Default)]
struct Lot {
    /// The same for the same session or user; `None` where nothing sticks.
    seed: Option<u64>,
    /// Where in the route the node is. Were it left out, one session would draw the same lot at each node,
    /// and a choice would decide all choices below it.
    node: u64,
}

impl Lot {
    fn held_by(self, sticky: Option<Sticky>, facts: &dyn Facts) -> Self {
        Self { seed: sticky.and_then(|sticky| sticky.seed(facts)).or(self.seed), ..self }
    }

    /// The lot of the node's `child`.
    fn below(self, child: usize) -> Self {
        Self { node: hash(&(self.node, child)), ..self }
    }

    /// The bits for one decision of the node, if something sticks.
    fn bits(self, what: impl Hash) -> Option<u64> {
        Some(hash(&(self.seed?, self.node, what)))
    }

    /// A number in [0, 1) for one decision of the node.
    fn chance(self, what: impl Hash) -> f64 {
        self.bits(what).map_or_else(fastrand::f64, unit)
    }
}

/// The routes in ascending order of `key` of the target that stands for each. Where something sticks, in the
/// order the lot gives instead, the same each time.
fn sorted(routes: &[Route], lot: Lot, key: impl Fn(&Target) -> u64) -> impl Iterator<Item = (usize, &Route)> {
    by_key(routes, move |i, route| lot.bits(i).unwrap_or_else(|| route.representative().map_or(u64::MAX, &key)))
}

/// Ties are broken by chance, so that equals share the load.
fn by_key<T>(items: &[T], key: impl Fn(usize, &T) -> u64) -> impl Iterator<Item = (usize, &T)> {
    let ranked = items.iter().enumerate().map(|(i, item)| (key(i, item), fastrand::u32(..), i, item));
    let mut order: Vec<_> = ranked.collect();
    order.sort_by_key(|(key, tie, ..)| (*key, *tie));
    order.into_iter().map(|(_, _, i, item)| (i, item))
}

/// A rank whose minimum falls on an item with a chance proportional to its weight (Efraimidis and Spirakis,
/// "Weighted random sampling with a reservoir", 2006).
fn weighted_rank(weight: u32, lot: Lot, item: usize) -> u64 {
    if weight == 0 {
        return u64::MAX;
    }
    let rank = -(1.0 - lot.chance(item)).ln() / f64::from(weight);
    (rank * 1e15) as u64
}

/// Whether this request is among `share` hundredths of a percent of all.
fn falls_within(share: u32, lot: Lot, what: &str) -> bool {
    lot.chance(what) * 10_000.0 < f64::from(share)
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A number in [0, 1).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Targets that asked to be spared are tried last, but before a refusal that stands behind them.
fn rest_last(candidates: &mut [Candidate]) {
    let is_target = |candidate: &Candidate| matches!(candidate, Candidate::Target(_));
    let end = candidates.iter().position(|candidate| !is_target(candidate)).unwrap_or(candidates.len());
    if let Some(targets) = candidates.get_mut(..end) {
        targets.sort_by_key(|candidate| matches!(candidate, Candidate::Target(target) if target.health.is_resting()));
    }
}

#[cfg(test)]
mod tests;
