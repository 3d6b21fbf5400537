//! How answers to similar questions have fared, by those who share them.

use std::sync::Arc;

use crate::base::bound;
use crate::base::ids::PolicyName;
use crate::state::answers::Whose;

/// What tells embedders apart: vectors of two with the same may be compared, and no others.
pub type EmbedderHash = [u8; 32];

/// Whose similar questions, and found how: trust in one way to find them is none in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ground {
    pub policy: PolicyName,
    pub scope: [u8; 32],
    pub embedder: EmbedderHash,
    /// The least likeness, in ten thousandths.
    pub least: u32,
}

impl Ground {
    /// Who shares answers there: told apart, and not named.
    pub fn shown(&self) -> String {
        self.scope.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn is_of(&self, whose: &Whose) -> bool {
        self.policy == whose.policy && whose.scope.as_ref().is_none_or(|scope| scope.has(&self.scope))
    }
}

/// How answers fared that were tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    pub tried: u64,
    pub wrong: u64,
}

impl Record {
    /// What the share of wrong ones is not above, with a confidence of 95 %; 1 while nothing is known.
    pub fn below(self) -> f64 {
        bound::upper(self.wrong, self.tried)
    }

    pub fn add(&mut self, is_right: bool) {
        if self.tried >= LONGEST {
            // What was long ago counts for less.
            (self.tried, self.wrong) = (self.tried / 2, self.wrong / 2);
        }
        self.tried += 1;
        self.wrong += u64::from(!is_right);
    }
}

/// A record, and whether it is good enough where it was made.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Standing {
    pub record: Record,
    /// The share of wrong answers that is put up with there.
    pub at_most: f64,
    /// The target that embeds, as the policy names it.
    pub by: Arc<str>,
}

impl Standing {
    pub fn serves(&self) -> bool {
        self.record.below() <= self.at_most
    }

    /// What the share of wrong ones is not above, for people.
    pub fn shown_below(&self) -> String {
        format!("{:.2}%", self.record.below() * 100.0)
    }
}

const LONGEST: u64 = 20_000;
