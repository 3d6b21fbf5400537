//! The built-in steps, and the one list of them.

pub mod rewrite;

/// A step as a policy file writes it: one key, the step's name, and its settings.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepConfig {
    Rewrite(rewrite::Config),
}
