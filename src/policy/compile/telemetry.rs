//! Opening the collectors of traces and of metrics.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Parts;
use super::providers::{path, resolve};
use crate::policy::codes;
use crate::policy::config::{CollectorConfig, Config, ExporterConfig};
use crate::policy::document::{self, ExporterProtocol, TelemetryDialect};
use crate::policy::problem::Problem;
use crate::policy::reference::Environment;
use crate::provider::Address;
use crate::telemetry::otlp::{Collector, Content, Dialect, Exporter, MetricExporter, Protocol};

/// Those that are told of requests.
pub fn exporters(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Vec<Exporter> {
    if is_off(parts) {
        return Vec::new();
    }
    let exporters = config.exporters.iter().filter_map(|exporter| {
        Some(Exporter {
            collector: open(&exporter.collector, parts, problems)?,
            dialects: exporter.dialects.iter().map(|dialect| dialect_of(*dialect)).collect(),
            sampling: exporter.sampling.clone(),
            content: content(exporter, parts, problems),
        })
    });
    exporters.collect()
}

/// Those that are told of metrics.
pub fn metric_exporters(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Vec<MetricExporter> {
    if is_off(parts) {
        return Vec::new();
    }
    let exporters = config.metric_exporters.iter().filter_map(|exporter| {
        let collector = open(&exporter.collector, parts, problems)?;
        Some(MetricExporter { collector, interval: exporter.interval })
    });
    exporters.collect()
}

/// As for everything else that speaks OpenTelemetry.
fn is_off(parts: &Parts<'_>) -> bool {
    parts.environment.says("OTEL_SDK_DISABLED").is_some_and(|said| said.trim().eq_ignore_ascii_case("true"))
}

/// `None` for a URL that is empty.
fn open(config: &CollectorConfig, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<Collector> {
    let endpoint = resolve(&config.endpoint, parts, problems).filter(|url| !url.expose().trim().is_empty())?;
    let address = match Address::parse(endpoint.expose()) {
        Ok(address) => address,
        Err(why) => {
            problems.push(Problem::error(codes::WRONG_VALUE, why).at(config.endpoint.span, "of the collector"));
            return None;
        }
    };
    let ca = config.ca.as_ref().and_then(|ca| path(ca, parts, problems));
    let mut headers = HeaderMap::new();
    for (name, template) in &config.headers {
        let value = resolve(template, parts, problems)?;
        match (HeaderName::try_from(&name.value), HeaderValue::try_from(value.expose().trim())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => {
                let message = format!("the value of the header `{}` cannot be sent", name.value);
                problems.push(Problem::error(codes::WRONG_VALUE, message).at(template.span, "what this stands for"));
            }
        }
    }
    Some(Collector {
        name: format!("{}:{}", address.host(), address.port()),
        endpoint,
        protocol: match config.protocol {
            ExporterProtocol::Http => Protocol::Http,
            ExporterProtocol::Grpc => Protocol::Grpc,
        },
        headers,
        ca,
        timeout: config.timeout,
    })
}

/// The texts a collector gets: as the file says, or fewer if the environment does. Nobody gets raw ones by a file alone.
fn content(config: &ExporterConfig, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Content {
    let Some(written) = &config.content else { return Content::None };
    let wanted = match written.value {
        document::Content::None => Content::None,
        document::Content::Redacted => Content::Redacted,
        document::Content::Raw => Content::Raw,
    };
    if wanted == Content::Raw && !parts.shows_raw {
        let message = "texts as callers have sent them leave the gateway only if whoever starts it says so";
        let problem = Problem::error(codes::RAW_TEXTS, message).at(written.span, "");
        problems.push(problem.help("write `redacted` for what goes upstream, or start with `--raw-content`"));
    }
    wanted.min(most(parts.environment))
}

/// The most that the environment lets collectors have. What it says in other words than these is nothing.
fn most(environment: &Environment) -> Content {
    let all = environment.says("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT").map(|said| said.to_lowercase());
    if all.is_some_and(|said| matches!(said.trim(), "false" | "no_content" | "event_only")) {
        return Content::None;
    }
    match environment.says("TIDEGATE_TRACE_CONTENT").as_deref().map(str::trim) {
        None | Some("raw") => Content::Raw,
        Some("redacted") => Content::Redacted,
        Some(_) => Content::None,
    }
}

fn dialect_of(dialect: TelemetryDialect) -> Dialect {
    match dialect {
        TelemetryDialect::Genai => Dialect::Genai,
        TelemetryDialect::Langfuse => Dialect::Langfuse,
        TelemetryDialect::Openinference => Dialect::OpenInference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_lowers_what_collectors_get_and_never_raises_it() {
        let most = |name: &str, said: &str| most(&Environment::of([(name.to_owned(), said.to_owned())], "."));
        let (ours, standard) = ("TIDEGATE_TRACE_CONTENT", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT");
        assert_eq!(most(ours, "none"), Content::None);
        assert_eq!(most(ours, "redacted"), Content::Redacted);
        assert_eq!(most(ours, "everything"), Content::None, "a word that nobody knows raises nothing");
        assert_eq!((most(standard, "False"), most(standard, "NO_CONTENT")), (Content::None, Content::None));
        assert_eq!((most(standard, "true"), most("OTHER", "none")), (Content::Raw, Content::Raw));
        assert_eq!(Content::None.min(most(standard, "true")), Content::None);
    }
}
