//! A configuration that is known to be sound: plain data, every name resolved, every default filled in.
//!
//! References to secrets are still references; whoever needs one resolves it, and can point at it if that
//! fails. Nothing here has been opened, connected or compiled.

mod route;
mod telemetry;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::codes;
use super::condition::Condition;
use super::decode::At;
use super::document::{CertificateName, LogFormat, LogLevel, Mode, Pick};
use super::lint::Lints;
use super::problem::Problem;
use super::reference::{Environment, Template, Unresolved};
use super::selector::Selector;
use crate::base::ids::{PolicyName, ProviderName, TargetName};
use crate::base::money::Nanos;
use crate::embedding::Pin;
use crate::pricing::{PriceList, Unknown};
use crate::registry::PublicKey;
use crate::state::shared::{self, OnLoss};
use crate::steps::StepConfig;
use crate::steps::budget::Definition;
use crate::steps::redact::step::Seed;
use crate::steps::screen;
use crate::telemetry::decisions;

pub use route::*;
pub use telemetry::*;

/// Everything the files say.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub tls: Option<Tls>,
    pub limits: Limits,
    pub log: Log,
    /// Who is told of requests, as traces.
    pub exporters: Vec<ExporterConfig>,
    /// Who is told of metrics.
    pub metric_exporters: Vec<MetricExporterConfig>,
    /// Where decisions are recorded.
    pub decisions: Option<decisions::Settings>,
    /// Members of callers' baggage that spans get.
    pub baggage: Vec<String>,
    pub callers: Callers,
    pub providers: BTreeMap<ProviderName, ProviderConfig>,
    /// The named targets, and those that routes and models name as `provider/model` or by the provider.
    pub targets: BTreeMap<TargetName, TargetConfig>,
    /// Names that callers may use for models.
    pub models: BTreeMap<String, ModelConfig>,
    pub prices: Prices,
    pub budgets: BTreeMap<String, At<Definition>>,
    /// Guards outside, by name.
    pub screens: BTreeMap<String, ScreenConfig>,
    /// Models in this process, by name.
    pub embedders: BTreeMap<String, EmbedderConfig>,
    pub lints: Lints,
    /// Where plugins come from, and who may have made them.
    pub plugins: PluginsConfig,
    /// What plugins may be granted.
    pub secrets: BTreeMap<String, At<Template>>,
    /// A URL that warnings of budgets are posted to.
    pub webhook: Option<At<Template>>,
    /// Where the books are, if any are kept.
    pub state: Option<State>,
    /// What placeholders of conversations are derived from, if the files say it.
    pub placeholder_key: Option<At<Template>>,
    /// In the order they are tried; the first that matches is the one.
    pub policies: Vec<PolicyConfig>,
}

/// A guard outside.
#[derive(Debug, Clone)]
pub struct ScreenConfig {
    pub name: At<String>,
    pub kind: screen::Kind,
    pub url: At<Template>,
    pub key: Option<At<Template>>,
    /// The path of a PEM file.
    pub ca: Option<At<Template>>,
    pub timeout: Duration,
    pub max_concurrent: NonZeroU32,
}

/// A model in this process.
#[derive(Debug, Clone)]
pub struct EmbedderConfig {
    pub name: At<String>,
    pub dir: At<PathBuf>,
    /// What its files must be.
    pub sha256: At<Pin>,
    pub threads: NonZeroUsize,
}

/// Where the books are.
#[derive(Debug, Clone)]
pub enum State {
    /// This gateway's own.
    Folder(PathBuf),
    Shared(SharedState),
}

/// A server that several gateways share.
#[derive(Debug, Clone)]
pub struct SharedState {
    pub url: At<Template>,
    pub prefix: String,
    pub on_loss: OnLoss,
    pub timeout: Duration,
    pub gone_after: Duration,
    /// Where this gateway keeps lines of the bill of its own, if it does.
    pub folder: Option<PathBuf>,
}

impl SharedState {
    /// # Errors
    /// When the URL's reference stands for nothing, or for something that is no such URL.
    pub fn settings(&self, environment: &Environment) -> Result<shared::Settings, Problem> {
        let unresolved = |error: Unresolved| Problem::error(codes::UNRESOLVED, error.to_string()).at(self.url.span, "");
        let url = self.url.resolve(environment).map_err(unresolved)?;
        shared::check_url(&url)
            .map_err(|why| Problem::error(codes::WRONG_VALUE, why).at(self.url.span, "what this stands for"))?;
        Ok(shared::Settings {
            url,
            prefix: self.prefix.clone(),
            on_loss: self.on_loss,
            timeout: self.timeout,
            gone_after: self.gone_after,
        })
    }
}

impl Config {
    /// What placeholders are derived from.
    ///
    /// # Errors
    /// When the reference to its secret stands for nothing, or for one that is too short.
    pub fn seed(&self, environment: &Environment) -> Result<Seed, Problem> {
        if let Some(key) = &self.placeholder_key {
            let unresolved = |error: Unresolved| Problem::error(codes::UNRESOLVED, error.to_string()).at(key.span, "");
            let secret = key.resolve(environment).map_err(unresolved)?;
            return Seed::of_secret(secret.expose())
                .map_err(|why| Problem::error(codes::WRONG_VALUE, why).at(key.span, "what this stands for"));
        }
        Ok(match &self.state {
            Some(State::Folder(folder) | State::Shared(SharedState { folder: Some(folder), .. })) => {
                Seed::kept_in(folder)
            }
            Some(State::Shared(_)) | None => Seed::default(),
        })
    }
}

/// Paths of PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    pub cert: At<Template>,
    pub key: At<Template>,
    pub client_ca: Option<At<Template>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: u64,
    /// Bytes of a request's headers together.
    pub header: u64,
    pub idle: Duration,
    pub header_timeout: Duration,
    pub drain: Duration,
    pub connections: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 << 20,
            header: 64 << 10,
            idle: Duration::from_secs(60),
            header_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(30),
            connections: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    pub format: LogFormat,
    pub level: LogLevel,
}

#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// The file of virtual keys: see [`Template::path`].
    pub keys: Option<At<Template>>,
    pub jwt: Option<Jwt>,
    /// The names of a client certificate that say who calls; `None` if certificates are no proof.
    pub mtls: Option<Mtls>,
    /// Whether those may call who show nothing.
    pub anonymous: bool,
    /// Where the user is stated, in the order to look.
    pub user: Vec<Stated>,
    pub session: Vec<Stated>,
}

#[derive(Debug, Clone)]
pub struct Jwt {
    pub issuer: At<Template>,
    pub jwks: At<Template>,
    pub audience: Vec<String>,
    /// Paths of claims: `groups.0`.
    pub team: Option<String>,
    pub user: Option<String>,
    pub tags: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mtls {
    pub team: Option<CertificateName>,
    pub user: Option<CertificateName>,
}

/// Where a caller states something about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stated {
    /// A header, in lower case.
    Header(String),
    /// A field of the body, as the path to it.
    Body(Vec<String>),
}

#[derive(Debug, Clone)]
pub struct ProviderConfig {
    pub name: At<ProviderName>,
    pub kind: At<String>,
    pub url: Option<At<Template>>,
    pub keys: Vec<At<Template>>,
    pub pick: Pick,
    pub headers: Vec<(At<String>, At<Template>)>,
    /// The path of a PEM file.
    pub ca: Option<At<Template>>,
    pub http2: Option<bool>,
    pub propagate: bool,
    pub price: Option<Price>,
    /// Percent off the price list.
    pub discount: u8,
    /// The settings of a simulated provider, as they were written.
    pub simulate: Option<At<Value>>,
}

/// The prices that hold.
#[derive(Clone, Default)]
pub struct Prices {
    pub list: Arc<PriceList>,
    /// Files of the gateway's own that they were read from.
    pub files: Vec<PathBuf>,
    /// What becomes of requests to models that the list does not know.
    pub unknown: Unknown,
}

/// Not the list itself, which has hundreds of models.
impl fmt::Debug for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prices").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What a million tokens cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: Nanos,
    pub output: Nanos,
}

#[derive(Debug, Clone)]
pub struct TargetConfig {
    /// Where it is defined, or first named.
    pub name: At<TargetName>,
    pub provider: ProviderName,
    /// `None` for the model the caller names.
    pub model: Option<String>,
    pub max_concurrent: Option<NonZeroU32>,
    /// Its own price, or else its provider's.
    pub price: Option<Price>,
    pub breaker: Breaker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    pub failures: NonZeroU32,
    pub window: Duration,
    pub open_for: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        let failures = NonZeroU32::MIN.saturating_add(4);
        Self { failures, window: Duration::from_secs(60), open_for: Duration::from_secs(15) }
    }
}

#[derive(Debug, Clone)]
pub struct ModelConfig {
    pub name: At<String>,
    /// At least one, in the order they are tried.
    pub targets: Vec<At<TargetName>>,
}

#[derive(Debug, Clone)]
pub struct PolicyConfig {
    pub name: At<PolicyName>,
    pub selector: Selector,
    pub condition: Option<At<Condition>>,
    pub mode: Mode,
    pub steps: Vec<At<StepConfig>>,
    /// What of the files bears on its answers, as a hash.
    pub imprint: String,
    /// The same of all policies that would answer alike.
    pub common_imprint: String,
    /// `None` if each model the policy is for has targets of its own.
    pub route: Option<RouteConfig>,
}

/// Where plugins come from.
#[derive(Debug, Clone, Default)]
pub struct PluginsConfig {
    pub trusted_keys: Vec<PublicKey>,
    pub cache: Option<At<Template>>,
    pub registries: BTreeMap<String, RegistryConfig>,
}

#[derive(Debug, Clone)]
pub struct RegistryConfig {
    pub user: Option<At<Template>>,
    pub password: Option<At<Template>>,
    pub ca: Option<At<Template>>,
    pub is_plain: bool,
}

impl Config {
    /// Every text that names a file.
    pub fn named_files(&self) -> impl Iterator<Item = &At<Template>> {
        let tls = self.tls.iter().flat_map(|tls| [&tls.cert, &tls.key].into_iter().chain(&tls.client_ca));
        let authorities = self.providers.values().filter_map(|provider| provider.ca.as_ref());
        let jwks = self.callers.jwt.as_ref().map(|jwt| &jwt.jwks).filter(|jwks| !jwks.value.names_url());
        let guards = self.screens.values().filter_map(|screen| screen.ca.as_ref());
        let registries = self.plugins.registries.values().filter_map(|registry| registry.ca.as_ref());
        let collectors = self.collectors().filter_map(|collector| collector.ca.as_ref());
        tls.chain(authorities).chain(guards).chain(registries).chain(collectors).chain(&self.callers.keys).chain(jwks)
    }

    /// Every text that may hold references, for verifying that they stand for something.
    pub fn templates(&self) -> Vec<&At<Template>> {
        let mut all: Vec<&At<Template>> = Vec::new();
        if let Some(tls) = &self.tls {
            all.extend([&tls.cert, &tls.key].into_iter().chain(&tls.client_ca));
        }
        for collector in self.collectors() {
            all.extend(std::iter::once(&collector.endpoint).chain(&collector.ca));
            all.extend(collector.headers.iter().map(|(_, template)| template));
        }
        all.extend(&self.callers.keys);
        all.extend(self.webhook.iter().chain(&self.placeholder_key));
        all.extend(self.secrets.values());
        all.extend(&self.plugins.cache);
        for registry in self.plugins.registries.values() {
            all.extend(registry.user.iter().chain(&registry.password).chain(&registry.ca));
        }
        all.extend(self.callers.jwt.iter().flat_map(|jwt| [&jwt.issuer, &jwt.jwks]));
        for screen in self.screens.values() {
            all.extend(std::iter::once(&screen.url).chain(&screen.key).chain(&screen.ca));
        }
        for provider in self.providers.values() {
            all.extend(provider.url.iter().chain(&provider.keys).chain(&provider.ca));
            all.extend(provider.headers.iter().map(|(_, template)| template));
        }
        all
    }
}

pub(super) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);
pub(super) const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4001);
