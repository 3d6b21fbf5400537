//! Counts of pairs and of hits among them, and what they say about pairs that were not counted.

use crate::base::bound;

/// How pairs fared by one rule.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Pairs that ask for the same.
    pub same: u64,
    /// Of these, those that share an answer.
    pub hits: u64,
    /// Pairs that do not.
    pub different: u64,
    /// Of these, those that share an answer all the same.
    pub false_hits: u64,
}

impl Tally {
    pub fn add(&mut self, same: bool, hit: bool) {
        let hit = u64::from(hit);
        match same {
            true => (self.same, self.hits) = (self.same + 1, self.hits + hit),
            false => (self.different, self.false_hits) = (self.different + 1, self.false_hits + hit),
        }
    }

    /// In 0..=1, of the pairs that ask for the same; `None` without any.
    pub fn hit_rate(&self) -> Option<f64> {
        rate(self.hits, self.same)
    }

    /// In 0..=1, of the pairs that do not ask for the same; `None` without any.
    pub fn false_rate(&self) -> Option<f64> {
        rate(self.false_hits, self.different)
    }

    /// What the rate of false hits is below with a confidence of 95 %: the upper end of the two-sided Wilson score
    /// interval. 1 without any pair.
    pub fn false_rate_bound(&self) -> f64 {
        bound::upper(self.false_hits, self.different)
    }
}

fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
