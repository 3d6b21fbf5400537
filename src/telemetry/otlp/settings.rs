//! Where traces and metrics go, and what is said there.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use tonic::transport::{Certificate, ClientTlsConfig};

use super::sampling::Sampling;
use super::texts::Content;
use crate::base::secret::Secret;

/// A collector, and what it is told of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Exporter {
    pub collector: Collector,
    pub dialects: Vec<Dialect>,
    pub sampling: Sampling,
    pub content: Content,
}

/// A collector, and how often it is told of metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricExporter {
    pub collector: Collector,
    /// From one telling to the next.
    pub interval: Duration,
}

/// Where a collector is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub struct Collector {
    /// A short name for logs and metrics: its host and port.
    pub name: String,
    /// Its URL, with the path where that is not the usual one. Some carry a key.
    pub endpoint: Secret,
    pub protocol: Protocol,
    /// Sent with each request. They are secrets.
    pub headers: HeaderMap,
    /// A PEM file with the authorities to trust.
    pub ca: Option<PathBuf>,
    /// The longest wait for an answer of the collector.
    pub timeout: Duration,
}

impl Collector {
    /// The URL that takes one kind of things, below the one that the collector is known by.
    pub fn url(&self, path: &str) -> String {
        let url = self.endpoint.expose().trim_end_matches('/');
        if url.ends_with(path) { url.to_owned() } else { format!("{url}{path}") }
    }

    /// Whom to trust at the other end of a gRPC connection; `None` without TLS.
    ///
    /// # Errors
    /// When the file with the authorities cannot be read.
    pub fn tls(&self) -> Result<Option<ClientTlsConfig>, String> {
        if !self.endpoint.expose().starts_with("https:") {
            return Ok(None);
        }
        let Some(path) = &self.ca else { return Ok(Some(ClientTlsConfig::new().with_native_roots())) };
        let pem = std::fs::read(path).map_err(|error| format!("the CA file cannot be read: {error}"))?;
        Ok(Some(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf over HTTP.
    Http,
    Grpc,
}

/// Whose names for things a trace uses. Several may be used at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenTelemetry's conventions for generative AI.
    Genai,
    Langfuse,
    OpenInference,
}
