//! How long the answers of each model were of late: what an answer to come will likely be at the most.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::base::ids::ModelName;

/// The last answers of every model.
#[derive(Default)]
pub struct Outputs(Mutex<HashMap<ModelName, Recent>>);

/// A ring of the last lengths, in tokens.
#[derive(Default)]
struct Recent {
    lengths: Vec<u64>,
    next: usize,
    /// Nineteen in twenty of them are no longer; some answers may have come since.
    usual_most: u64,
}

impl Outputs {
    pub fn note(&self, model: &ModelName, tokens: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recent) = all.get_mut(model) {
            return recent.note(tokens);
        }
        // Callers may make up names; those that come too late are not kept apart.
        if all.len() < MOST_MODELS {
            all.entry(model.clone()).or_default().note(tokens);
        }
    }

    /// Nineteen in twenty of the model's last answers were no longer; `None` until there were some.
    pub fn usual_most(&self, model: &ModelName) -> Option<u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(model).map(|recent| recent.usual_most)
    }
}

impl Recent {
    fn note(&mut self, tokens: u64) {
        match self.lengths.get_mut(self.next) {
            Some(oldest) => *oldest = tokens,
            None => self.lengths.push(tokens),
        }
        self.next = (self.next + 1) % KEPT;
        if self.lengths.len() < KEPT || self.next.is_multiple_of(SUMMED_UP) {
            self.sum_up();
        }
    }

    fn sum_up(&mut self) {
        let mut lengths = self.lengths.clone();
        lengths.sort_unstable();
        let rank = (lengths.len() * 19).div_ceil(20).saturating_sub(1);
        self.usual_most = lengths.get(rank).copied().unwrap_or_default();
    }
}

/// So many answers make a new sum.
const SUMMED_UP: usize = 8;
const KEPT: usize = 64;
const MOST_MODELS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_twenty_answers_may_be_longer() {
        let (outputs, model) = (Outputs::default(), ModelName::new("m"));
        assert_eq!(outputs.usual_most(&model), None);
        (1..=40).for_each(|tokens| outputs.note(&model, tokens));
        assert_eq!(outputs.usual_most(&model), Some(38));
        assert_eq!(outputs.usual_most(&ModelName::new("another")), None);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let (outputs, model) = (Outputs::default(), ModelName::new("m"));
        outputs.note(&model, 1_000_000);
        (0..KEPT).for_each(|_| outputs.note(&model, 7));
        assert_eq!(outputs.usual_most(&model), Some(7));
    }
}
