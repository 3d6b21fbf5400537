//! How much a model's tokens differ from the estimate, learned from what providers report.
//!
//! Each report moves its own model's factor by an eighth of the difference, and no report counts for more than double
//! or less than half: a provider that lies moves its own models only, and those slowly and not far. Requests with
//! images or files teach nothing, and neither do short ones, which are framing for the most part.

use quick_cache::sync::Cache;

use crate::base::ids::ModelName;

/// What an estimate is to be multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor(f64);

impl Default for Factor {
    fn default() -> Self {
        Self(1.0)
    }
}

impl Factor {
    pub fn of(self, estimate: u64) -> u64 {
        (estimate as f64 * self.0).round() as u64
    }

    fn moved_by(self, estimated: u64, said: u64) -> Self {
        let seen = (said as f64 / estimated as f64).clamp(LEAST, MOST);
        Self(self.0 + (seen - self.0) / WEIGHT)
    }
}

/// The factors of models, as callers name them. Callers may make up names: those used least are forgotten.
pub struct Factors(Cache<ModelName, Factor>);

impl Default for Factors {
    fn default() -> Self {
        Self(Cache::new(MODELS))
    }
}

impl Factors {
    /// One for a model that nothing is known of.
    pub fn of(&self, model: &ModelName) -> Factor {
        self.0.get(model).unwrap_or_default()
    }

    /// Of two reports at the same moment one may be lost, which does not matter.
    pub fn learn(&self, model: &ModelName, estimated: u64, said: u64) {
        if estimated >= TEACHES && said > 0 && model.as_str().len() <= LONGEST_NAME {
            self.0.insert(model.clone(), self.of(model).moved_by(estimated, said));
        }
    }
}

const LEAST: f64 = 0.5;
const MOST: f64 = 2.0;
const WEIGHT: f64 = 8.0;
const MODELS: usize = 1_024;
const LONGEST_NAME: usize = 256;
/// The fewest tokens that teach anything.
const TEACHES: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn taught(said: u64, times: usize) -> (Factors, ModelName) {
        let (factors, model) = (Factors::default(), ModelName::new("m"));
        (0..times).for_each(|_| factors.learn(&model, 1_000, said));
        (factors, model)
    }

    #[test]
    fn what_providers_report_is_learned_little_by_little() {
        let (factors, model) = taught(1_400, 1);
        assert_eq!(factors.of(&model).of(1_000), 1_050);
        let (factors, model) = taught(1_400, 60);
        assert_eq!(factors.of(&model).of(1_000), 1_400);
    }

    #[test]
    fn a_lie_moves_its_own_model_only_and_not_far() {
        for (lie, most) in [(u64::MAX, 2_000), (1, 500)] {
            let (factors, model) = taught(lie, 1_000);
            assert_eq!(factors.of(&model).of(1_000), most);
            assert_eq!(factors.of(&ModelName::new("another")), Factor::default());
        }
        let (factors, model) = taught(u64::MAX, 1);
        assert_eq!(factors.of(&model).of(1_000), 1_125);
    }

    #[test]
    fn short_requests_and_silence_teach_nothing() {
        let (factors, model) = taught(0, 10);
        factors.learn(&model, 9, 900);
        assert_eq!(factors.of(&model), Factor::default());
    }

    #[test]
    fn made_up_names_are_forgotten_and_do_not_pile_up() {
        let factors = Factors::default();
        (0..10_000).for_each(|number| factors.learn(&ModelName::new(format!("m{number}")), 100, 150));
        factors.learn(&ModelName::new("n".repeat(100_000)), 100, 150);
        assert!(factors.0.len() <= MODELS, "{} are kept", factors.0.len());
    }
}
