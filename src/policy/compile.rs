//! From a sound configuration to a [`Snapshot`]: secrets looked up, providers opened, steps made.
//!
//! Nothing is changed on the way but what the process keeps anyway (connection pools, the book of targets'
//! health), so a compilation that fails leaves no trace.

mod budgets;
mod callers;
mod embedders;
mod plugins;
mod providers;
mod routes;
mod screens;
mod steps;
mod telemetry;

pub use callers::claims;
pub use embedders::check as check_embedders;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderValue;
use jiff::Timestamp;

use super::codes;
use super::condition::subject;
use super::config::{Config, PolicyConfig};
use super::problem::Problem;
use super::reference::Environment;
use super::snapshot::{Policy, ServerSettings, Snapshot};
use crate::auth::{Authenticator, FetchJwks, KeyFile};
use crate::base::ids::TargetName;
use crate::base::secret::Secret;
use crate::embedding::Local;
use crate::pipeline::Step;
use crate::pipeline::health::HealthBook;
use crate::pipeline::route::{CanaryBook, Route};
use crate::pipeline::run::Line;
use crate::pipeline::target::Target;
use crate::provider::{Address, Pools};
use crate::registry::Library;
use crate::state::{Ledger, Memory};
use crate::steps::budget::{self, Budget};
use crate::steps::screen::Guard;
use crate::steps::{Site, StepConfig, Stores};
use steps::Made;

/// What of the process a snapshot refers to.
pub struct Parts<'a> {
    pub pools: &'a Arc<Pools>,
    pub health: &'a HealthBook,
    pub canaries: &'a CanaryBook,
    pub stores: &'a Stores,
    pub fetch: Arc<dyn FetchJwks>,
    pub environment: &'a Environment,
    /// The keys that let callers in, instead of all ways the files name.
    pub callers: Option<KeyFile>,
    /// The revision in charge so far, whose fetched keys live on.
    pub previous: Option<&'a Authenticator>,
    /// Whether collectors may have texts as callers have sent them.
    pub shows_raw: bool,
    pub now: Timestamp,
}

/// The targets of a configuration, by name.
type Targets = BTreeMap<TargetName, Arc<Target>>;

/// Makes the snapshot.
///
/// # Errors
/// Every problem that only shows when the pieces are made: a secret that is not there, a key file with
/// mistakes, a step that cannot act where it stands.
pub fn compile(config: &Config, revision: &str, parts: &Parts<'_>) -> Result<Snapshot, Vec<Problem>> {
    let mut problems = Vec::new();
    let targets = providers::targets(config, parts, &mut problems);
    let budgets = budgets::make(config, &targets, &mut problems);
    let screens = screens::open(config, parts, &mut problems);
    let embedders = embedders::open(config, parts, &mut problems);
    let exporters = telemetry::exporters(config, parts, &mut problems);
    let metric_exporters = telemetry::metric_exporters(config, parts, &mut problems);
    let webhook = webhook(config, parts, &mut problems);
    let secrets = secrets(config, parts, &mut problems);
    let library = plugins::open(config, parts, &mut problems);
    let authenticator = callers::authenticator(config, parts, &mut problems);
    let policies: Vec<_> = config
        .policies
        .iter()
        .filter_map(|policy| {
            compile_policy(
                policy,
                config,
                &Named {
                    targets: &targets,
                    budgets: &budgets,
                    screens: &screens,
                    embedders: &embedders,
                    secrets: &secrets,
                    library: &library,
                },
                parts,
                &mut problems,
            )
        })
        .collect();
    match authenticator {
        Some(authenticator) if problems.is_empty() => Ok(Snapshot {
            revision: revision.to_owned(),
            short_revision: short(revision),
            loaded_at: parts.now,
            authenticator,
            may_outlive: policies.iter().any(|policy| policy.line.may_outlive()),
            policies,
            targets: targets.into_values().collect(),
            budgets,
            webhook,
            exporters,
            metric_exporters,
            decisions: config.decisions.clone(),
            baggage: config.baggage.clone(),
            unknown_price: config.prices.unknown,
            server: ServerSettings { body_limit: usize::try_from(config.limits.body).unwrap_or(usize::MAX) },
        }),
        _ => Err(problems),
    }
}

fn webhook(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<Secret> {
    let template = config.webhook.as_ref()?;
    let url = providers::resolve(template, parts, problems)?;
    if let Err(reason) = Address::parse(url.expose()) {
        problems.push(Problem::error(codes::WRONG_VALUE, reason).at(template.span, "of the webhook"));
    }
    Some(url)
}

fn short(revision: &str) -> HeaderValue {
    let beginning: String = revision.chars().take(12).collect();
    HeaderValue::try_from(beginning).unwrap_or(HeaderValue::from_static("unnamed"))
}

fn compile_policy(
    policy: &PolicyConfig,
    config: &Config,
    named: &Named<'_>,
    parts: &Parts<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Policy> {
    let Named { targets, budgets, screens, embedders, secrets, library } = *named;
    let reachable = reachable(policy, config, targets);
    let material = Material {
        stores: parts.stores,
        budgets,
        screens,
        embedders,
        secrets,
        library,
        targets: &reachable,
        all_targets: targets,
        pools: Some(parts.pools),
        route: None,
    };
    let budget = |name: &str, target: &Arc<Target>| {
        let material = Material { targets: std::slice::from_ref(target), ..material };
        let step = StepConfig::Budget(budget::Config(vec![name.to_owned()]));
        material.step(policy, policy.steps.len(), &step).ok()
    };
    let route =
        routes::Routes { policy, config, targets, canaries: parts.canaries, budget: &budget, sites: Cell::new(0) };
    let compiled = route.compile().map(|(route, rules)| (Arc::new(route), rules));
    let route = compiled.as_ref().map(|(route, _)| route);
    let Made { steps, endpoints, .. } = steps::make(policy, &Material { route, ..material }, problems)?;
    let (route, rules) = compiled?;
    Some(Policy {
        selector: policy.selector.clone(),
        condition: policy.condition.as_ref().map(|condition| condition.value.clone()),
        endpoints,
        models: listed_models(policy, config),
        line: Line {
            policy: policy.name.value.clone(),
            steps,
            mode: policy.mode.into(),
            route,
            rules: Arc::new(rules),
        },
    })
}

/// The budgets of a configuration, by name.
type Budgets = BTreeMap<String, Arc<Budget>>;

/// The guards outside, by name.
type Screens = BTreeMap<String, Arc<Guard>>;

/// The models in this process, by name.
type Embedders = BTreeMap<String, Arc<Local>>;

/// The secrets that plugins may be granted, by name.
type Secrets = BTreeMap<String, Secret>;

fn secrets(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Secrets {
    let found = config.secrets.iter().map(|(name, template)| (name, providers::resolve(template, parts, problems)));
    found.filter_map(|(name, secret)| Some((name.clone(), secret?))).collect()
}

/// The same without what they are, for checking what else is said.
fn unread_secrets(config: &Config) -> Secrets {
    config.secrets.keys().map(|name| (name.clone(), Secret::default())).collect()
}

/// What policies refer to by name.
#[derive(Clone, Copy)]
struct Named<'a> {
    targets: &'a Targets,
    budgets: &'a Budgets,
    screens: &'a Screens,
    embedders: &'a Embedders,
    secrets: &'a Secrets,
    library: &'a Library,
}

/// What the steps of a policy are made from.
#[derive(Clone, Copy)]
struct Material<'a> {
    stores: &'a Stores,
    budgets: &'a Budgets,
    screens: &'a Screens,
    /// None while the files are only checked.
    embedders: &'a Embedders,
    secrets: &'a Secrets,
    library: &'a Library,
    /// Everywhere the policy's requests may be sent to.
    targets: &'a [Arc<Target>],
    all_targets: &'a Targets,
    /// `None` while the files are only checked.
    pools: Option<&'a Arc<Pools>>,
    /// Where the policy's requests go; `None` while the files are only checked.
    route: Option<&'a Arc<Route>>,
}

impl Material<'_> {
    /// Makes one step.
    fn step(&self, policy: &PolicyConfig, number: usize, config: &StepConfig) -> Result<Arc<dyn Step>, String> {
        let Self { stores, budgets, screens, embedders, secrets, library, .. } = *self;
        let Self { targets, all_targets, pools, route, .. } = *self;
        let target = |name: &str| all_targets.get(&TargetName::new(name)).cloned();
        let imprints = [policy.imprint.as_str(), policy.common_imprint.as_str()];
        let (policy, mode) = (&policy.name.value, policy.mode.into());
        config.build(&Site {
            policy,
            mode,
            number,
            imprints,
            stores,
            subject,
            budgets,
            screens,
            embedders,
            targets,
            target: &target,
            secrets,
            library,
            pools,
            route,
        })
    }
}

fn reachable(policy: &PolicyConfig, config: &Config, targets: &Targets) -> Vec<Arc<Target>> {
    let names: Vec<&TargetName> = match &policy.route {
        Some(route) => route.route.targets(),
        None => {
            let models = policy.selector.exact_models().into_iter().flatten();
            let models = models.filter_map(|model| config.models.get(model));
            models.flat_map(|model| model.targets.iter().map(|target| &target.value)).collect()
        }
    };
    names.into_iter().filter_map(|name| targets.get(name).cloned()).collect()
}

/// Makes whatever can be made without secrets, and drops it: what is wrong with it is wrong with the files.
pub fn verify(config: &Config, problems: &mut Vec<Problem>) {
    let ledger: Option<Arc<dyn Ledger>> = Some(Arc::new(Memory::default()));
    let (stores, budgets) = (Stores { ledger, ..Stores::default() }, budgets::make(config, &Targets::new(), problems));
    let (screens, secrets) = (screens::closed(config), unread_secrets(config));
    let material = Material {
        stores: &stores,
        budgets: &budgets,
        screens: &screens,
        embedders: &Embedders::new(),
        secrets: &secrets,
        library: &plugins::closed(config),
        targets: &[],
        all_targets: &Targets::new(),
        pools: None,
        route: None,
    };
    for policy in &config.policies {
        if let Some(Made { steps, spans, .. }) = steps::make(policy, &material, problems) {
            problems.extend(config.lints.order(&steps, &spans));
        }
    }
    for provider in config.providers.values() {
        providers::script(provider, problems);
    }
}

/// The most bytes of each text of a streamed answer that the steps of a sound configuration keep back, where they do: the
/// policy, the step, the bound.
pub fn hold_backs(config: &Config) -> Vec<(String, &'static str, usize)> {
    let stores = Stores { ledger: Some(Arc::new(Memory::default())), ..Stores::default() };
    let material = Material {
        stores: &stores,
        budgets: &Budgets::new(),
        screens: &screens::closed(config),
        embedders: &Embedders::new(),
        secrets: &unread_secrets(config),
        library: &plugins::closed(config),
        targets: &[],
        all_targets: &Targets::new(),
        pools: None,
        route: None,
    };
    let mut bounds = Vec::new();
    for policy in &config.policies {
        for (number, step) in policy.steps.iter().enumerate() {
            let name = &policy.name.value;
            // A step that needs a budget holds nothing back.
            let step = material.step(policy, number, &step.value).ok();
            bounds.extend(step.and_then(|step| Some((name.to_string(), step.name(), step.holds_back()?))));
        }
    }
    bounds
}

/// What is said where a whole step is pointed at for want of a better place.
pub const IN_STEP: &str = "in this step";

/// The models to tell callers of: those the policy names in full; else the names the file has for models;
/// else the models its targets are fixed to.
fn listed_models(policy: &PolicyConfig, config: &Config) -> Vec<String> {
    if let Some(exact) = policy.selector.exact_models() {
        return exact.map(ToOwned::to_owned).collect();
    }
    let fixed = config.targets.values().filter_map(|target| target.model.clone());
    config.models.keys().cloned().chain(fixed).collect()
}
