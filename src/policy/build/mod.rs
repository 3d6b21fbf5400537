//! Documents into a [`Config`]: names resolved, numbers weighed, parts held against each other.
//!
//! A check runs as far as it can and notes what it finds; the result only counts if nothing was an error.

mod callers;
mod embedders;
mod plugins;
mod policies;
mod prices;
mod providers;
mod routes;
mod screens;
mod server;
mod state;
mod telemetry;

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::config::{Config, ModelConfig, PolicyConfig, Prices, ProviderConfig, TargetConfig};
use super::decode::{At, Table};
use super::document::{GatewayDoc, LintLevel};
use super::lint::Lints;
use super::problem::{Problem, did_you_mean};
use super::reference::{Environment, Template};
use super::source::{Sources, Span};
use super::tree::Node;
use crate::base::ids::{ProviderName, TargetName};
use crate::steps::budget::{Definition, OnExceed};

/// What there is to build from.
pub(super) struct Material<'a> {
    pub sources: &'a Sources,
    /// The merged tree, for the names it holds: what could not be decoded is defined all the same.
    pub tree: &'a Node,
    pub environment: &'a Environment,
    /// Whether everything could be decoded. If not, checks that need the whole are left out.
    pub is_whole: bool,
}

/// Builds a configuration; what is wrong goes to `problems`.
pub(super) fn build(document: GatewayDoc, material: Material<'_>, problems: &mut Vec<Problem>) -> Config {
    let mut builder = Builder {
        material,
        problems,
        named_targets: BTreeSet::new(),
        providers: BTreeMap::new(),
        targets: BTreeMap::new(),
        models: BTreeMap::new(),
        used_targets: BTreeSet::new(),
        prices: Prices::default(),
    };
    builder.version(&document);
    builder.prices = builder.price_list(document.prices);
    builder.providers(document.providers);
    builder.targets(document.targets);
    builder.models(document.models);
    let policies = builder.policies(document.policies);
    let listen = builder.listen(document.listen, document.callers.as_ref());
    let admin = builder.admin(document.admin, listen);
    let tls = document.tls.map(|tls| builder.tls(tls));
    let callers = builder.callers(document.callers, tls.as_ref());
    let told = builder.telemetry(document.telemetry.unwrap_or_default());
    let placeholder_key = document.state.as_ref().and_then(|state| state.placeholder_key.clone());
    let placeholder_key = placeholder_key.map(|key| builder.placed(key));
    let state = builder.state(document.state, !document.budgets.0.is_empty());
    let budgets = builder.budgets(document.budgets);
    let screens = builder.screens(document.screens);
    let embedders = builder.embedders(document.embedders);
    let lints = builder.lints(document.lints);
    let plugins = builder.plugins(document.plugins);
    let secrets = builder.secrets(document.secrets);
    builder.unused();
    let config = Config {
        listen,
        admin,
        tls,
        limits: server::limits(document.limits),
        log: server::log(document.log),
        exporters: told.exporters,
        metric_exporters: told.metric_exporters,
        decisions: told.decisions,
        baggage: told.baggage,
        callers,
        providers: std::mem::take(&mut builder.providers),
        targets: std::mem::take(&mut builder.targets),
        models: std::mem::take(&mut builder.models),
        prices: std::mem::take(&mut builder.prices),
        budgets,
        screens,
        embedders,
        lints,
        plugins,
        secrets,
        webhook: document.alerts.map(|alerts| alerts.webhook),
        state,
        placeholder_key,
        policies,
    };
    builder.hold_together(&config);
    config
}

struct Builder<'a, 'p> {
    material: Material<'a>,
    problems: &'p mut Vec<Problem>,
    /// Targets that the file names, decoded or not.
    named_targets: BTreeSet<String>,
    providers: BTreeMap<ProviderName, ProviderConfig>,
    targets: BTreeMap<TargetName, TargetConfig>,
    models: BTreeMap<String, ModelConfig>,
    used_targets: BTreeSet<TargetName>,
    prices: Prices,
}

impl Builder<'_, '_> {
    fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Notes a problem with something that is not there; it may be there and not have been decoded.
    fn note_lack(&mut self, problem: Problem) {
        if self.material.is_whole {
            self.problems.push(problem);
        }
    }

    /// The names a section of the file holds.
    fn names(&self, section: &str) -> Vec<&str> {
        let entries = self.material.tree.get(section).map(Node::entries).unwrap_or_default();
        entries.iter().map(|entry| entry.key.text.as_str()).collect()
    }

    fn is_provider(&self, name: &str) -> bool {
        self.names("providers").contains(&name)
    }

    /// Budgets, whose requests may go to targets of their own.
    fn budgets(&mut self, documents: Table<At<Definition>>) -> BTreeMap<String, At<Definition>> {
        for (_, budget) in &documents.0 {
            if let OnExceed::To(target) = &budget.on_exceed {
                self.target(&At::new(budget.span, target.clone()));
            }
        }
        documents.0.into_iter().map(|(name, budget)| (name.value, budget)).collect()
    }

    /// Secrets for plugins.
    fn secrets(&mut self, documents: Table<At<Template>>) -> BTreeMap<String, At<Template>> {
        for (_, secret) in &documents.0 {
            self.literal_secret("a secret", secret);
        }
        documents.0.into_iter().map(|(name, secret)| (name.value, self.placed(secret))).collect()
    }

    /// Relative paths in a text start from the folder of the file it is in.
    fn placed(&self, template: At<Template>) -> At<Template> {
        let folder = self.material.sources.folder(template.span.file);
        let span = template.span;
        At::new(span, template.value.within(folder))
    }

    /// The target a route means: a named one, `provider/model`, or a provider with the caller's model.
    fn target(&mut self, name: &At<String>) -> Option<At<TargetName>> {
        let target = TargetName::new(&name.value);
        let at = At::new(name.span, target.clone());
        self.used_targets.insert(target.clone());
        if self.named_targets.contains(&name.value) || self.targets.contains_key(&target) {
            return Some(at);
        }
        let (provider, model) = match name.value.split_once('/') {
            Some((provider, model)) if self.is_provider(provider) => (provider, Some(model)),
            _ if self.is_provider(&name.value) => (name.value.as_str(), None),
            _ => {
                self.undefined_target(name);
                return None;
            }
        };
        if model.is_some_and(str::is_empty) {
            let problem = Problem::error(codes::WRONG_VALUE, format!("`{}` names no model", name.value));
            self.note(problem.at(name.span, "").help(format!("write `{provider}` for the model the caller names")));
            return None;
        }
        let provider = ProviderName::new(provider);
        let price = self.providers.get(&provider).and_then(|provider| provider.price);
        let implied = TargetConfig {
            name: at.clone(),
            provider,
            model: model.map(str::to_owned),
            max_concurrent: None,
            price,
            breaker: super::config::Breaker::default(),
        };
        self.targets.insert(target, implied);
        Some(at)
    }

    fn undefined_target(&mut self, name: &At<String>) {
        let wanted = &name.value;
        let mut problem = Problem::error(codes::UNDEFINED, format!("there is no target or provider `{wanted}`"));
        let known: Vec<&str> = self.names("targets").into_iter().chain(self.names("providers")).collect();
        let mut label = did_you_mean(wanted, known.iter().copied());
        if let Some((provider, model)) = wanted.split_once('/') {
            problem.message = format!("there is no target `{wanted}`, nor a provider `{provider}`");
            if let Some(near) = super::problem::nearest(provider, self.names("providers")) {
                label = format!("did you mean `{near}/{model}`?");
            }
        } else if self.names("models").contains(&wanted.as_str()) {
            problem = problem.help(format!("`{wanted}` is a model; name one of its targets"));
        } else if label.is_empty() {
            problem =
                problem.help(format!("if `{wanted}` is a model, put its provider before it: `provider/{wanted}`"));
        }
        if !known.is_empty() {
            problem = problem.help(format!("known are: {}", known.join(", ")));
        }
        self.note(problem.at(name.span, label));
    }

    /// Names that nothing uses are more often misspelt elsewhere than superfluous.
    fn unused(&mut self) {
        if !self.material.is_whole {
            return;
        }
        let mut found = Vec::new();
        for target in self.targets.values() {
            if !self.used_targets.contains(&*target.name) {
                let problem = Problem::error(codes::UNUSED, format!("nothing uses the target `{}`", *target.name));
                found.push(problem.at(target.name.span, ""));
            }
        }
        let is_sound = !found.iter().chain(self.problems.iter()).any(Problem::is_error);
        for provider in self.providers.values().filter(|_| is_sound) {
            if !self.targets.values().any(|target| target.provider == *provider.name) {
                let problem =
                    Problem::warning(codes::UNUSED, format!("nothing uses the provider `{}`", *provider.name));
                found.push(problem.at(provider.name.span, ""));
            }
        }
        self.problems.append(&mut found);
    }
}

impl Builder<'_, '_> {
    /// Holds what policies refer to against the policies.
    fn hold_together(&mut self, config: &Config) {
        let policies = &config.policies;
        if config.placeholder_key.is_none() {
            self.unshared_placeholders(config.state.as_ref(), policies);
        }
        self.unlike_rooms(policies);
        let budgets = config.budgets.iter().map(|(name, budget)| (name.as_str(), budget.span));
        self.unused_by_policies(policies, "budgets", budgets);
        let screens = config.screens.values().map(|screen| (screen.name.as_str(), screen.name.span));
        self.unused_by_policies(policies, "screens", screens);
        let embedders = config.embedders.values().map(|embedder| (embedder.name.as_str(), embedder.name.span));
        self.unused_by_policies(policies, "embedders", embedders);
        let secrets = config.secrets.iter().map(|(name, secret)| (name.as_str(), secret.span));
        self.unused_by_policies(policies, "secrets", secrets);
    }

    /// Names of a section that no policy refers to.
    fn unused_by_policies<'n>(
        &mut self,
        policies: &[PolicyConfig],
        section: &str,
        names: impl Iterator<Item = (&'n str, Span)>,
    ) {
        let steps = policies.iter().flat_map(|policy| &policy.steps).flat_map(|step| step.names());
        let routes = policies.iter().filter_map(|policy| policy.route.as_ref()).flat_map(|route| route.route.nodes());
        let shadows = routes.filter_map(|node| node.shadow.as_ref()?.budget.as_ref());
        let used: BTreeSet<_> = steps.chain(shadows.map(|budget| ("budgets", budget.value.as_str()))).collect();
        let unused = names.filter(|(name, _)| !used.iter().any(|(of, used)| of == &section && used == name));
        for (name, span) in unused.collect::<Vec<_>>() {
            let what = section.trim_end_matches('s');
            self.note_lack(Problem::error(codes::UNUSED, format!("nothing uses the {what} `{name}`")).at(span, ""));
        }
    }

    fn lints(&mut self, documents: Table<LintLevel>) -> Lints {
        let mut lints = Lints::default();
        for (name, level) in documents.0 {
            match Lints::named(&name) {
                Some(lint) => lints.set(lint, level),
                None => {
                    let problem = Problem::error(codes::UNKNOWN_CHOICE, format!("`{}` is no lint", name.value));
                    let label = did_you_mean(&name, Lints::names());
                    let known = Lints::names().collect::<Vec<_>>().join(", ");
                    self.note(problem.at(name.span, label).help(format!("lints are: {known}")));
                }
            }
        }
        lints
    }
}

/// A list in which nothing was said.
fn empty(what: &str, span: super::source::Span) -> Problem {
    Problem::error(codes::EMPTY, format!("{what} is empty")).at(span, "")
}
