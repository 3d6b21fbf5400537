//! A target: a provider, a model there, and how to use it.

use std::sync::Arc;

use crate::base::ids::{ModelName, TargetName};
use crate::dialect::Dialect;
use crate::pipeline::breaker;
use crate::pipeline::health::Health;
use crate::pipeline::tariff::Tariff;
use crate::provider::Provider;

/// One place a request may go to. Belongs to a policy revision; its health does not.
pub struct Target {
    pub name: TargetName,
    pub provider: Arc<Provider>,
    pub dialect: &'static dyn Dialect,
    /// The model to ask for; `None` for whichever the caller named.
    pub model: Option<ModelName>,
    pub max_concurrent: Option<u32>,
    pub breaker: breaker::Settings,
    pub tariff: Tariff,
    pub health: Arc<Health>,
}

impl Target {
    /// The model that is asked for when the caller named `asked`.
    pub fn model_for<'a>(&'a self, asked: &'a ModelName) -> &'a ModelName {
        self.model.as_ref().unwrap_or(asked)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.name)
    }
}
