//! Counts of pairs and of hits among them, and what they say about pairs that were not counted.

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
        const Z: f64 = 1.959_963_985;
        let Some(rate) = self.false_rate() else { return 1.0 };
        let count = self.different as f64;
        let (middle, spread) =
            (rate + Z * Z / (2.0 * count), Z * (rate * (1.0 - rate) / count + Z * Z / (4.0 * count * count)).sqrt());
        ((middle + spread) / (1.0 + Z * Z / count)).min(1.0)
    }
}

fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_wilson() {
        let tally = |different, false_hits| Tally { different, false_hits, ..Tally::default() };
        let near = |one: f64, other: f64| assert!((one - other).abs() < 5e-4, "{one} is not {other}");
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        near(tally(263, 81).false_rate_bound(), 0.3662);
        near(tally(148, 15).false_rate_bound(), 0.1605);
        near(tally(20, 0).false_rate_bound(), 0.1611);
        near(tally(29, 1).false_rate_bound(), 0.1718);
        near(tally(0, 0).false_rate_bound(), 1.0);
    }
}
