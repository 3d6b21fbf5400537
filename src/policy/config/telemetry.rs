//! Who is told of requests and of metrics.

use std::time::Duration;

use super::Config;
use crate::policy::decode::At;
use crate::policy::document::{Content, ExporterProtocol, TelemetryDialect};
use crate::policy::reference::Template;
use crate::telemetry::otlp::Sampling;

/// A collector of traces.
#[derive(Debug, Clone)]
pub struct ExporterConfig {
    pub collector: CollectorConfig,
    pub dialects: Vec<TelemetryDialect>,
    pub sampling: Sampling,
    pub content: Option<At<Content>>,
}

/// A collector of metrics.
#[derive(Debug, Clone)]
pub struct MetricExporterConfig {
    pub collector: CollectorConfig,
    pub interval: Duration,
}

/// Where a collector is.
#[derive(Debug, Clone)]
pub struct CollectorConfig {
    /// Empty for none.
    pub endpoint: At<Template>,
    pub protocol: ExporterProtocol,
    pub headers: Vec<(At<String>, At<Template>)>,
    /// The path of a PEM file.
    pub ca: Option<At<Template>>,
    pub timeout: Duration,
}

impl Config {
    pub(super) fn collectors(&self) -> impl Iterator<Item = &CollectorConfig> {
        let of_traces = self.exporters.iter().map(|exporter| &exporter.collector);
        of_traces.chain(self.metric_exporters.iter().map(|exporter| &exporter.collector))
    }
}
