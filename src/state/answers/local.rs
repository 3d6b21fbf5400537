//! Answers in memory, for this process alone.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;
use futures_core::future::BoxFuture;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::{Answers, Found, Kept, Place, Room, Stock, Whose};
use crate::base::ids::PolicyName;

/// Forgets everything with the process. What was not asked for lately goes first.
#[derive(Default)]
pub struct LocalAnswers(RwLock<HashMap<PolicyName, Arc<Shelf>>>);

/// What is kept for one policy.
struct Shelf {
    room: Room,
    // Keys are hashes themselves.
    answers: Cache<[[u8; 32]; 2], Arc<Kept>, Weight, RandomState>,
}

impl Shelf {
    fn new(room: Room) -> Self {
        // Room is made for so many at once, so not for more than there will be.
        let entries = room.entries.min(room.bytes / LEAST).max(1);
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        let least = room.bytes / room.entries.max(1);
        let answers =
            Cache::with(entries, room.bytes, Weight { least }, RandomState::default(), DefaultLifecycle::default());
        Self { room, answers }
    }
}

/// No answer counts for less than its share of the room, so there is never more than so many.
#[derive(Clone)]
struct Weight {
    least: u64,
}

impl Weighter<[[u8; 32]; 2], Arc<Kept>> for Weight {
    fn weight(&self, _: &[[u8; 32]; 2], kept: &Arc<Kept>) -> u64 {
        kept.size().max(self.least).max(1)
    }
}

impl LocalAnswers {
    pub(super) fn look(&self, place: &Place) -> Option<Arc<Kept>> {
        let shelf = self.shelf(place.policy())?;
        shelf.answers.get(&place.key())
    }

    pub(super) fn put(&self, place: &Place, kept: Arc<Kept>, room: Room) {
        let shelf = match self.shelf(place.policy()).filter(|shelf| shelf.room == room) {
            Some(shelf) => shelf,
            None => {
                // Another room than before, after a reload, begins empty.
                let shelf = Arc::new(Shelf::new(room));
                let mut shelves = self.0.write().unwrap_or_else(PoisonError::into_inner);
                shelves.insert(place.policy().clone(), Arc::clone(&shelf));
                shelf
            }
        };
        shelf.answers.insert(place.key(), kept);
    }

    /// Puts what was found elsewhere, if it is known how much room there is.
    pub(super) fn put_back(&self, place: &Place, kept: &Arc<Kept>) {
        if let Some(shelf) = self.shelf(place.policy()) {
            shelf.answers.insert(place.key(), Arc::clone(kept));
        }
    }

    pub(super) fn remove(&self, place: &Place) {
        if let Some(shelf) = self.shelf(place.policy()) {
            shelf.answers.remove(&place.key());
        }
    }

    pub(super) fn drop_of(&self, whose: &Whose) -> u64 {
        let Some(shelf) = self.shelf(&whose.policy) else { return 0 };
        let before = shelf.answers.len();
        match &whose.scope {
            None => shelf.answers.clear(),
            Some(scope) => shelf.answers.retain(|[of, _], _| !scope.has(of)),
        }
        before.saturating_sub(shelf.answers.len()) as u64
    }

    fn shelf(&self, policy: &PolicyName) -> Option<Arc<Shelf>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(policy).cloned()
    }
}

impl Answers for LocalAnswers {
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Found> {
        Box::pin(ready(self.look(place).into()))
    }

    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) {
        self.put(&place, kept, room);
    }

    fn stock<'a>(&'a self, _: &'a [PolicyName]) -> BoxFuture<'a, Result<Vec<Stock>, String>> {
        let shelves = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let stock = |(policy, shelf): (&PolicyName, &Arc<Shelf>)| Stock {
            policy: policy.clone(),
            answers: shelf.answers.len() as u64,
            bytes: Some(shelf.answers.iter().map(|(_, kept)| kept.size()).sum()),
            by_likeness: None,
        };
        Box::pin(ready(Ok(shelves.iter().map(stock).collect())))
    }

    fn forget<'a>(&'a self, whose: &'a Whose) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(ready(Ok(self.drop_of(whose))))
    }
}

/// Bytes that the smallest answer takes.
const LEAST: u64 = 512;
