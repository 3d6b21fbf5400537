//! A plugin's lines in the gateway's log.

use std::sync::Arc;

use tracing::{debug, error, info, trace, warn};

use crate::wasm::Log;
use crate::wasm::log::Level;

/// Says whose lines they are.
pub struct LogLines {
    pub plugin: Arc<str>,
    pub policy: Arc<str>,
}

impl Log for LogLines {
    fn write(&self, level: Level, message: &str) {
        let Self { plugin, policy } = self;
        // One line each, whatever is in it.
        let said = message.escape_debug();
        match level {
            Level::Trace => trace!(%plugin, %policy, %said, "a plugin says"),
            Level::Debug => debug!(%plugin, %policy, %said, "a plugin says"),
            Level::Info => info!(%plugin, %policy, %said, "a plugin says"),
            Level::Warn => warn!(%plugin, %policy, %said, "a plugin says"),
            Level::Error => error!(%plugin, %policy, %said, "a plugin says"),
        }
    }
}
