//! Where traces go, and what is said there.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;

use super::sampling::Sampling;
use super::texts::Content;
use crate::base::secret::Secret;

/// A collector, and what it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Exporter {
    /// A short name for logs and metrics: its host and port.
    pub name: String,
    /// Its URL, with the path where that is not the usual one. Some carry a key.
    pub endpoint: Secret,
    pub protocol: Protocol,
    /// Sent with each request. They are secrets.
    pub headers: HeaderMap,
    /// A PEM file with the authorities to trust.
    pub ca: Option<PathBuf>,
    pub dialects: Vec<Dialect>,
    pub sampling: Sampling,
    pub content: Content,
    /// The longest wait for an answer of the collector.
    pub timeout: Duration,
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
