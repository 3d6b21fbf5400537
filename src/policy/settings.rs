//! What the process needs to know of the files before it can serve: where to listen, how to log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::codes;
use super::config::Config;
use super::decode::At;
use super::document::{LogFormat, LogLevel};
use super::problem::Problem;
use super::reference::{Environment, Template};

/// Settings that belong to the process rather than to a revision: most take effect at the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub tls: Option<TlsFiles>,
    pub connections: Connections,
    /// How long requests under way may take to end when the process is told to stop.
    pub drain: Duration,
    pub log_is_json: bool,
    pub log_level: &'static str,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub client_ca: Option<PathBuf>,
}

/// Limits of the connections that callers make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub header_bytes: usize,
    pub header_timeout: Duration,
    pub idle: Duration,
    /// How many at a time.
    pub most: Option<usize>,
}

impl Settings {
    /// # Errors
    /// The path that a reference does not lead to.
    pub fn of(config: &Config, environment: &Environment) -> Result<Self, Problem> {
        let path = |template: &At<Template>| {
            let found = template.value.path(environment);
            found.map_err(|unresolved| Problem::error(codes::UNRESOLVED, unresolved.to_string()).at(template.span, ""))
        };
        let tls = match &config.tls {
            None => None,
            Some(tls) => Some(TlsFiles {
                cert: path(&tls.cert)?,
                key: path(&tls.key)?,
                client_ca: tls.client_ca.as_ref().map(path).transpose()?,
            }),
        };
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(Self {
            listen: config.listen,
            admin: config.admin,
            tls,
            connections: Connections {
                header_bytes: bytes(config.limits.header),
                header_timeout: config.limits.header_timeout,
                idle: config.limits.idle,
                most: config.limits.connections.map(bytes),
            },
            drain: config.limits.drain,
            log_is_json: config.log.format == LogFormat::Json,
            log_level: level(config.log.level),
        })
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}
