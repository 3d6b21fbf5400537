//! What a plugin says of itself.

use schemars::JsonSchema;

use crate::bindings::lifecycle::exports::tidegate::plugin::lifecycle;

pub use lifecycle::Hook;

/// What a plugin says of itself while a policy loads. Made with [`about!`](crate::about!).
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    pub name: String,
    pub version: String,
    /// One line for the operator.
    pub description: String,
    config_schema: Option<String>,
    needs: Vec<String>,
}

impl About {
    pub fn new(name: impl Into<String>, version: impl Into<String>, description: impl Into<String>) -> Self {
        let (name, version, description) = (name.into(), version.into(), description.into());
        Self { name, version, description, config_schema: None, needs: Vec::new() }
    }

    /// With the schema of the configuration. The gateway checks by it what a policy says, before the plugin sees it.
    pub fn config<C: JsonSchema>(mut self) -> Self {
        self.config_schema = Some(schemars::schema_for!(C).as_value().to_string());
        self
    }

    /// With a grant without which the plugin cannot do its work: `request.text`, `kv`, `http`. A policy that does not
    /// give it does not load.
    pub fn needs(mut self, grant: impl Into<String>) -> Self {
        self.needs.push(grant.into());
        self
    }

    pub(crate) fn with_hooks(self, hooks: &[Hook]) -> lifecycle::About {
        lifecycle::About {
            name: self.name,
            version: self.version,
            description: self.description,
            config_schema_json: self.config_schema,
            hooks: hooks.to_vec(),
            needs: self.needs,
        }
    }
}

/// An [`About`] with the name and version of the package, and one line on what the plugin does.
#[macro_export]
macro_rules! about {
    ($description:expr) => {
        $crate::About::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), $description)
    };
}
