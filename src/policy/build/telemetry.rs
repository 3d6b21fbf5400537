//! Collectors of traces, and the record of decisions.

use std::time::Duration;

use super::Builder;
use crate::base::baggage;
use crate::base::units::Usd;
use crate::policy::codes;
use crate::policy::config::ExporterConfig;
use crate::policy::decode::{At, Table, TextOr};
use crate::policy::document::{
    AlwaysDoc, Content, DecisionsDoc, ExporterDoc, ExporterProtocol, TelemetryDialect, TelemetryDoc,
};
use crate::policy::problem::Problem;
use crate::policy::reference::Template;
use crate::provider::Address;
use crate::telemetry::decisions;
use crate::telemetry::otlp::Sampling;

impl Builder<'_, '_> {
    pub(super) fn telemetry(&mut self, telemetry: TelemetryDoc) -> Vec<ExporterConfig> {
        let TelemetryDoc { otlp, headers, dialects, content, .. } = telemetry;
        let is_shared = otlp.0.iter().any(|exporter| matches!(exporter.value, TextOr::Text(_)));
        if let (false, false, Some((name, _))) = (is_shared, otlp.0.is_empty(), headers.0.first()) {
            let message = "these headers are for collectors that are written as a URL, and there is none";
            let problem = Problem::error(codes::CONTRADICTION, message).at(name.span, "");
            self.note(problem.help("write `headers` beside the `endpoint` of each collector"));
        }
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

    /// What spans get of that which callers carry along.
    pub(super) fn baggage(&mut self, names: &[At<String>]) -> Vec<String> {
        for name in names.iter().filter(|name| !baggage::is_name(&name.value)) {
            let problem =
                Problem::error(codes::WRONG_VALUE, format!("no member of a baggage is called `{}`", name.value));
            self.note(problem.at(name.span, "").help("a name has letters, digits, and `.`, `_` or `-` between them"));
        }
        names.iter().map(|name| name.value.clone()).collect()
    }

    /// Where decisions are recorded, if they are.
    pub(super) fn decisions(&mut self, document: Option<DecisionsDoc>) -> Option<decisions::Settings> {
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
        if let Some(content) = document.content.as_ref().filter(|content| content.value == Content::Raw) {
            let message = "this collector gets texts as callers have sent them";
            let problem = Problem::warning(codes::RAW_TEXTS, message).at(content.span, "");
            self.note(problem.help("the files load only if the gateway is started with `--raw-content`"));
        }
        let dialects = if document.dialects.is_empty() { vec![TelemetryDialect::Genai] } else { document.dialects };
        ExporterConfig {
            endpoint: self.placed(document.endpoint),
            protocol: document.protocol,
            headers: self.exporter_headers(document.headers),
            ca: document.ca.map(|ca| self.placed(ca)),
            dialects,
            sampling: sampling(document.sample.map_or(1.0, |share| share.fraction()), document.always),
            content: document.content,
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
const USUAL_SIZE: u64 = 64 << 20;
const LEAST_SIZE: u64 = 64 << 10;
