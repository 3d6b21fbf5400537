//! What operators see: logs, the access log, metrics, traces, the decision log.
//!
//! Nothing on the request path waits for any of it: lines and counts are handed over, and dropped (and
//! counted) when nobody takes them. No body, key or matched secret is ever handed over.

pub mod access;
pub mod decisions;
mod lines;
pub mod log;
pub mod metrics;
pub mod otlp;
mod tray;

pub use access::{AccessLog, Line};
pub use metrics::{Metrics, PluginCounts};
