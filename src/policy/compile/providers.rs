//! Opening providers and making targets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Parts, Targets};
use crate::base::ids::{ModelName, ProviderName};
use crate::base::secret::Secret;
use crate::dialect;
use crate::pipeline::breaker;
use crate::pipeline::target::Target;
use crate::pipeline::tariff::Tariff;
use crate::policy::codes;
use crate::policy::config::{Config, ProviderConfig, TargetConfig};
use crate::policy::decode::At;
use crate::policy::document;
use crate::policy::problem::Problem;
use crate::policy::reference::{Template, Unresolved};
use crate::pricing::Rates;
use crate::provider::simulator::Script;
use crate::provider::{Pick, Provider, Spec};

/// Opens every provider and makes every target of a configuration.
pub fn targets(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Targets {
    let mut providers: BTreeMap<&ProviderName, Arc<Provider>> = BTreeMap::new();
    for (name, provider) in &config.providers {
        if let Some(open) = open(provider, parts, problems) {
            providers.insert(name, Arc::new(open));
        }
    }
    let made = config.targets.iter().filter_map(|(name, target)| {
        let provider = providers.get(&target.provider)?;
        Some((name.clone(), Arc::new(make(target, provider, config, parts, problems)?)))
    });
    made.collect()
}

fn open(config: &ProviderConfig, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<Provider> {
    let before = problems.len();
    let mut secret = |template: &At<Template>| resolve(template, parts, problems);
    let url = config.url.as_ref().and_then(&mut secret).map(|url| url.expose().to_owned());
    let keys = config.keys.iter().filter_map(&mut secret).collect();
    let headers =
        config.headers.iter().filter_map(|(name, value)| Some((name.value.clone(), secret(value)?))).collect();
    let ca = config.ca.as_ref().and_then(|ca| path(ca, parts, problems));
    let simulate = script(config, problems);
    if problems.len() > before {
        return None;
    }
    let spec = Spec {
        name: config.name.value.clone(),
        kind: config.kind.value.clone(),
        url,
        keys,
        pick: match config.pick {
            document::Pick::RoundRobin => Pick::RoundRobin,
            document::Pick::LeastBusy => Pick::LeastBusy,
        },
        headers,
        ca,
        http2: config.http2.unwrap_or(false),
        propagate: config.propagate,
        simulate,
    };
    match Provider::open(spec, parts.pools) {
        Ok(provider) => Some(provider),
        Err(reason) => {
            problems.push(Problem::error(codes::CANNOT_OPEN, reason).at(config.name.span, "this provider"));
            None
        }
    }
}

/// How a simulated provider behaves.
pub fn script(config: &ProviderConfig, problems: &mut Vec<Problem>) -> Option<Script> {
    let settings = config.simulate.as_ref()?;
    match serde_json::from_value(settings.value.clone()) {
        Ok(script) => Some(script),
        Err(error) => {
            let problem = Problem::error(codes::WRONG_VALUE, error.to_string());
            problems.push(problem.at(settings.span, "in these settings"));
            None
        }
    }
}

fn make(
    config: &TargetConfig,
    provider: &Arc<Provider>,
    all: &Config,
    parts: &Parts<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Target> {
    let Some(dialect) = dialect::by_id(provider.dialect()) else {
        let message = format!("the dialect {} of this target is not built in", provider.dialect());
        problems.push(Problem::error(codes::CANNOT_OPEN, message).at(config.name.span, ""));
        return None;
    };
    Some(Target {
        name: config.name.value.clone(),
        provider: Arc::clone(provider),
        dialect,
        model: config.model.as_ref().map(ModelName::new),
        max_concurrent: config.max_concurrent.map(std::num::NonZeroU32::get),
        breaker: breaker::Settings {
            failures: config.breaker.failures.get(),
            window: config.breaker.window,
            open_for: config.breaker.open_for,
        },
        tariff: tariff(config, all),
        health: parts.health.of(&config.name.value),
    })
}

fn tariff(target: &TargetConfig, config: &Config) -> Tariff {
    let own = target.price.map(|price| Rates::simple(price.input, price.output));
    let provider = config.providers.get(&target.provider);
    let kind = provider.map_or("", |provider| provider.kind.as_str());
    Tariff::new(own, kind, Arc::clone(&config.prices.list), provider.map_or(0, |provider| provider.discount))
}

/// What a template stands for. What it stands for nothing is a problem that points at it.
pub fn resolve(template: &At<Template>, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<Secret> {
    report(template, template.value.resolve(parts.environment), problems)
}

/// The file a template names.
pub fn path(template: &At<Template>, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    report(template, template.value.path(parts.environment), problems)
}

fn report<T>(template: &At<Template>, found: Result<T, Unresolved>, problems: &mut Vec<Problem>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(unresolved) => {
            problems.push(Problem::error(codes::UNRESOLVED, unresolved.to_string()).at(template.span, ""));
            None
        }
    }
}
