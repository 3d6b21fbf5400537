//! Answers in memory, for this process alone.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use futures_core::future::BoxFuture;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::{Answers, Found, Kept, Place, Room, Stock, Whose};
use crate::base::ids::PolicyName;

/// Forgets everything with the process. What was not asked for lately goes first.
#[derive(Default)]
pub struct LocalAnswers(RwLock<Shelves>);

#[derive(Default)]
struct Shelves {
    of: HashMap<PolicyName, Shelf>,
    /// Those that there are to be, once that was said: requests of an older revision make no others.
    standing: Option<HashMap<PolicyName, Room>>,
}

/// What is kept for one policy.
struct Shelf {
    bytes: u64,
    entries: u64,
    // Keys are hashes themselves.
    answers: Cache<[[u8; 32]; 2], Arc<Kept>, Weight, RandomState>,
}

impl Shelf {
    fn new(room: Room) -> Self {
        let Room { bytes, entries, .. } = room;
        // Room is made for so many at once, so not for more than there will be.
        let at_once = usize::try_from(entries.min(bytes / LEAST).max(1)).unwrap_or(usize::MAX);
        let least = bytes / entries.max(1);
        let answers =
            Cache::with(at_once, bytes, Weight { least }, RandomState::default(), DefaultLifecycle::default());
        Self { bytes, entries, answers }
    }

    /// Another one of that room with as many of the same answers as it has room for, if this one has another.
    fn with_room(&self, room: Room) -> Option<Self> {
        if (self.bytes, self.entries) == (room.bytes, room.entries) {
            return None;
        }
        let other = Self::new(room);
        self.answers.iter().for_each(|(place, kept)| other.answers.insert(place, kept));
        Some(other)
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
        self.read().of.get(place.policy())?.answers.get(&place.key())
    }

    /// Whether the policy's answers are kept at all.
    pub(super) fn put(&self, place: &Place, kept: Arc<Kept>, room: Room) -> bool {
        if let Some(shelf) = self.read().of.get(place.policy()) {
            shelf.answers.insert(place.key(), kept);
            return true;
        }
        let mut shelves = self.write();
        let Shelves { of, standing } = &mut *shelves;
        let room = standing.as_ref().map_or(Some(room), |standing| standing.get(place.policy()).copied());
        let Some(room) = room else { return false };
        of.entry(place.policy().clone()).or_insert_with(|| Shelf::new(room)).answers.insert(place.key(), kept);
        true
    }

    /// Puts what was found elsewhere, if it is known how much room there is.
    pub(super) fn put_back(&self, place: &Place, kept: &Arc<Kept>) {
        if let Some(shelf) = self.read().of.get(place.policy()) {
            shelf.answers.insert(place.key(), Arc::clone(kept));
        }
    }

    pub(super) fn remove(&self, place: &Place) {
        if let Some(shelf) = self.read().of.get(place.policy()) {
            shelf.answers.remove(&place.key());
        }
    }

    pub(super) fn drop_of(&self, whose: &Whose) -> u64 {
        // Held all the while, so that none are carried over to another shelf meanwhile.
        let shelves = self.read();
        let Some(shelf) = shelves.of.get(&whose.policy) else { return 0 };
        let before = shelf.answers.len();
        match &whose.scope {
            None => shelf.answers.clear(),
            Some(scope) => shelf.answers.retain(|[of, _], _| !scope.has(of)),
        }
        before.saturating_sub(shelf.answers.len()) as u64
    }

    pub(super) fn make_stand(&self, rooms: &[(PolicyName, Room)]) {
        let rooms: HashMap<_, _> = rooms.iter().cloned().collect();
        let mut shelves = self.write();
        shelves.of.retain(|policy, shelf| {
            let Some(room) = rooms.get(policy) else { return false };
            if let Some(other) = shelf.with_room(*room) {
                *shelf = other;
            }
            true
        });
        shelves.standing = Some(rooms);
    }

    fn read(&self) -> RwLockReadGuard<'_, Shelves> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelves> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for LocalAnswers {
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Found> {
        Box::pin(ready(self.look(place).into()))
    }

    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) -> bool {
        self.put(&place, kept, room)
    }

    fn stand(&self, rooms: &[(PolicyName, Room)]) {
        self.make_stand(rooms);
    }

    fn stock<'a>(&'a self, _: &'a [PolicyName]) -> BoxFuture<'a, Result<Vec<Stock>, String>> {
        let shelves = self.read();
        let stock = |(policy, shelf): (&PolicyName, &Shelf)| Stock {
            policy: policy.clone(),
            answers: shelf.answers.len() as u64,
            bytes: Some(shelf.answers.iter().map(|(_, kept)| kept.size()).sum()),
            by_likeness: None,
        };
        Box::pin(ready(Ok(shelves.of.iter().map(stock).collect())))
    }

    fn forget<'a>(&'a self, whose: &'a Whose) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(ready(Ok(self.drop_of(whose))))
    }
}

/// Bytes that the smallest answer takes.
const LEAST: u64 = 512;
