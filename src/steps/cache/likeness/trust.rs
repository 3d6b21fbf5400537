//! What is known of how often answers to similar questions would have been wrong, and whether that is good enough.
//!
//! Nothing is given by likeness before it has been tried: an answer that would have been given is held against the one
//! that is asked for all the same. Only where the share of those that differ is, with a confidence of 95 %, not above
//! what the policy puts up with are answers given, and then some are still tried. A scope earns trust for itself alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::bound;
use crate::base::ids::PolicyName;

/// Whose similar questions, and found how: trust in one way to find them is none in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ground {
    pub policy: PolicyName,
    pub scope: [u8; 32],
    /// What embeds, and the least likeness in ten thousandths.
    pub by: (Arc<str>, u32),
}

/// How answers fared that were tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    pub tried: u64,
    pub wrong: u64,
}

impl Record {
    /// What the share of wrong ones is not above; 1 while nothing is known.
    pub fn below(self) -> f64 {
        bound::upper(self.wrong, self.tried)
    }

    fn add(&mut self, is_right: bool) {
        if self.tried >= LONGEST {
            // What was long ago counts for less.
            (self.tried, self.wrong) = (self.tried / 2, self.wrong / 2);
        }
        self.tried += 1;
        self.wrong += u64::from(!is_right);
    }
}

/// A record, and whether it is good enough where it was made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    pub record: Record,
    /// The share of wrong answers that is put up with there.
    pub at_most: f64,
}

impl Standing {
    pub fn serves(&self) -> bool {
        self.record.below() <= self.at_most
    }
}

/// The records of the process. Clones are the same.
#[derive(Clone, Default)]
pub struct Trust(Arc<Mutex<HashMap<Ground, Standing>>>);

impl Trust {
    pub fn of(&self, ground: &Ground) -> Record {
        self.lock().get(ground).map(|standing| standing.record).unwrap_or_default()
    }

    /// Notes that an answer was tried. Of more grounds than can be known of, nothing is learnt.
    pub fn learn(&self, ground: &Ground, is_right: bool, at_most: f64) {
        let mut known = self.lock();
        if known.len() < MOST || known.contains_key(ground) {
            let standing = known.entry(ground.clone()).or_default();
            standing.record.add(is_right);
            standing.at_most = at_most;
        }
    }

    /// Those of a policy, the best known first.
    pub fn all_of(&self, policy: &PolicyName) -> Vec<(Ground, Standing)> {
        let known = self.lock();
        let theirs = known.iter().filter(|(ground, _)| ground.policy == *policy);
        let mut all: Vec<_> = theirs.map(|(ground, standing)| (ground.clone(), *standing)).collect();
        let tried = |standing: &Standing| std::cmp::Reverse(standing.record.tried);
        all.sort_by(|(one, first), (other, second)| (tried(first), one).cmp(&(tried(second), other)));
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ground, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LONGEST: u64 = 20_000;
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_earned_by_hundreds_and_lost_by_a_few() {
        let (trust, policy) = (Trust::default(), PolicyName::new("p"));
        let ground = |scope| Ground { policy: policy.clone(), scope: [scope; 32], by: ("t".into(), 9300) };
        assert_eq!(trust.of(&ground(1)).below(), 1.0);
        for _ in 0..380 {
            assert!(trust.of(&ground(1)).below() > 0.01);
            trust.learn(&ground(1), true, 0.01);
        }
        trust.learn(&ground(1), true, 0.01);
        assert!(trust.of(&ground(1)).below() <= 0.01);
        assert_eq!(trust.of(&ground(2)), Record::default(), "another scope has not earned it");
        trust.learn(&ground(1), false, 0.01);
        assert!(trust.of(&ground(1)).below() > 0.01);
    }
}
