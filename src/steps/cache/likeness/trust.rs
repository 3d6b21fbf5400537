//! What is known of how often answers to similar questions would have been wrong, and whether that is good enough.
//!
//! Nothing is given by likeness before it has been tried: an answer that would have been given is held against the one
//! that is asked for all the same. Only where the share of those that differ is, with a confidence of 95 %, not above
//! what the policy puts up with are answers given, and then some are still tried. A scope earns trust for itself alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::ids::PolicyName;
use crate::state::answers::Whose;
pub use crate::state::answers::{Ground, Record, Standing};

/// The records of the process. Clones are the same.
#[derive(Clone, Default)]
pub struct Trust(Arc<Mutex<HashMap<Ground, Standing>>>);

impl Trust {
    pub fn of(&self, ground: &Ground) -> Record {
        self.lock().get(ground).map(|standing| standing.record).unwrap_or_default()
    }

    /// Notes that an answer was tried, and says how that leaves it. Of more grounds than can be known of, nothing is learnt.
    pub fn learn(&self, ground: &Ground, is_right: bool, at_most: f64, by: &Arc<str>) -> Option<Standing> {
        let mut known = self.lock();
        if known.len() >= MOST && !known.contains_key(ground) {
            return None;
        }
        let by = Arc::clone(by);
        let standing = known.entry(ground.clone()).or_insert(Standing { record: Record::default(), at_most, by });
        standing.record.add(is_right);
        standing.at_most = at_most;
        Some(standing.clone())
    }

    /// Takes up what was known before. What is known already is newer.
    pub fn recall(&self, standings: Vec<(Ground, Standing)>) {
        let mut known = self.lock();
        for (ground, standing) in standings {
            if known.len() < MOST {
                known.entry(ground).or_insert(standing);
            }
        }
    }

    pub fn forget(&self, whose: &Whose) {
        self.lock().retain(|ground, _| !ground.is_of(whose));
    }

    /// Those of a policy, the best known first.
    pub fn all_of(&self, policy: &PolicyName) -> Vec<(Ground, Standing)> {
        let known = self.lock();
        let theirs = known.iter().filter(|(ground, _)| ground.policy == *policy);
        let mut all: Vec<_> = theirs.map(|(ground, standing)| (ground.clone(), standing.clone())).collect();
        let tried = |standing: &Standing| std::cmp::Reverse(standing.record.tried);
        all.sort_by(|(one, first), (other, second)| (tried(first), one).cmp(&(tried(second), other)));
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ground, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::answers::Scope;

    fn ground(team: &str) -> Ground {
        let policy = PolicyName::new("p");
        let scope = Scope::new(&policy, "team", &[Some(team)]).place(crate::state::answers::Question([0; 32])).scope();
        Ground { policy, scope, embedder: [1; 32], least: 9_300 }
    }

    #[test]
    fn trust_is_earned_by_hundreds_and_lost_by_a_few() {
        let (trust, by) = (Trust::default(), Arc::from("t"));
        assert_eq!(trust.of(&ground("a")).below(), 1.0);
        for _ in 0..380 {
            assert!(trust.of(&ground("a")).below() > 0.01);
            trust.learn(&ground("a"), true, 0.01, &by);
        }
        trust.learn(&ground("a"), true, 0.01, &by);
        assert!(trust.of(&ground("a")).below() <= 0.01);
        assert_eq!(trust.of(&ground("b")), Record::default(), "another scope has not earned it");
        trust.learn(&ground("a"), false, 0.01, &by);
        assert!(trust.of(&ground("a")).below() > 0.01);
    }

    #[test]
    fn what_was_known_before_is_no_better_than_what_is_known_now_and_can_be_forgotten() {
        let (trust, by) = (Trust::default(), Arc::from("t"));
        let before = |tried| Standing { record: Record { tried, wrong: 0 }, at_most: 0.01, by: Arc::from("t") };
        trust.learn(&ground("a"), false, 0.01, &by);
        trust.recall(vec![(ground("a"), before(900)), (ground("b"), before(800))]);
        assert_eq!((trust.of(&ground("a")).tried, trust.of(&ground("b")).tried), (1, 800));
        let policy = PolicyName::new("p");
        let of_a = Some(Scope::new(&policy, "team", &[Some("a")]));
        trust.forget(&Whose { policy: policy.clone(), scope: of_a });
        assert_eq!((trust.of(&ground("a")).tried, trust.of(&ground("b")).tried), (0, 800));
        trust.forget(&Whose { policy, scope: None });
        assert_eq!(trust.of(&ground("b")).tried, 0);
    }
}
