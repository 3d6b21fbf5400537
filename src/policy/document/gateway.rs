//! The gateway file: where to listen, whom to ask, who may call.

use std::num::{NonZeroU32, NonZeroU64};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{EmbedderDoc, PluginsDoc, PolicyDoc, ScreenDoc, TelemetryDoc};
use crate::base::units::{Address, Period, Share, Size, Usd};
use crate::policy::decode::{At, OneOrMany, Table};
use crate::policy::reference::Template;
use crate::pricing::Unknown;
use crate::state::shared::OnLoss;
use crate::steps::budget::Definition;

/// A gateway file, or a part of one that another imports.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tidegate gateway file")]
pub struct GatewayDoc {
    /// The version of the language; 1.
    pub version: Option<At<u64>>,
    /// Where callers connect; `127.0.0.1:4000` if not said.
    pub listen: Option<At<Address>>,
    /// Where metrics and health are served, never on the data port; `127.0.0.1:4001` if not said.
    pub admin: Option<At<Address>>,
    pub tls: Option<TlsDoc>,
    /// Files to read as well: patterns such as `policies/*.yaml`. Their policies are tried before the
    /// policies of this file.
    #[expect(dead_code, reason = "imports are read with the files, before decoding; here they are for the schema")]
    pub import: Option<Vec<At<String>>>,
    #[serde(default)]
    pub providers: Table<ProviderDoc>,
    /// Targets with options; `provider/model` needs no entry.
    #[serde(default)]
    pub targets: Table<TargetDoc>,
    /// Names that callers may use for models.
    #[serde(default)]
    pub models: Table<ModelDoc>,
    pub callers: Option<CallersDoc>,
    pub prices: Option<PricesDoc>,
    /// Named accounts; a policy says which apply to its requests.
    #[serde(default)]
    pub budgets: Table<At<Definition>>,
    /// Guards outside that `screen` steps ask.
    #[serde(default)]
    pub screens: Table<ScreenDoc>,
    /// Models in this process that say where texts lie, for `cache` steps.
    #[serde(default)]
    pub embedders: Table<EmbedderDoc>,
    /// How grave it is what a policy likely does not mean, by the code of the problem: `TG0701: error`.
    #[serde(default)]
    pub lints: Table<LintLevel>,
    /// Where plugins come from.
    pub plugins: Option<PluginsDoc>,
    /// Secrets that plugins may be granted, by name.
    #[serde(default)]
    pub secrets: Table<At<Template>>,
    /// Who is told of budgets that are running low.
    pub alerts: Option<AlertsDoc>,
    pub state: Option<At<StateDoc>>,
    pub limits: Option<LimitsDoc>,
    pub log: Option<LogDoc>,
    pub telemetry: Option<TelemetryDoc>,
    /// Policies, tried in this order; the first that matches is the one.
    #[serde(default)]
    pub policies: Vec<PolicyDoc>,
}

/// Certificates of the data port, as paths of PEM files.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsDoc {
    pub cert: At<Template>,
    pub key: At<Template>,
    /// Ask callers for a certificate of this authority.
    pub client_ca: Option<At<Template>>,
}

/// Somebody who answers requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderDoc {
    /// The kind of its interface: `openai`, `anthropic`, `openai_compatible`, …
    pub kind: At<String>,
    pub url: Option<At<Template>>,
    pub key: Option<At<Template>>,
    pub keys: Option<At<Vec<At<Template>>>>,
    /// Which of several keys to use for a request.
    pub pick: Option<At<Pick>>,
    /// Headers to send with each request.
    #[serde(default)]
    pub headers: Table<At<Template>>,
    /// A PEM file with the authorities to trust for this provider.
    pub ca: Option<At<Template>>,
    /// Whether to speak HTTP/2; decided by the server if not said.
    pub http2: Option<bool>,
    /// Whether to pass on the caller's trace context.
    #[serde(default)]
    pub propagate: bool,
    pub price: Option<At<PriceDoc>>,
    /// What this provider charges less than the price list says.
    pub discount: Option<At<Share>>,
    /// How a `simulated` provider answers.
    pub simulate: Option<At<Value>>,
}

/// Which of several keys to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastBusy,
}

/// Where the gateway keeps what outlives it: in a folder, or in a server that several gateways share.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateDoc {
    /// A folder for the ledger and what is derived from it; with `redis`, for this gateway's own lines of the bill.
    /// Relative paths start from this file's folder.
    pub dir: Option<At<String>>,
    /// The URL of a Redis or Valkey that keeps budgets, limits and answers for all gateways: `redis://`, `rediss://` or
    /// `unix://`.
    pub redis: Option<At<Template>>,
    /// Gateways with the same prefix share everything; `tidegate` if not said.
    pub prefix: Option<At<String>>,
    /// What happens while the server cannot be reached.
    pub on_loss: Option<At<OnLoss>>,
    /// How long a request waits for the server; `250ms` if not said.
    pub timeout: Option<At<Period>>,
    /// A gateway that was not heard of for so long is thought to be dead, and what it held is booked as spent; `30s`
    /// if not said.
    pub gone_after: Option<At<Period>>,
    /// What placeholders of conversations are derived from, at least 32 random characters: gateways with the same one
    /// give a value the same placeholder. If not said, each keeps one of its own in `dir`.
    pub placeholder_key: Option<At<Template>>,
}

/// Prices of models, over the list that comes with the binary.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PricesDoc {
    /// Price files; later ones go before earlier ones. Relative paths start from this file's folder.
    #[serde(default)]
    pub files: OneOrMany<At<String>>,
    /// What becomes of requests to a model whose price nobody knows, where a budget does not say it for itself.
    #[serde(default)]
    pub unknown: Unknown,
}

/// Who is told of budgets that have come to where they warn, once for each account and window.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsDoc {
    /// A URL that each warning is posted to, as a JSON object.
    pub webhook: At<Template>,
}

/// How grave something is that is likely not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LintLevel {
    /// The files do not load.
    Error,
    /// They do, and it is said.
    Warning,
    /// It is meant.
    Allow,
}

/// US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceDoc {
    #[serde(rename = "in")]
    pub input: Usd,
    #[serde(rename = "out")]
    pub output: Usd,
}

/// A provider and a model of it, with options.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetDoc {
    pub provider: At<String>,
    /// The model to ask for; the one the caller named if not said.
    pub model: Option<At<String>>,
    /// Requests under way at once; further ones pass this target over.
    pub max_concurrent: Option<NonZeroU32>,
    pub price: Option<At<PriceDoc>>,
    pub breaker: Option<BreakerDoc>,
}

/// When to leave a failing target alone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerDoc {
    /// This many failures…
    pub failures: Option<NonZeroU32>,
    /// …within this time open the breaker…
    pub window: Option<Period>,
    /// …for this long.
    pub open_for: Option<Period>,
}

/// What a model's name stands for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelDoc {
    /// Targets, tried in this order.
    pub targets: At<Vec<At<String>>>,
}

/// How callers show who they are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallersDoc {
    /// The file of virtual keys.
    pub keys: Option<At<Template>>,
    pub jwt: Option<JwtDoc>,
    pub mtls: Option<At<MtlsDoc>>,
    /// Whether those may call who show nothing: `everywhere`, or `true` for callers on this machine only.
    pub anonymous: Option<At<Anonymous>>,
    /// Where the user within the team is found: `header x-user-id`, `body metadata.user_id`.
    pub user: Option<OneOrMany<At<String>>>,
    /// Where the session is found.
    pub session: Option<OneOrMany<At<String>>>,
}

/// Signed tokens. Claims are named by path: `groups.0`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtDoc {
    pub issuer: At<Template>,
    /// The URL, or the path of a file, with the issuer's keys.
    pub jwks: At<Template>,
    pub audience: Option<OneOrMany<String>>,
    /// The claim that names the team.
    pub team: Option<String>,
    /// The claim that names the user.
    pub user: Option<String>,
    /// The claim that lists tags.
    pub tags: Option<String>,
}

/// Client certificates, as proof of who calls. The parts of one that name the team and the user.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MtlsDoc {
    pub team: Option<CertificateName>,
    pub user: Option<CertificateName>,
}

/// A name in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateName {
    CommonName,
    Organization,
    OrganizationalUnit,
    /// The first DNS name among the alternative names.
    DnsName,
    /// The first URI among the alternative names, such as a SPIFFE id.
    Uri,
}

/// Who may call without showing who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anonymous {
    /// Whoever reaches the port, which must then be a loopback address.
    True,
    /// Nobody.
    False,
    /// Whoever reaches the port, on any address.
    Everywhere,
}

/// Bounds of the server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsDoc {
    /// The largest request body; `16MiB` if not said.
    pub body: Option<At<Size>>,
    /// All headers of a request together; `64KiB` if not said.
    pub header: Option<At<Size>>,
    /// How long a connection may lie idle, and how long a caller may leave what was sent to it; `60s` if not said.
    pub idle: Option<At<Period>>,
    /// How long a caller may take to send its headers; `10s` if not said.
    pub header_timeout: Option<At<Period>>,
    /// How long requests under way may go on when the gateway stops; `30s` if not said.
    pub drain: Option<At<Period>>,
    /// Connections at once, further ones wait; 10000 if not said.
    pub connections: Option<At<NonZeroU64>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogDoc {
    pub format: Option<LogFormat>,
    pub level: Option<LogLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Json,
    Pretty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// When a canary is taken out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AbortDoc {
    /// The share of failed requests that is too many.
    pub error_rate: At<Share>,
    /// Judge only after this many requests; 20 if not said.
    pub min_requests: Option<NonZeroU32>,
}
