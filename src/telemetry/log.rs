//! The log of events, on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts logging at `level` (`info`, `tidegate=debug,hyper=warn`, …). The environment variable
/// `TIDEGATE_LOG`, if set, has the last word. A second call does nothing.
///
/// # Errors
/// When the level cannot be understood.
pub fn start(format: Format, level: &str) -> Result<(), String> {
    let directives = std::env::var("TIDEGATE_LOG").unwrap_or_else(|_| level.to_owned());
    let filter =
        EnvFilter::try_new(&directives).map_err(|error| format!("`{directives}` is not a log level: {error}"))?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_span_events(FmtSpan::NONE).with_writer(std::io::stderr);
    // A second start (tests, `demo`) keeps the first.
    let _ = match format {
        Format::Pretty => builder.with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
