//! The built-in steps, and the one list of them.

pub mod rewrite;

use std::sync::Arc;

use crate::pipeline::Step;

/// A step as a policy file writes it: one key, the step's name, and its settings.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepConfig {
    Rewrite(rewrite::Config),
}

impl StepConfig {
    /// Makes the step.
    ///
    /// # Errors
    /// What is wrong with the settings, for the person who wrote them.
    pub fn build(&self) -> Result<Arc<dyn Step>, String> {
        match self {
            Self::Rewrite(config) => Ok(Arc::new(rewrite::Rewrite::new(config)?)),
        }
    }
}
