//! What is known of a policy's questions, by one embedder: as long as some revision of the policy has use for it, and
//! where the store of answers outlives the process, from one to the next.
//!
//! What was known before is fetched once, when it is wanted first, by a task of its own. Until that is done nobody waits
//! for it: questions are taken in, but nothing is learnt of how answers fare, which would take the place of what is known
//! of that.
//!
//! Where gateways share the store, its questions are followed for as long as they are of use: see `following`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tokio::runtime::Handle;
use tracing::warn;

use super::features::Features;
use super::following::{Ear, Follower};
use super::index::{Index, Known};
use super::trust::Trust;
use super::vector::Vector;
use crate::base::ids::PolicyName;
use crate::state::Answers;
use crate::state::answers::{Bearing, EmbedderHash, Heard, Place, Recalled, Room, Whose};

/// Those of the process. Clones are the same.
#[derive(Clone, Default)]
pub struct Repertoires(Arc<Mutex<HashMap<Key, Weak<Repertoire>>>>);

type Key = (PolicyName, EmbedderHash);

/// The questions of one policy.
pub struct Repertoire {
    pub policy: PolicyName,
    pub embedder: EmbedderHash,
    pub index: Index,
    /// Somebody has begun to fetch what was known before.
    is_begun: AtomicBool,
    /// That is done, or there is nothing to fetch.
    is_whole: AtomicBool,
    /// What was forgotten before that was done, and must not come back.
    forgotten: Mutex<Vec<Whose>>,
    /// Others share these questions, and are heard of here.
    ear: OnceLock<Arc<Ear>>,
    /// How much there is room for, as the policy has said last.
    room: Mutex<Room>,
}

impl Repertoires {
    /// The questions of a policy; those that another revision of it knows, if it has the same embedder.
    pub fn of(&self, policy: &PolicyName, embedder: EmbedderHash) -> Arc<Repertoire> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, repertoire| repertoire.strong_count() > 0);
        let key = (policy.clone(), embedder);
        if let Some(repertoire) = known.get(&key).and_then(Weak::upgrade) {
            return repertoire;
        }
        let repertoire = Arc::new(Repertoire {
            policy: policy.clone(),
            embedder,
            index: Index::default(),
            is_begun: AtomicBool::new(false),
            is_whole: AtomicBool::new(false),
            forgotten: Mutex::default(),
            ear: OnceLock::new(),
            room: Mutex::new(NONE),
        });
        known.insert(key, Arc::downgrade(&repertoire));
        repertoire
    }

    /// How many questions of a policy are known.
    pub fn count(&self, policy: &PolicyName) -> u64 {
        self.all_of(policy).iter().map(|repertoire| repertoire.index.len() as u64).sum()
    }

    /// Whether it is known how answers to a policy's similar questions have fared elsewhere.
    pub fn are_current(&self, policy: &PolicyName) -> bool {
        self.all_of(policy).iter().all(|repertoire| repertoire.is_current())
    }

    pub fn forget(&self, whose: &Whose) {
        for repertoire in self.all_of(&whose.policy) {
            repertoire.forget(whose);
        }
    }

    /// Waits until those who share them are told of all trials.
    pub async fn told(&self, trust: &Trust) {
        let all: Vec<_> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().filter_map(Weak::upgrade).collect()
        };
        for repertoire in all {
            if let Some(ear) = repertoire.ear() {
                ear.told(|| trust.is_untold(&repertoire.policy, repertoire.embedder)).await;
            }
        }
    }

    fn all_of(&self, policy: &PolicyName) -> Vec<Arc<Repertoire>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = known.iter().filter(|((of, _), _)| of == policy);
        theirs.filter_map(|(_, repertoire)| repertoire.upgrade()).collect()
    }
}

impl Repertoire {
    /// Has fetched what was known before, once; or follows from now on what others know.
    pub fn recall(self: &Arc<Self>, answers: &Arc<dyn Answers>, trust: &Trust, room: Room) {
        // Without a runtime nobody is served yet; whoever is first begins it.
        let Ok(runtime) = Handle::try_current() else { return };
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = room;
        if self.is_begun.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(news) = answers.follow(&self.policy, self.embedder) {
            let (of, ear) = (Arc::downgrade(self), Arc::clone(self.ear.get_or_init(Arc::default)));
            runtime.spawn(Follower { of, ear, trust: trust.clone(), news, telling: Vec::new() }.run());
            return;
        }
        let Some(recalling) = answers.recall(&self.policy, self.embedder) else {
            return self.is_whole.store(true, Ordering::Release);
        };
        let (this, trust) = (Arc::clone(self), trust.clone());
        runtime.spawn(async move {
            match recalling.await {
                // To read thousands of questions takes longer than others shall wait for this thread.
                Ok(recalled) => drop(tokio::task::spawn_blocking(move || this.take_up(recalled, &trust, room)).await),
                Err(error) => {
                    warn!(error, policy = %this.policy, "similar questions of before cannot be read");
                    this.is_whole.store(true, Ordering::Release);
                }
            }
        });
    }

    fn take_up(&self, recalled: Recalled, trust: &Trust, room: Room) {
        // What is forgotten from here on finds all that there was.
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let Recalled { mut questions, mut standings } = recalled;
        questions.retain(|(place, _)| !forgotten.iter().any(|whose| place.is_of(whose)));
        standings.retain(|(ground, _)| !forgotten.iter().any(|whose| ground.is_of(whose)));
        self.learn_of(questions, room);
        trust.recall(standings);
        forgotten.clear();
        self.is_whole.store(true, Ordering::Release);
    }

    fn forget(&self, whose: &Whose) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_whole() && !forgotten.contains(whose) {
            forgotten.push(whose.clone());
        }
        drop(forgotten);
        self.index.forget(whose);
    }

    fn learn_of(&self, questions: Vec<(Place, Bearing)>, room: Room) {
        for (place, Bearing { frame, form, vector, .. }) in questions {
            let Some(vector) = Vector::of_values(&vector) else { continue };
            let features = Arc::new(Features::of(&form));
            self.index.recall(&place.beside(frame), Known { vector: Arc::new(vector), features, place }, room);
        }
    }

    /// Takes in what was heard.
    pub(super) fn take_in(&self, heard: Heard, trust: &Trust) {
        for whose in &heard.forgotten {
            self.index.forget(whose);
            trust.forget_by(whose, self.embedder);
        }
        trust.hear(&self.policy, self.embedder, heard.new.standings, heard.are_all);
        let room = *self.room.lock().unwrap_or_else(PoisonError::into_inner);
        self.learn_of(heard.new.questions, room);
    }

    /// Where others are heard of who share these questions, if there are any.
    pub fn ear(&self) -> Option<&Ear> {
        self.ear.get().map(|ear| &**ear)
    }

    /// Whether it is known how answers have fared elsewhere.
    pub fn is_current(&self) -> bool {
        self.ear().is_none_or(Ear::is_current)
    }

    /// Whether all is known that was known before.
    pub fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }

    /// What is to be kept beside the answer to a question.
    pub fn bearing(&self, frame: &Place, form: &str, vector: &Vector) -> Bearing {
        Bearing { embedder: self.embedder, frame: frame.question(), form: form.into(), vector: vector.values().into() }
    }
}

/// Before anybody has said how much there is.
const NONE: Room = Room { bytes: 0, entries: 0, lasts: std::time::Duration::ZERO };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_revisions_of_a_policy_know_the_same_and_once_both_are_gone_so_is_that() {
        let (all, policy) = (Repertoires::default(), PolicyName::new("p"));
        let first = all.of(&policy, [1; 32]);
        assert!(Arc::ptr_eq(&first, &all.of(&policy, [1; 32])));
        assert!(!Arc::ptr_eq(&first, &all.of(&policy, [2; 32])));
        assert!(!Arc::ptr_eq(&first, &all.of(&PolicyName::new("q"), [1; 32])));
        let gone = Arc::downgrade(&first);
        drop(first);
        all.of(&policy, [3; 32]);
        assert!(gone.upgrade().is_none());
        assert_eq!(all.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_is_forgotten_before_the_rest_was_read_back_does_not_come_back_and_the_rest_does() {
        use crate::state::answers::{Ground, Question, Record, Scope, Standing};
        let (all, trust, policy) = (Repertoires::default(), Trust::default(), PolicyName::new("p"));
        let room = Room { bytes: 1 << 20, entries: 10, lasts: std::time::Duration::MAX };
        let scope = |team: &str| Scope::new(&policy, "team", &[Some(team)]);
        let place = |team: &str| scope(team).place(Question([1; 32]));
        let ground =
            |team: &str| Ground { policy: policy.clone(), scope: place(team).scope(), embedder: [1; 32], least: 9_000 };
        let bearing = Bearing {
            embedder: [1; 32],
            frame: Question([0; 32]),
            form: "how to do it".into(),
            vector: vec![1, 2, 3].into(),
        };
        let standing = Standing { record: Record { tried: 9, wrong: 0 }, at_most: 0.2, by: "m".into() };
        let repertoire = all.of(&policy, [1; 32]);
        all.forget(&Whose { policy: policy.clone(), scope: Some(scope("a")) });
        all.forget(&Whose { policy: policy.clone(), scope: Some(scope("c")) });
        let questions = ["a", "b", "c"].map(|team| (place(team), bearing.clone())).into();
        let standings = ["a", "b", "c"].map(|team| (ground(team), standing.clone())).into();
        repertoire.take_up(Recalled { questions, standings }, &trust, room);
        assert_eq!((repertoire.index.len(), trust.all_of(&policy)), (1, vec![(ground("b"), standing)]));
        all.forget(&Whose { policy: policy.clone(), scope: Some(scope("b")) });
        assert_eq!(repertoire.index.len(), 0);
    }
}
