//! A target: a provider, a model there, and how to use it.

use std::sync::Arc;

use crate::base::ids::{ModelName, TargetName};
use crate::base::money::Nanos;
use crate::dialect::Dialect;
use crate::pipeline::breaker;
use crate::pipeline::health::Health;
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
    pub price: Option<Price>,
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

/// What a million tokens cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: Nanos,
    pub output: Nanos,
}

impl Price {
    /// The cost of so many tokens, rounded up.
    pub fn of(&self, input: u64, output: u64) -> Nanos {
        let part = |price: Nanos, tokens: u64| i128::from(price.0) * i128::from(tokens);
        let millionths = part(self.input, input) + part(self.output, output);
        Nanos(i64::try_from((millionths + 999_999) / 1_000_000).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_exact_and_rounds_up() {
        let price = Price { input: Nanos(2_000_000_000), output: Nanos(8_000_000_000) };
        assert_eq!(price.of(10, 2), Nanos(36_000));
        assert_eq!(Price { input: Nanos(1), output: Nanos(0) }.of(1, 0), Nanos(1));
    }
}
