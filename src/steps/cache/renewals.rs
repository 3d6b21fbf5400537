//! Which answers are being renewed: each by one request at a time, and after a failure by none for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::book::{Book, Event};
use crate::base::ids::PolicyName;
use crate::pipeline::renewal::Renews;
use crate::state::answers::Place;

/// The renewals of the process. Clones are the same.
#[derive(Clone, Default)]
pub struct Renewals(Arc<Mutex<HashMap<Place, State>>>);

#[derive(Debug, Clone, Copy)]
enum State {
    UnderWay,
    /// It has come to nothing, and is not tried again before then.
    Failed {
        again: Instant,
    },
}

impl Renewals {
    /// Takes the errand of renewing what lies in a place, for a policy in whose name that is counted. `None` if somebody
    /// has it, or has failed just now.
    pub fn take(&self, place: &Place, policy: &PolicyName, book: &Arc<Book>) -> Option<Errand> {
        let (mut renewals, now) = (self.lock(), Instant::now());
        match renewals.get(place) {
            Some(State::UnderWay) => return None,
            Some(State::Failed { again }) if *again > now => return None,
            _ => {}
        }
        if renewals.len() >= MANY {
            renewals.retain(|_, state| !matches!(state, State::Failed { again } if *again <= now));
        }
        renewals.insert(place.clone(), State::UnderWay);
        drop(renewals);
        let (place, policy, book) = (place.clone(), policy.clone(), Arc::clone(book));
        Some(Errand { place, policy, renewals: self.clone(), book, is_done: AtomicBool::new(false) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that somebody renews. Dropped without success, it has come to nothing.
pub struct Errand {
    place: Place,
    policy: PolicyName,
    renewals: Renewals,
    book: Arc<Book>,
    is_done: AtomicBool,
}

impl Renews for Errand {
    fn succeeded(&self) {
        self.is_done.store(true, Ordering::Release);
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        let is_done = self.is_done.load(Ordering::Acquire);
        let mut renewals = self.renewals.lock();
        if is_done {
            renewals.remove(&self.place);
        } else {
            renewals.insert(self.place.clone(), State::Failed { again: Instant::now() + PAUSE });
        }
        drop(renewals);
        let event = if is_done { Event::Renewed } else { Event::NotRenewed };
        self.book.count(&self.policy, event);
    }
}

/// For how long nobody tries again what has failed.
const PAUSE: Duration = Duration::from_secs(5);
/// With so many, those whose time is over are looked for.
const MANY: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::answers::{Question, Scope};

    fn policy() -> PolicyName {
        PolicyName::new("p")
    }

    fn place(number: u8) -> Place {
        Scope::new(&policy(), "key", &[]).place(Question([number; 32]))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_renewed_by_one_at_a_time_and_not_at_once_again_after_a_failure() {
        let (renewals, book) = (Renewals::default(), Arc::default());
        let first = renewals.take(&place(1), &policy(), &book).unwrap();
        assert!(renewals.take(&place(1), &policy(), &book).is_none());
        assert!(renewals.take(&place(2), &policy(), &book).is_some());
        drop(first);
        tokio::time::advance(PAUSE - Duration::from_millis(1)).await;
        assert!(renewals.take(&place(1), &policy(), &book).is_none());
        tokio::time::advance(Duration::from_millis(2)).await;
        let second = renewals.take(&place(1), &policy(), &book).unwrap();
        second.succeeded();
        drop(second);
        assert!(renewals.take(&place(1), &policy(), &book).is_some());
    }
}
