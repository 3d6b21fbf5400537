//! What is known of how often answers to similar questions would have been wrong, and whether that is good enough.
//!
//! Nothing is given by likeness before it has been tried: an answer that would have been given is held against the one
//! that is asked for all the same. Only where the share of those that differ is, with a confidence of 95 %, not above
//! what the policy puts up with are answers given, and then some are still tried. A scope earns trust for itself alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::ids::PolicyName;
use crate::state::answers::{EmbedderHash, Whose};
pub use crate::state::answers::{Ground, Record, Standing};

/// The records of the process. Clones are the same.
#[derive(Clone, Default)]
pub struct Trust(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    standings: HashMap<Ground, Standing>,
    /// What of these others who share them have still to be told.
    untold: HashMap<Ground, Record>,
}

impl Trust {
    pub fn of(&self, ground: &Ground) -> Record {
        self.lock().standings.get(ground).map(|standing| standing.record).unwrap_or_default()
    }

    /// Notes that an answer was tried, and tells how that leaves it, before anybody else does so. Of more grounds than can be
    /// known of, nothing is learnt.
    pub fn learn(&self, ground: &Ground, is_right: bool, at_most: f64, by: &Arc<str>, tell: impl FnOnce(&Standing)) {
        let mut known = self.lock();
        if let Some(standing) = known.learn(ground, is_right, at_most, by) {
            tell(&standing);
        }
    }

    /// The same, where others are to be told of it.
    pub fn learn_to_tell(&self, ground: &Ground, is_right: bool, at_most: f64, by: &Arc<str>) {
        let mut known = self.lock();
        if known.learn(ground, is_right, at_most, by).is_some() {
            known.untold.entry(ground.clone()).or_default().add(is_right);
        }
    }

    /// Takes out what others are to be told now, each with what is to be added to its record.
    pub fn untold(&self, policy: &PolicyName, embedder: EmbedderHash) -> Vec<(Ground, Standing)> {
        let mut known = self.lock();
        let Known { standings, untold } = &mut *known;
        let theirs = untold.keys().filter(|ground| ground.policy == *policy && ground.embedder == embedder);
        let grounds: Vec<Ground> = theirs.take(TOLD_AT_ONCE).cloned().collect();
        let take = |ground: Ground| {
            let record = untold.remove(&ground)?;
            let standing = Standing { record, ..standings.get(&ground)?.clone() };
            Some((ground, standing))
        };
        grounds.into_iter().filter_map(take).collect()
    }

    /// Whether there is anything that others are to be told.
    pub fn is_untold(&self, policy: &PolicyName, embedder: EmbedderHash) -> bool {
        let known = self.lock();
        known.untold.keys().any(|ground| ground.policy == *policy && ground.embedder == embedder)
    }

    /// Takes up what was known before. What is known already is newer.
    pub fn recall(&self, standings: Vec<(Ground, Standing)>) {
        let mut known = self.lock();
        for (ground, standing) in standings {
            if known.standings.len() < MOST {
                known.standings.entry(ground).or_insert(standing);
            }
        }
    }

    /// Takes up what those who share them make of these, all trials included but for those that they are still to be told of.
    /// There may be no others.
    pub fn hear(&self, policy: &PolicyName, embedder: EmbedderHash, standings: Vec<(Ground, Standing)>, are_all: bool) {
        let mut known = self.lock();
        let Known { standings: ours, untold } = &mut *known;
        if are_all {
            ours.retain(|ground, _| {
                ground.policy != *policy || ground.embedder != embedder || untold.contains_key(ground)
            });
            let here = ours.iter_mut().filter_map(|(ground, standing)| Some((standing, untold.get(ground)?)));
            here.for_each(|(standing, untold)| standing.record = *untold);
        }
        for (ground, mut standing) in standings {
            if let Some(untold) = untold.get(&ground) {
                standing.record.tried = standing.record.tried.saturating_add(untold.tried);
                standing.record.wrong = standing.record.wrong.saturating_add(untold.wrong);
            }
            if ours.len() < MOST || ours.contains_key(&ground) {
                ours.insert(ground, standing);
            }
        }
    }

    pub fn forget(&self, whose: &Whose) {
        self.forget_where(|ground| ground.is_of(whose));
    }

    /// Forgets what was found by an embedder alone.
    pub fn forget_by(&self, whose: &Whose, embedder: EmbedderHash) {
        self.forget_where(|ground| ground.embedder == embedder && ground.is_of(whose));
    }

    fn forget_where(&self, is_theirs: impl Fn(&Ground) -> bool) {
        let mut known = self.lock();
        known.standings.retain(|ground, _| !is_theirs(ground));
        known.untold.retain(|ground, _| !is_theirs(ground));
    }

    /// Those of a policy, the best known first.
    pub fn all_of(&self, policy: &PolicyName) -> Vec<(Ground, Standing)> {
        let known = self.lock();
        let theirs = known.standings.iter().filter(|(ground, _)| ground.policy == *policy);
        let mut all: Vec<_> = theirs.map(|(ground, standing)| (ground.clone(), standing.clone())).collect();
        let tried = |standing: &Standing| std::cmp::Reverse(standing.record.tried);
        all.sort_by(|(one, first), (other, second)| (tried(first), one).cmp(&(tried(second), other)));
        all
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn learn(&mut self, ground: &Ground, is_right: bool, at_most: f64, by: &Arc<str>) -> Option<Standing> {
        if self.standings.len() >= MOST && !self.standings.contains_key(ground) {
            return None;
        }
        let by = Arc::clone(by);
        let new = Standing { record: Record::default(), at_most, by };
        let standing = self.standings.entry(ground.clone()).or_insert(new);
        standing.record.add(is_right);
        standing.at_most = at_most;
        Some(standing.clone())
    }
}

const MOST: usize = 10_000;
/// Grounds that others are told of in one go.
const TOLD_AT_ONCE: usize = 200;

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
            trust.learn(&ground("a"), true, 0.01, &by, |_| {});
        }
        trust.learn(&ground("a"), true, 0.01, &by, |_| {});
        assert!(trust.of(&ground("a")).below() <= 0.01);
        assert_eq!(trust.of(&ground("b")), Record::default(), "another scope has not earned it");
        trust.learn(&ground("a"), false, 0.01, &by, |_| {});
        assert!(trust.of(&ground("a")).below() > 0.01);
    }

    #[test]
    fn what_was_known_before_is_no_better_than_what_is_known_now_and_can_be_forgotten() {
        let (trust, by) = (Trust::default(), Arc::from("t"));
        let before = |tried| Standing { record: Record { tried, wrong: 0 }, at_most: 0.01, by: Arc::from("t") };
        trust.learn(&ground("a"), false, 0.01, &by, |_| {});
        trust.recall(vec![(ground("a"), before(900)), (ground("b"), before(800))]);
        assert_eq!((trust.of(&ground("a")).tried, trust.of(&ground("b")).tried), (1, 800));
        let policy = PolicyName::new("p");
        let of_a = Some(Scope::new(&policy, "team", &[Some("a")]));
        trust.forget(&Whose { policy: policy.clone(), scope: of_a });
        assert_eq!((trust.of(&ground("a")).tried, trust.of(&ground("b")).tried), (0, 800));
        trust.forget(&Whose { policy, scope: None });
        assert_eq!(trust.of(&ground("b")).tried, 0);
    }

    #[test]
    fn what_others_make_of_it_counts_and_what_they_are_still_to_be_told_is_added() {
        let (trust, by, policy) = (Trust::default(), Arc::from("t"), PolicyName::new("p"));
        let theirs = |tried, wrong| Standing { record: Record { tried, wrong }, at_most: 0.01, by: Arc::from("t") };
        let hear = |standings, are_all| trust.hear(&policy, [1; 32], standings, are_all);
        trust.learn_to_tell(&ground("a"), false, 0.01, &by);
        trust.learn_to_tell(&ground("b"), true, 0.01, &by);
        hear(vec![(ground("a"), theirs(100, 2))], false);
        assert_eq!(trust.of(&ground("a")), Record { tried: 101, wrong: 3 });
        let mut told = trust.untold(&policy, [1; 32]);
        told.sort_by_key(|(_, standing)| standing.record.wrong);
        assert_eq!(told, [(ground("b"), theirs(1, 0)), (ground("a"), theirs(1, 1))]);
        assert!(trust.untold(&policy, [1; 32]).is_empty());
        // Until there is news of it, it counts as it did.
        assert_eq!(trust.of(&ground("a")), Record { tried: 101, wrong: 3 });
        trust.learn_to_tell(&ground("b"), true, 0.01, &by);
        trust.learn(&Ground { embedder: [2; 32], ..ground("c") }, true, 0.01, &by, |_| {});
        trust.hear(&policy, [1; 32], Vec::new(), true);
        assert_eq!((trust.of(&ground("a")).tried, trust.of(&ground("b")).tried), (0, 1), "there are no others");
        assert_eq!(trust.all_of(&policy).len(), 2, "another embedder's are another's");
        let all = Whose { policy: policy.clone(), scope: None };
        trust.forget_by(&all, [1; 32]);
        assert!(trust.untold(&policy, [1; 32]).is_empty());
        assert_eq!(trust.all_of(&policy).len(), 1);
    }
}
