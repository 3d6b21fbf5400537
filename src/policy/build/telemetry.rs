//! Collectors of traces and metrics, and the record of decisions.

use std::time::Duration;

use super::Builder;
use crate::base::baggage;
use crate::base::units::{Period, Usd};
use crate::policy::codes;
use crate::policy::config::{CollectorConfig, ExporterConfig, MetricExporterConfig};
use crate::policy::decode::{At, Table, TextOr};
use crate::policy::document::{
    AlwaysDoc, Content, DecisionsDoc, ExporterDoc, ExporterProtocol, MetricExporterDoc, TelemetryDialect, TelemetryDoc,
};
use crate::policy::problem::Problem;
use crate::policy::reference::Template;
use crate::provider::Address;
use crate::telemetry::decisions;
use crate::telemetry::otlp::Sampling;

/// What is written of any collector.
struct CollectorDoc {
    endpoint: At<Template>,
    protocol: ExporterProtocol,
    headers: Table<At<Template>>,
    ca: Option<At<Template>>,
    timeout: Option<At<Period>>,
}

/// Who is told of requests, and what is noted of them.
pub(super) struct Told {
    pub exporters: Vec<ExporterConfig>,
    pub metric_exporters: Vec<MetricExporterConfig>,
    pub decisions: Option<decisions::Settings>,
    pub baggage: Vec<String>,
}

impl Builder<'_, '_> {
    pub(super) fn telemetry(&mut self, telemetry: TelemetryDoc) -> Told {
        let decisions = self.decisions(telemetry.decisions.clone());
        let baggage = self.baggage(&telemetry.baggage);
        self.shared_headers(&telemetry);
        let metric_exporters = self.metric_exporters(&telemetry);
        Told { exporters: self.exporters(telemetry), metric_exporters, decisions, baggage }
    }

    /// Headers are for collectors of traces that are written as a URL: there has to be one. What lets the gateway in there is
    /// no affair of collectors of metrics, which may be elsewhere.
    fn shared_headers(&mut self, telemetry: &TelemetryDoc) {
        let TelemetryDoc { otlp, metrics, headers, .. } = telemetry;
        let is_shared = otlp.0.iter().any(|exporter| matches!(exporter.value, TextOr::Text(_)));
        let has_collectors = !otlp.0.is_empty() || !metrics.0.is_empty();
        if let (false, true, Some((name, _))) = (is_shared, has_collectors, headers.0.first()) {
            let message = "these headers are for collectors of traces that are written as a URL, and there is none";
            let problem = Problem::error(codes::CONTRADICTION, message).at(name.span, "");
            self.note(problem.help("write `headers` beside the `endpoint` of each collector"));
        }
    }

    fn exporters(&mut self, telemetry: TelemetryDoc) -> Vec<ExporterConfig> {
        let TelemetryDoc { otlp, headers, dialects, content, .. } = telemetry;
        let exporters = otlp.0.into_iter().map(|exporter| {
            let span = exporter.span;
            let document = match exporter.value {
                TextOr::Other(document) => *document,
                TextOr::Text(url) => ExporterDoc {
                    endpoint: At::new(span, url),
                    protocol: ExporterProtocol::Http,
                    headers: headers.clone(),
                    ca: None,
                    dialects: dialects.clone(),
                    content: content.clone(),
                    sample: None,
                    always: None,
                    timeout: None,
                },
            };
            self.exporter(document)
        });
        exporters.collect()
    }

    fn metric_exporters(&mut self, telemetry: &TelemetryDoc) -> Vec<MetricExporterConfig> {
        let exporters = telemetry.metrics.0.iter().map(|exporter| {
            let document = match &exporter.value {
                TextOr::Other(document) => (**document).clone(),
                TextOr::Text(url) => MetricExporterDoc {
                    endpoint: At::new(exporter.span, url.clone()),
                    protocol: ExporterProtocol::Http,
                    headers: Table::default(),
                    ca: None,
                    interval: None,
                    timeout: None,
                },
            };
            let MetricExporterDoc { endpoint, protocol, headers, ca, interval, timeout } = document;
            if let Some(interval) = interval.as_ref().filter(|interval| interval.0 < LEAST_INTERVAL) {
                let problem = Problem::error(codes::OUT_OF_RANGE, "no collector wants metrics that often");
                self.note(problem.at(interval.span, "").help("write `1s` or more; 60s if left out"));
            }
            let interval = interval.map_or(USUAL_INTERVAL, |interval| interval.0);
            let collector = self.collector(CollectorDoc { endpoint, protocol, headers, ca, timeout });
            MetricExporterConfig { collector, interval }
        });
        exporters.collect()
    }

    /// What spans get of that which callers carry along.
    fn baggage(&mut self, names: &[At<String>]) -> Vec<String> {
        for name in names.iter().filter(|name| !baggage::is_name(&name.value)) {
            let problem =
                Problem::error(codes::WRONG_VALUE, format!("no member of a baggage is called `{}`", name.value));
            self.note(problem.at(name.span, "").help("a name has letters, digits, and `.`, `_` or `-` between them"));
        }
        names.iter().map(|name| name.value.clone()).collect()
    }

    /// Where decisions are recorded, if they are.
    fn decisions(&mut self, document: Option<DecisionsDoc>) -> Option<decisions::Settings> {
        let document = document?;
        if let Some(size) = document.size.as_ref().filter(|size| size.value.0 < LEAST_SIZE) {
            let problem = Problem::error(codes::OUT_OF_RANGE, "this holds next to no decisions");
            self.note(problem.at(size.span, "").help("one takes about 1KiB; write `64KiB` or more"));
        }
        if document.dir.value.trim().is_empty() {
            let problem = Problem::error(codes::WRONG_VALUE, "decisions need a folder");
            self.note(problem.at(document.dir.span, "").help("name one, like `decisions`"));
        }
        let folder = self.material.sources.folder(document.dir.span.file).join(&document.dir.value);
        Some(decisions::Settings { folder, size: document.size.map_or(USUAL_SIZE, |size| size.value.0) })
    }

    fn exporter(&mut self, document: ExporterDoc) -> ExporterConfig {
        let ExporterDoc { endpoint, protocol, headers, ca, dialects, content, sample, always, timeout } = document;
        let collector = self.collector(CollectorDoc { endpoint, protocol, headers, ca, timeout });
        if let Some(content) = content.as_ref().filter(|content| content.value == Content::Raw) {
            let message = "this collector gets texts as callers have sent them";
            let problem = Problem::warning(codes::RAW_TEXTS, message).at(content.span, "");
            self.note(problem.help("the files load only if the gateway is started with `--raw-content`"));
        }
        let dialects = if dialects.is_empty() { vec![TelemetryDialect::Genai] } else { dialects };
        let sampling = sampling(sample.map_or(1.0, |share| share.fraction()), always);
        ExporterConfig { collector, dialects, sampling, content }
    }

    fn collector(&mut self, document: CollectorDoc) -> CollectorConfig {
        if document.endpoint.is_literal()
            && let Ok(url) = document.endpoint.resolve(self.material.environment)
            && !url.is_empty()
            && let Err(why) = Address::parse(url.expose())
        {
            self.note(Problem::error(codes::WRONG_VALUE, why).at(document.endpoint.span, "this URL"));
        }
        if let Some(timeout) = document.timeout.as_ref().filter(|timeout| timeout.0.is_zero()) {
            let problem = Problem::error(codes::OUT_OF_RANGE, "a collector cannot answer in no time");
            self.note(problem.at(timeout.span, "").help("leave it out for 10s"));
        }
        CollectorConfig {
            endpoint: self.placed(document.endpoint),
            protocol: document.protocol,
            headers: self.exporter_headers(document.headers),
            ca: document.ca.map(|ca| self.placed(ca)),
            timeout: document.timeout.map_or(USUAL_TIMEOUT, |timeout| timeout.0),
        }
    }

    fn exporter_headers(&mut self, headers: Table<At<Template>>) -> Vec<(At<String>, At<Template>)> {
        let headers = headers.0.into_iter().map(|(name, value)| {
            if http::HeaderName::try_from(&name.value).is_err() {
                let problem =
                    Problem::error(codes::WRONG_VALUE, format!("`{}` is not the name of a header", name.value));
                self.note(problem.at(name.span, ""));
            }
            self.literal_secret(&format!("the header `{}`", name.value), &value);
            (name, self.placed(value))
        });
        headers.collect()
    }
}

fn sampling(rate: f64, always: Option<AlwaysDoc>) -> Sampling {
    let AlwaysDoc { errors, refusals, above } = always.unwrap_or_default();
    Sampling {
        rate,
        all_errors: errors.unwrap_or(true),
        all_refusals: refusals.unwrap_or(true),
        all_above: above.map(|Usd(amount)| amount),
    }
}

const USUAL_TIMEOUT: Duration = Duration::from_secs(10);
const USUAL_INTERVAL: Duration = Duration::from_secs(60);
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
const USUAL_SIZE: u64 = 64 << 20;
const LEAST_SIZE: u64 = 64 << 10;
