//! Opening the collectors of traces.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Parts;
use super::providers::{path, resolve};
use crate::policy::codes;
use crate::policy::config::{Config, ExporterConfig};
use crate::policy::document::{ExporterProtocol, TelemetryDialect};
use crate::policy::problem::Problem;
use crate::provider::Address;
use crate::telemetry::otlp::{Dialect, Exporter, Protocol};

pub fn exporters(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Vec<Exporter> {
    // As for everything else that speaks OpenTelemetry.
    if parts.environment.says("OTEL_SDK_DISABLED").is_some_and(|said| said.trim().eq_ignore_ascii_case("true")) {
        return Vec::new();
    }
    config.exporters.iter().filter_map(|exporter| open(exporter, parts, problems)).collect()
}

/// `None` for a URL that is empty.
fn open(config: &ExporterConfig, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<Exporter> {
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
    Some(Exporter {
        name: format!("{}:{}", address.host(), address.port()),
        endpoint,
        protocol: match config.protocol {
            ExporterProtocol::Http => Protocol::Http,
            ExporterProtocol::Grpc => Protocol::Grpc,
        },
        headers,
        ca,
        dialects: config.dialects.iter().map(|dialect| dialect_of(*dialect)).collect(),
        sampling: config.sampling.clone(),
        timeout: config.timeout,
    })
}

fn dialect_of(dialect: TelemetryDialect) -> Dialect {
    match dialect {
        TelemetryDialect::Genai => Dialect::Genai,
        TelemetryDialect::Langfuse => Dialect::Langfuse,
        TelemetryDialect::Openinference => Dialect::OpenInference,
    }
}
