//! What of a configuration its tests have reached: policies, steps, both outcomes of each condition, every branch of
//! a route, every fall from one to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::base::ids::{PolicyName, TargetName};
use crate::gateway::Decision;
use crate::pipeline::trail::{ChoiceEntry, Trail, Verdict};
use crate::policy::config::{Config, ModelConfig, PolicyConfig, Route, Way};
use crate::policy::{Loaded, Place, Sources, Span};

/// One configuration, and what tests have reached of it.
pub struct Coverage {
    /// The files, as suites name them.
    pub gateway: Vec<PathBuf>,
    pub items: Vec<Item>,
}

/// Something that a test may reach.
pub struct Item {
    pub policy: PolicyName,
    pub kind: Kind,
    /// What is reached, in words.
    pub what: String,
    pub place: Place,
    pub is_reached: bool,
    mark: Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Policy,
    Step,
    Condition,
    Route,
    Fallback,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Policy, Self::Step, Self::Condition, Self::Route, Self::Fallback];

    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "policies",
            Self::Step => "steps",
            Self::Condition => "conditions",
            Self::Route => "routes",
            Self::Fallback => "fallbacks",
        }
    }
}

/// What a decision about a request shows to be reached, within one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Policy,
    Step(usize),
    /// The policy's own condition, and how it came out.
    When(bool),
    /// A case of the route's node, and how it came out.
    Case(u32, usize, bool),
    /// A branch of the route's node.
    Branch(u32, usize),
    /// From one branch of the route's node to another.
    Fall(u32, usize, usize),
}

impl Coverage {
    /// Everything there is to reach, none of it reached.
    pub fn of(gateway: &[PathBuf], loaded: &Loaded) -> Self {
        let charts = loaded
            .config
            .iter()
            .flat_map(|config| config.policies.iter().flat_map(|policy| Chart::of(policy, config, &loaded.sources)));
        let items = charts.collect();
        Self { gateway: gateway.to_vec(), items }
    }

    /// Notes what a decision has reached.
    pub fn note(&mut self, decision: &Decision, config: &Config) {
        let mut marks: BTreeMap<&PolicyName, BTreeSet<Mark>> = BTreeMap::new();
        for considered in &decision.trail.considered {
            let own = marks.entry(&considered.policy).or_default();
            own.extend(considered.condition.iter().map(|clause| Mark::When(clause.holds == Ok(true))));
            if considered.verdict == Verdict::Covers {
                own.insert(Mark::Policy);
            }
        }
        let policy = config.policies.iter().find(|policy| Some(&policy.name.value) == decision.line.policy.as_ref());
        if let Some(policy) = policy {
            let own = marks.entry(&policy.name.value).or_default();
            own.extend((0..decision.trail.steps.len()).map(Mark::Step));
            own.extend(cases(&decision.trail.choices));
            own.extend(journey(&plan(policy, config, decision), decision));
        }
        for item in &mut self.items {
            item.is_reached |= marks.get(&item.policy).is_some_and(|marks| marks.contains(&item.mark));
        }
    }

    /// How many items of a kind were reached, and how many there are.
    pub fn count(&self, kind: Kind) -> (usize, usize) {
        let of_kind = || self.items.iter().filter(|item| item.kind == kind);
        (of_kind().filter(|item| item.is_reached).count(), of_kind().count())
    }

    pub fn json(&self) -> Value {
        let item = |item: &Item| {
            json!({
                "kind": item.kind.name(),
                "policy": item.policy.as_str(),
                "what": item.what,
                "file": item.place.path.display().to_string(),
                "line": item.place.line,
                "column": item.place.column,
                "reached": item.is_reached,
            })
        };
        let kinds = Kind::ALL.map(|kind| {
            let (reached, all) = self.count(kind);
            (kind.name().to_owned(), json!({ "reached": reached, "all": all }))
        });
        json!({
            "gateway": self.gateway.iter().map(|path| path.display().to_string()).collect::<Value>(),
            "summary": Value::Object(kinds.into_iter().collect()),
            "items": self.items.iter().map(item).collect::<Value>(),
        })
    }
}

/// Lists what there is to reach in one policy.
struct Chart<'a> {
    policy: &'a PolicyConfig,
    sources: &'a Sources,
    items: Vec<Item>,
}

impl<'a> Chart<'a> {
    fn of(policy: &'a PolicyConfig, config: &Config, sources: &'a Sources) -> Vec<Item> {
        let mut chart = Self { policy, sources, items: Vec::new() };
        let name = &policy.name;
        chart.add(Kind::Policy, format!("policy `{}`", name.value), name.span, Mark::Policy);
        for (number, step) in policy.steps.iter().enumerate() {
            chart.add(Kind::Step, format!("step {}", number + 1), step.span, Mark::Step(number));
        }
        if let Some(condition) = &policy.condition {
            chart.condition(condition.span, Mark::When);
        }
        match &policy.route {
            Some(route) => chart.route(&route.route, &mut 0),
            None => models(policy, config).for_each(|(site, model)| chart.model(site, model)),
        }
        chart.items
    }

    fn add(&mut self, kind: Kind, what: String, span: Span, mark: Mark) {
        let place = self.sources.place(span);
        let policy = self.policy.name.value.clone();
        self.items.push(Item { policy, kind, what, place, is_reached: false, mark });
    }

    fn condition(&mut self, span: Span, mark: impl Fn(bool) -> Mark) {
        let text = self.sources.slice(span).to_owned();
        self.add(Kind::Condition, format!("{text} holds"), span, mark(true));
        self.add(Kind::Condition, format!("{text} does not hold"), span, mark(false));
    }

    /// The targets of a model, which a policy without a route leads to.
    fn model(&mut self, site: u32, model: &ModelConfig) {
        for (number, target) in model.targets.iter().enumerate() {
            let what = format!("from `{}` to `{}`", model.name.value, target.value);
            self.add(Kind::Route, what, target.span, Mark::Branch(site, number));
        }
        for (number, pair) in model.targets.windows(2).enumerate() {
            let names: Vec<_> = pair.iter().map(|target| format!("`{}`", target.value)).collect();
            let what = format!("from {} for `{}`", names.join(" to "), model.name.value);
            self.add(Kind::Fallback, what, model.name.span, Mark::Fall(site, number, number + 1));
        }
    }

    /// A node and all below it. `site` counts nodes as the compiler does.
    fn route(&mut self, route: &Route, site: &mut u32) {
        let (own, span) = (*site, route.way.span);
        *site += 1;
        if let Way::First { cases, .. } = &route.way.value {
            for (number, (condition, _)) in cases.iter().enumerate() {
                self.condition(condition.span, |holds| Mark::Case(own, number, holds));
            }
        }
        let names: Vec<_> = branches(route).iter().map(Branch::name).collect();
        for (number, name) in names.iter().enumerate() {
            self.add(Kind::Route, format!("to {name}"), span, Mark::Branch(own, number));
        }
        if matches!(route.way.value, Way::Fallback(_) | Way::Canary(_)) {
            for (number, pair) in names.windows(2).enumerate() {
                let what = format!("from {}", pair.join(" to "));
                self.add(Kind::Fallback, what, span, Mark::Fall(own, number, number + 1));
            }
        }
        for child in route.children() {
            self.route(child, site);
        }
    }
}

/// The models of a policy without a route. Each is a node of its own, and there are no others.
fn models<'a>(policy: &'a PolicyConfig, config: &'a Config) -> impl Iterator<Item = (u32, &'a ModelConfig)> {
    let named = policy.selector.exact_models().into_iter().flatten();
    (0..).zip(named.filter_map(|model| config.models.get(model)))
}

/// What is below a node, in the order in which a trail numbers it.
enum Branch<'a> {
    Node(&'a Route),
    Target(&'a TargetName),
}

impl Branch<'_> {
    fn name(&self) -> String {
        let node = match self {
            Self::Target(name) => return format!("`{name}`"),
            Self::Node(node) => node,
        };
        match &node.way.value {
            Way::Target(name) => format!("`{name}`"),
            Way::Deny(deny) => format!("the refusal `{}`", deny.code),
            _ => {
                let targets: Vec<_> = node.targets().into_iter().map(|target| format!("`{target}`")).collect();
                targets.join(" or ")
            }
        }
    }
}

fn branches(route: &Route) -> Vec<Branch<'_>> {
    match &route.way.value {
        Way::Weighted(targets) => targets.iter().map(|(target, _)| Branch::Target(&target.value)).collect(),
        // The candidate comes first where there is one.
        Way::Canary(canary) => vec![Branch::Node(&canary.candidate), Branch::Node(&canary.stable)],
        _ => route.children().into_iter().map(Branch::Node).collect(),
    }
}

fn cases(choices: &[ChoiceEntry]) -> impl Iterator<Item = Mark> {
    choices.iter().flat_map(|choice| {
        let clauses = choice.clauses.iter().enumerate();
        clauses.map(|(number, clause)| Mark::Case(choice.site, number, clause.holds == Ok(true)))
    })
}

/// A stop of a plan with the branches that lead to it.
struct Stop {
    way: Vec<(u32, usize)>,
    place: End,
}

#[derive(PartialEq)]
enum End {
    Target(TargetName),
    Deny(String),
}

/// The branches that a request went, and from where to where it fell.
fn journey(stops: &[Stop], decision: &Decision) -> BTreeSet<Mark> {
    let mut ends: Vec<(End, bool)> = Vec::new();
    for attempt in &decision.trail.attempts {
        ends.push((End::Target(attempt.target.clone()), attempt.outcome != "passed_over"));
    }
    ends.extend(decision.line.code.iter().map(|code| (End::Deny(code.to_string()), true)));
    let mut marks = BTreeSet::new();
    let mut before: Option<&Stop> = None;
    for (end, was_asked) in &ends {
        let Some(stop) = stops.iter().find(|stop| stop.place == *end) else { continue };
        if *was_asked {
            marks.extend(stop.way.iter().map(|(site, branch)| Mark::Branch(*site, *branch)));
        }
        marks.extend(before.and_then(|before| fall(before, stop)));
        before = Some(stop);
    }
    marks
}

/// Where two stops part.
fn fall(from: &Stop, to: &Stop) -> Option<Mark> {
    let parted = from.way.iter().zip(&to.way).find(|(one, other)| one.1 != other.1)?;
    let ((site, from), (_, to)) = parted;
    Some(Mark::Fall(*site, *from, *to))
}

/// The stops of a request in the order in which the nodes of its policy have chosen.
fn plan(policy: &PolicyConfig, config: &Config, decision: &Decision) -> Vec<Stop> {
    let mut stops = Vec::new();
    match &policy.route {
        Some(route) => follow(&route.route, 0, &mut Vec::new(), &decision.trail, &mut stops),
        None => {
            let asked = models(policy, config).find(|(_, model)| model.name.value == decision.line.model.as_str());
            let targets = asked.into_iter().flat_map(|(site, model)| {
                let targets = model.targets.iter().enumerate();
                targets.map(move |(number, target)| (site, number, target.value.clone()))
            });
            stops.extend(
                targets.map(|(site, number, target)| Stop { way: vec![(site, number)], place: End::Target(target) }),
            );
        }
    }
    stops
}

fn follow(route: &Route, site: u32, way: &mut Vec<(u32, usize)>, trail: &Trail, stops: &mut Vec<Stop>) {
    match &route.way.value {
        Way::Target(name) => return stops.push(Stop { way: way.clone(), place: End::Target(name.clone()) }),
        Way::Deny(deny) => return stops.push(Stop { way: way.clone(), place: End::Deny(deny.code.clone()) }),
        _ => {}
    }
    let Some(choice) = trail.choices.iter().find(|choice| choice.site == site) else { return };
    let branches = branches(route);
    for number in &choice.order {
        way.push((site, *number));
        match branches.get(*number) {
            Some(Branch::Node(node)) => follow(node, site_of(route, site, node), way, trail, stops),
            Some(Branch::Target(name)) => stops.push(Stop { way: way.clone(), place: End::Target((*name).clone()) }),
            None => {}
        }
        way.pop();
    }
}

/// The number of a child, whose elder siblings and all below them were counted before it.
fn site_of(parent: &Route, site: u32, child: &Route) -> u32 {
    let elder = parent.children().into_iter().take_while(|sibling| !std::ptr::eq(*sibling, child));
    site + 1 + elder.map(|sibling| sibling.nodes().len() as u32).sum::<u32>()
}
