//! Changes what a request asks for before it goes out: sets or caps parameters, adds a system prompt,
//! names another model.

use std::collections::BTreeMap;

/// The settings of a `rewrite` step.
#[derive(Debug, Clone, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Parameters to set, whatever the caller said: `{ temperature: 0 }`.
    #[serde(default)]
    pub set: BTreeMap<String, serde_json::Value>,
    /// Parameters to set only where the caller said nothing.
    #[serde(default)]
    pub default: BTreeMap<String, serde_json::Value>,
    /// Upper bounds for numeric parameters: `{ max_tokens: 4096 }`.
    #[serde(default)]
    pub cap: BTreeMap<String, f64>,
    /// A system prompt put before the caller's own.
    #[serde(default)]
    pub system: Option<String>,
    /// The model to ask for instead of the one the caller named.
    #[serde(default)]
    pub model: Option<String>,
}
