//! Traces, metrics and the record of decisions, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::units::{Period, Share, Size, Usd};
use crate::policy::decode::{At, OneOrMany, Table, TextOr};
use crate::policy::reference::Template;

/// Traces and metrics for collectors, and the record of decisions.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryDoc {
    /// Collectors of traces, each by its URL (empty for none) or with settings of its own.
    #[serde(default)]
    pub otlp: OneOrMany<At<TextOr<Box<ExporterDoc>, Template>>>,
    /// Collectors of metrics, written in the same way; none if not said. They are told what `/metrics` shows.
    #[serde(default)]
    pub metrics: OneOrMany<At<TextOr<Box<MetricExporterDoc>, Template>>>,
    /// Headers for collectors of traces that are written as a URL, and for no others.
    #[serde(default)]
    pub headers: Table<At<Template>>,
    /// Whose names for things those use that are written as a URL; `genai` if not said.
    #[serde(default)]
    pub dialects: Vec<TelemetryDialect>,
    /// Which texts those get that are written as a URL.
    pub content: Option<At<Content>>,
    /// Members of the caller's `baggage` header that every span gets, as `baggage.NAME`; none if not said.
    #[serde(default)]
    pub baggage: Vec<At<String>>,
    /// The record of what was decided about each request; none if not said.
    pub decisions: Option<DecisionsDoc>,
}

/// A record of decisions, kept on disk for a while.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionsDoc {
    /// The folder for its files, which no other gateway writes to. Relative paths start from this file's folder.
    pub dir: At<String>,
    /// How large it may become, before the oldest decisions go; `64MiB` if not said, at least `64KiB`.
    pub size: Option<At<Size>>,
}

/// A collector of traces.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExporterDoc {
    /// Its URL; `/v1/traces` is added if it speaks HTTP.
    pub endpoint: At<Template>,
    #[serde(default)]
    pub protocol: ExporterProtocol,
    #[serde(default)]
    pub headers: Table<At<Template>>,
    /// A PEM file with the authorities to trust for it.
    pub ca: Option<At<Template>>,
    /// Whose names for things it gets; `genai` if not said.
    #[serde(default)]
    pub dialects: Vec<TelemetryDialect>,
    /// Which texts it gets; none if not said.
    pub content: Option<At<Content>>,
    /// The share of requests it is told of; all if not said.
    pub sample: Option<At<Share>>,
    /// What it is told of in any case.
    pub always: Option<AlwaysDoc>,
    /// How long it may take to answer; `10s` if not said.
    pub timeout: Option<At<Period>>,
}

/// A collector of metrics.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricExporterDoc {
    /// Its URL; `/v1/metrics` is added if it speaks HTTP.
    pub endpoint: At<Template>,
    #[serde(default)]
    pub protocol: ExporterProtocol,
    #[serde(default)]
    pub headers: Table<At<Template>>,
    /// A PEM file with the authorities to trust for it.
    pub ca: Option<At<Template>>,
    /// From one telling to the next; `60s` if not said, at least `1s`.
    pub interval: Option<At<Period>>,
    /// How long it may take to answer; `10s` if not said.
    pub timeout: Option<At<Period>>,
}

/// Requests that a collector is told of whatever its share.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlwaysDoc {
    /// Those that failed or broke off; `true` if not said.
    pub errors: Option<bool>,
    /// Those that the gateway refused; `true` if not said.
    pub refusals: Option<bool>,
    /// Those that cost as much or more, in US dollars.
    pub above: Option<Usd>,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExporterProtocol {
    /// Protobuf over HTTP.
    #[default]
    Http,
    Grpc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TelemetryDialect {
    Genai,
    Langfuse,
    Openinference,
}

/// Which texts of requests and answers a trace may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    #[default]
    None,
    /// What really went upstream, and what came from there.
    Redacted,
    /// What the caller has sent and got, if the gateway was started with `--raw-content`.
    Raw,
}
