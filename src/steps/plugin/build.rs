//! From the settings in a policy to a plugin that can be called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::HeaderName;
use serde_json::{Map, Value};

use super::back::{Hold, Hooks};
use super::config::{Config, Grant, Mode, ModelGrant};
use super::edits::Leave;
use super::outside::http::{Client, Origin};
use super::outside::model::Models;
use super::outside::{Keyring, LogLines, Meters, Shelf};
use super::view::Sight;
use super::ward::{Rules, Ward};
use super::{PluginStep, schema, trial};
use crate::base::secret::Secret;
use crate::base::units::Size;
use crate::pipeline;
use crate::registry::Wanted;
use crate::state::kv::Scope;
use crate::steps::Site;
use crate::steps::plugin::book::Record;
use crate::wasm::{Abilities, About, Called, Component, Engine, Hook, Isolation, Limits, Plugin, Setup};

impl PluginStep {
    /// Reads, compiles and configures the plugin.
    ///
    /// # Errors
    /// What is wrong with the settings or with the plugin, and where there is some, what mends it.
    pub fn new(config: &Config, site: &Site<'_>) -> Result<Self, String> {
        let (path, limits) = (&config.wasm, config.limits.limits()?);
        let wanted = Wanted {
            source: &config.wasm,
            sha256: config.sha256.as_deref(),
            follows_tags: config.follows_tags(),
            most: limits.file,
        };
        let bytes = site.library.fetch(wanted).map_err(|why| format!("the plugin `{path}`: {why}"))?;
        let unfit = |unfit: crate::wasm::Unfit| match unfit.help {
            Some(help) => format!("the plugin `{path}` cannot be used: {}; {help}", unfit.reason),
            None => format!("the plugin `{path}` cannot be used: {}", unfit.reason),
        };
        let component = Component::load(Engine::of_process()?, &bytes, &limits).map_err(unfit)?;
        trial::pass(&bytes, &config.cases).map_err(|wrong| format!("the plugin `{path}`: {wrong}"))?;
        Builder { config, site, limits, component }.build().map_err(|wrong| format!("the plugin `{path}`: {wrong}"))
    }
}

struct Builder<'a> {
    config: &'a Config,
    site: &'a Site<'a>,
    limits: Limits,
    component: Component,
}

impl Builder<'_> {
    fn build(self) -> Result<PluginStep, String> {
        let about = self.about()?;
        self.check_needs(&about)?;
        let called = self.called(&about)?;
        let settings = self.config.config.clone().unwrap_or_else(|| Value::Object(Map::new()));
        schema::check(&settings, about.config_schema_json.as_deref())?;
        let policy: Arc<str> = self.site.policy.as_str().into();
        let name: Arc<str> = self.config.name.clone().unwrap_or_else(|| about.name.clone()).into();
        check_name(&name)?;
        let record = self.site.stores.plugins.of(&name, &policy);
        let setup = Setup {
            limits: self.limits.clone(),
            abilities: self.abilities(&name, &policy, &record)?,
            config: settings.to_string(),
            isolation: self.config.isolation.into(),
        };
        let models = self.models(&name)?.map(Arc::new);
        let plugin = Plugin::new(self.component.clone(), setup).map_err(|trouble| match trouble.own_words() {
            Some(said) => format!("it does not accept its configuration: {said}"),
            None => format!("it cannot be configured: {trouble}"),
        })?;
        let config = self.config;
        let ward = Ward {
            name,
            plugin,
            rules: Rules {
                trap: config.on_trap,
                timeout: config.on_timeout,
                error: config.on_error,
                unavailable: config.when_unavailable,
            },
            mode: if self.site.mode == pipeline::run::Mode::Observe { Mode::Observe } else { config.mode },
            request_sight: self.sight(&Grant::RequestText),
            answer_sight: self.sight(&Grant::AnswerText),
            leave: self.leave()?,
            models,
            breaker: Arc::default(),
            record,
        };
        let hooks = Hooks { response: called.contains(&Hook::Response), stream: called.contains(&Hook::Stream) };
        let bytes = |usual: usize| match config.limits.hold {
            Some(Size(bytes)) => usize::try_from(bytes).unwrap_or(usize::MAX).min(MOST_HELD),
            None => usual,
        };
        Ok(PluginStep {
            ward: Arc::new(ward),
            sees_requests: called.contains(&Hook::Request),
            follows: (hooks.response || hooks.stream).then_some(hooks),
            gather: config.gather,
            hold: Hold { pieces: bytes(HELD_PIECES), whole: bytes(HELD_WHOLE) },
            policy: policy.to_string(),
            headers: self.seen_headers()?,
            sees_claims: config.grants.contains(&Grant::CallerClaims),
            tells_others: config.grants.iter().any(|grant| matches!(grant, Grant::Http(_) | Grant::Model(_))),
            keeps: config.grants.contains(&Grant::Kv),
        })
    }

    fn about(&self) -> Result<About, String> {
        let log = Arc::new(LogLines { plugin: "unnamed".into(), policy: self.site.policy.as_str().into() });
        let setup = Setup {
            limits: self.limits.clone(),
            abilities: Abilities::none(log),
            config: String::new(),
            isolation: Isolation::Request,
        };
        self.component.about(&setup).map_err(|trouble| format!("it cannot say what it is: {trouble}"))
    }

    fn check_needs(&self, about: &About) -> Result<(), String> {
        let granted: BTreeSet<_> = self.config.grants.iter().map(Grant::name).collect();
        let missing: Vec<_> = about
            .needs
            .iter()
            .filter(|need| !granted.contains(need.as_str()))
            .map(|need| format!("`{need}`"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("it needs {}, which this policy does not grant; add it to `grants`", missing.join(", ")))
    }

    /// The hooks that are to be called.
    fn called(&self, about: &About) -> Result<Vec<Hook>, String> {
        let exported = &self.component.manifest().hooks;
        let hook = |called: &Called| match called {
            Called::OnRequest => Hook::Request,
            Called::OnResponse => Hook::Response,
            Called::OnStream => Hook::Stream,
        };
        let called: Vec<_> = about.hooks.iter().map(hook).collect();
        match called.iter().find(|hook| !exported.contains(hook)) {
            Some(missing) => Err(format!("it wants to be called for its `{}`, and exports none", missing.name())),
            None if called.is_empty() => Err("it does not want to be called for anything".into()),
            None => Ok(called),
        }
    }

    fn sight(&self, grant: &Grant) -> Sight {
        if self.config.grants.contains(grant) { Sight::Text } else { Sight::Outline }
    }

    fn seen_headers(&self) -> Result<Vec<HeaderName>, String> {
        let headers = self.names(|grant| match grant {
            Grant::RequestHeaders(names) => Some(names),
            _ => None,
        })?;
        match headers.iter().find(|name| CREDENTIALS.contains(&name.as_str())) {
            Some(name) => Err(format!("`{name}` carries a credential, which no plugin is shown")),
            None => Ok(headers),
        }
    }

    fn leave(&self) -> Result<Leave, String> {
        let has = |grant: &Grant| self.config.grants.contains(grant);
        let headers = self.names(|grant| match grant {
            Grant::SetHeaders(names) => Some(names),
            _ => None,
        })?;
        if let Some(name) = headers.iter().find(|name| RESERVED.contains(&name.as_str())) {
            return Err(format!("`{name}` is a header that the gateway sets itself; no plugin can be granted it"));
        }
        Ok(Leave {
            text: has(&Grant::RequestText),
            model: has(&Grant::RequestModel),
            params: has(&Grant::RequestParams),
            headers,
        })
    }

    fn names(&self, of: impl Fn(&Grant) -> Option<&Vec<String>>) -> Result<Vec<HeaderName>, String> {
        let names = self.config.grants.iter().filter_map(of).flatten();
        names.map(|name| HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is no header"))).collect()
    }

    fn abilities(&self, name: &Arc<str>, policy: &Arc<str>, record: &Arc<Record>) -> Result<Abilities, String> {
        let log = Arc::new(LogLines { plugin: Arc::clone(name), policy: Arc::clone(policy) });
        let mut abilities = Abilities::none(log);
        let (mut keyring, mut origins) = (Keyring::default(), Vec::new());
        for grant in &self.config.grants {
            match grant {
                Grant::Clock => abilities.clock = Some(self.site.stores.clock),
                Grant::Random => abilities.random = true,
                Grant::Metrics(names) => {
                    names.iter().try_for_each(|name| check_name(name))?;
                    abilities.metrics = Some(Arc::new(Meters::new(names, Arc::clone(record))));
                }
                Grant::Kv => {
                    let scope = Scope::new(policy, name, MOST_KEYS);
                    abilities.kv = Some(Arc::new(Shelf { store: Arc::clone(&self.site.stores.kv), scope }));
                }
                Grant::Secrets(names) => self.secrets(names, &mut keyring.signs)?,
                Grant::Reveal(names) => self.secrets(names, &mut keyring.reveals)?,
                Grant::Http(urls) => {
                    for url in urls {
                        origins.push(Origin::parse(url)?);
                    }
                }
                _ => {}
            }
        }
        if !keyring.is_empty() {
            abilities.secrets = Some(Arc::new(keyring));
        }
        if let Some(pools) = self.site.pools.filter(|_| !origins.is_empty()) {
            abilities.http = Some(Arc::new(Client { pools: Arc::clone(pools), origins }));
        }
        Ok(abilities)
    }

    fn secrets(&self, names: &[String], into: &mut BTreeMap<String, Secret>) -> Result<(), String> {
        for name in names {
            let secret = self.site.secrets.get(name).ok_or_else(|| {
                let known: Vec<_> = self.site.secrets.keys().map(String::as_str).collect();
                format!("the gateway file has no secret `{name}`; it has: {}", known.join(", "))
            })?;
            into.insert(name.clone(), secret.clone());
        }
        Ok(())
    }

    fn models(&self, name: &str) -> Result<Option<Models>, String> {
        let grants: Vec<&ModelGrant> = self
            .config
            .grants
            .iter()
            .filter_map(|grant| match grant {
                Grant::Model(grant) => Some(grant),
                _ => None,
            })
            .collect();
        let grant = match grants.as_slice() {
            [] => return Ok(None),
            [grant] => grant,
            _ => return Err("`model` is granted twice; name all models in one".into()),
        };
        Ok(Some(Models {
            targets: grant.ask.iter().filter_map(|name| (self.site.target)(name)).collect(),
            windows: Arc::clone(&self.site.stores.windows),
            tokens: Arc::clone(&self.site.stores.tokens),
            clock: self.site.stores.clock,
            rate: grant.tokens,
            key: format!("plugin\0{}\0{name}", self.site.policy.as_str()),
        }))
    }
}

/// Names go into logs and metrics.
fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(format!("`{name}` is no name; use 1 to 64 letters, digits and `_-.`"))
}

/// Headers by which callers prove who they are.
const CREDENTIALS: [&str; 6] =
    ["authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"];
/// Headers that are the gateway's own or the connection's.
const RESERVED: [&str; 14] = [
    "authorization",
    "api-key",
    "x-api-key",
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "accept",
    "accept-encoding",
    "connection",
    "transfer-encoding",
    "upgrade",
    "te",
    "proxy-authorization",
];
/// Keys that a plugin may have under one policy.
const MOST_KEYS: usize = 10_000;
const HELD_PIECES: usize = 256 << 10;
const HELD_WHOLE: usize = 4 << 20;
/// Bytes of an answer that a policy can have held.
const MOST_HELD: usize = 64 << 20;
