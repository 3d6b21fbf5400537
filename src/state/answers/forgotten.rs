//! What was forgotten lately, so that what is under way does not bring it back.
//!
//! An answer that is being made when something is forgotten may well be what was meant, and whoever forgets cannot wait for
//! it. So each request looks [from when on](Forgotten::watch) it is under way, and its answer is kept only if nothing that
//! covers its place was forgotten since. This is of one process: what other gateways are making, they may keep.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Place, Whose};

/// What was forgotten in this process. Clones are the same.
#[derive(Clone, Default)]
pub struct Forgotten(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    /// How often anything was forgotten.
    count: u64,
    /// The latest of these, the last one last.
    lately: VecDeque<Whose>,
}

/// What is under way from one moment on.
#[derive(Clone)]
pub struct Watch {
    forgotten: Forgotten,
    since: u64,
}

impl Forgotten {
    /// Whatever of these callers' is under way now is not to be kept.
    pub fn note(&self, whose: &Whose) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.count += 1;
        known.lately.push_back(whose.clone());
        if known.lately.len() > MOST {
            known.lately.pop_front();
        }
    }

    /// From now on.
    pub fn watch(&self) -> Watch {
        let since = self.0.read().unwrap_or_else(PoisonError::into_inner).count;
        Watch { forgotten: self.clone(), since }
    }
}

impl Watch {
    /// Does what keeps something in that place, unless that was forgotten meanwhile: `None` then. Nothing is noted as
    /// forgotten before it is done, so it must not take long.
    pub fn unless_forgotten<T>(&self, place: &Place, keep: impl FnOnce() -> T) -> Option<T> {
        let known = self.forgotten.0.read().unwrap_or_else(PoisonError::into_inner);
        (!known.covers(place, self.since)).then(keep)
    }
}

impl Known {
    fn covers(&self, place: &Place, since: u64) -> bool {
        let news = usize::try_from(self.count - since).unwrap_or(usize::MAX);
        // Of what is so old that it is not known any more, anything may have been forgotten.
        news > self.lately.len() || self.lately.iter().rev().take(news).any(|whose| place.is_of(whose))
    }
}

/// So many are known.
const MOST: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::PolicyName;
    use crate::state::answers::tests::{place, scope};

    fn of(team: Option<&str>) -> Whose {
        Whose { policy: PolicyName::new("p"), scope: team.map(scope) }
    }

    #[test]
    fn what_was_under_way_is_not_kept_and_what_begins_later_or_is_anothers_is() {
        let forgotten = Forgotten::default();
        let before = forgotten.watch();
        assert_eq!(before.unless_forgotten(&place("a", 1), || "kept"), Some("kept"));
        forgotten.note(&of(Some("a")));
        let after = forgotten.watch();
        let kept = |watch: &Watch, team| watch.unless_forgotten(&place(team, 1), || ()).is_some();
        assert_eq!([kept(&before, "a"), kept(&before, "b")], [false, true]);
        assert_eq!([kept(&after, "a"), kept(&after, "b")], [true, true]);
        forgotten.note(&of(None));
        assert_eq!([kept(&before, "b"), kept(&after, "a")], [false, false]);
        forgotten.note(&Whose { policy: PolicyName::new("q"), scope: None });
        assert!(!kept(&after, "b"));
    }

    #[test]
    fn what_is_under_way_for_longer_than_is_known_is_not_kept() {
        let forgotten = Forgotten::default();
        let before = forgotten.watch();
        (0..MOST).for_each(|_| forgotten.note(&of(Some("b"))));
        assert!(before.unless_forgotten(&place("a", 1), || ()).is_some());
        forgotten.note(&of(Some("b")));
        assert!(before.unless_forgotten(&place("a", 1), || ()).is_none());
        assert_eq!(forgotten.0.read().unwrap().lately.len(), MOST);
    }
}
