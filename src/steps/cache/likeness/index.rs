//! The questions whose answers are kept, by where they lie.
//!
//! Questions are looked for among those alone that are equal in everything but the text of their opening, asked by those
//! who share answers: a [`frame`](Place) of theirs. All of these are gone through, which takes less than anything cleverer
//! would for as few as there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::features::{Features, Veto};
use super::judge::{By, Judge};
use super::rows::Rows;
use super::vector::Vector;
use crate::state::answers::{Place, Room, Whose};

/// The questions of one policy.
#[derive(Default)]
pub struct Index(RwLock<Frames>);

#[derive(Default)]
struct Frames {
    frames: HashMap<Place, Frame>,
    count: usize,
    /// Bytes of all vectors.
    bytes: u64,
    /// How often anything was asked or taken in.
    now: AtomicU64,
}

/// Questions that may be like each other. Those of one number belong together.
#[derive(Default)]
struct Frame {
    rows: Rows,
    known: Vec<Entry>,
    /// When it was asked for last.
    touched: AtomicU64,
}

struct Entry {
    features: Arc<Features>,
    place: Place,
    /// When it came.
    since: u64,
}

/// A question whose answer is kept.
#[derive(Clone)]
pub struct Known {
    pub vector: Arc<Vector>,
    pub features: Arc<Features>,
    pub place: Place,
}

/// What came of looking for a question like another.
#[derive(Debug, Clone, PartialEq)]
pub enum Near {
    Nothing,
    /// The likest is another question for all that.
    Vetoed(Veto, f32),
    /// Where its answer lies, how like it is, and by what it was taken for the same.
    Found(Place, f32, By),
}

impl Index {
    pub fn near(&self, frame: &Place, vector: &Vector, features: &Features, judge: Judge) -> Near {
        let frames = self.read();
        let Some(frame) = frames.frames.get(frame) else { return Near::Nothing };
        frame.touched.store(frames.tick(), Ordering::Relaxed);
        let mut like = frame.rows.alike(vector, judge.least);
        let by_likeness = |(_, one): &(usize, f32), (_, other): &(usize, f32)| other.total_cmp(one);
        if like.len() > MOST_WEIGHED {
            // Whoever asks must not wait for the words of thousands.
            like.select_nth_unstable_by(MOST_WEIGHED, by_likeness);
            like.truncate(MOST_WEIGHED);
        }
        like.sort_by(by_likeness);
        let mut vetoed = None;
        for (number, likeness) in like {
            let Some(known) = frame.known.get(number) else { continue };
            match judge.takes(likeness, &known.features, features) {
                Ok(by) => return Near::Found(known.place.clone(), likeness, by),
                Err(veto) => vetoed = vetoed.or(Some((veto, likeness))),
            }
        }
        vetoed.map_or(Near::Nothing, |(veto, likeness)| Near::Vetoed(veto, likeness))
    }

    /// Forgets a question whose answer is gone.
    pub fn remove(&self, frame: &Place, place: &Place) {
        self.write().remove(frame, place);
    }

    /// Takes a question in. If there is no room for it, the oldest go of those frames that were not asked for lately.
    pub fn add(&self, frame: &Place, known: Known, room: Room) {
        self.write().add(frame, known, room);
    }

    /// Takes a question in that was known before, unless it is known already.
    pub fn recall(&self, frame: &Place, known: Known, room: Room) {
        let mut frames = self.write();
        let is_known = frames.frames.get(frame).is_some_and(|frame| frame.number(&known.place).is_some());
        if !is_known {
            frames.add(frame, known, room);
        }
    }

    pub fn forget(&self, whose: &Whose) {
        let mut frames = self.write();
        frames.frames.retain(|frame, _| !frame.is_of(whose));
        let Frames { frames, count, bytes, .. } = &mut *frames;
        *count = frames.values().map(|frame| frame.known.len()).sum();
        *bytes = frames.values().map(Frame::bytes).sum();
    }

    /// How many questions there are.
    pub fn len(&self) -> usize {
        self.read().count
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> RwLockReadGuard<'_, Frames> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Frames> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Frames {
    fn tick(&self) -> u64 {
        self.now.fetch_add(1, Ordering::Relaxed)
    }

    fn add(&mut self, at: &Place, known: Known, room: Room) {
        self.remove(at, &known.place);
        // Vectors of another kind are of no use any more.
        if self.frames.get(at).is_some_and(|frame| !frame.rows.takes(&known.vector)) {
            self.drop_frame(at);
        }
        let width = known.vector.values().len() as u64;
        while self.count as u64 >= room.entries || self.count > 0 && self.bytes + width > room.bytes {
            let Some(at) = self.least_asked_for() else { break };
            self.drop_oldest(&at);
        }
        let since = self.tick();
        let new = || Frame { rows: Rows::like(&known.vector), ..Frame::default() };
        let frame = self.frames.entry(at.clone()).or_insert_with(new);
        frame.rows.push(&known.vector);
        frame.known.push(Entry { features: known.features, place: known.place, since });
        *frame.touched.get_mut() = since;
        self.count += 1;
        self.bytes += width;
    }

    fn remove(&mut self, at: &Place, place: &Place) {
        if let Some(number) = self.frames.get(at).and_then(|frame| frame.number(place)) {
            self.take_out(at, number);
        }
    }

    fn least_asked_for(&self) -> Option<Place> {
        let last = |(_, frame): &(&Place, &Frame)| frame.touched.load(Ordering::Relaxed);
        self.frames.iter().min_by_key(last).map(|(place, _)| place.clone())
    }

    fn drop_oldest(&mut self, at: &Place) {
        let Some(frame) = self.frames.get(at) else { return };
        match (0..).zip(&frame.known).min_by_key(|(_, known)| known.since) {
            Some((oldest, _)) => self.take_out(at, oldest),
            None => self.drop_frame(at),
        }
    }

    fn take_out(&mut self, at: &Place, number: usize) {
        let Some(frame) = self.frames.get_mut(at) else { return };
        if number < frame.known.len() {
            frame.known.swap_remove(number);
            frame.rows.swap_remove(number);
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(frame.rows.width() as u64);
        }
        if frame.known.is_empty() {
            self.frames.remove(at);
        }
    }

    fn drop_frame(&mut self, at: &Place) {
        let Some(frame) = self.frames.remove(at) else { return };
        self.count = self.count.saturating_sub(frame.known.len());
        self.bytes = self.bytes.saturating_sub(frame.bytes());
    }
}

impl Frame {
    fn number(&self, place: &Place) -> Option<usize> {
        // Questions first, of which the first bytes tell most apart.
        let question = place.question();
        self.known.iter().position(|known| known.place.question() == question && known.place == *place)
    }

    fn bytes(&self) -> u64 {
        (self.rows.width() * self.known.len()) as u64
    }
}

/// Of the questions that are like enough, the likest so many are held against each other.
const MOST_WEIGHED: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::PolicyName;
    use crate::state::answers::{Question, Scope};

    const ROOM: Room = Room { bytes: 1 << 20, entries: 100, lasts: std::time::Duration::MAX };

    fn place(team: &str, number: u8) -> Place {
        Scope::new(&PolicyName::new("p"), "team", &[Some(team)]).place(Question([number; 32]))
    }

    fn known(text: &str, direction: [f32; 2], number: u8) -> Known {
        Known {
            vector: Arc::new(Vector::of(&direction).unwrap()),
            features: Arc::new(Features::of(text)),
            place: place("a", number),
        }
    }

    fn near(index: &Index, frame: &Place, text: &str, direction: [f32; 2]) -> Near {
        index.near(frame, &Vector::of(&direction).unwrap(), &Features::of(text), Judge { least: 0.9, score: None })
    }

    #[test]
    fn the_likest_that_nothing_speaks_against_is_found_in_its_own_frame_alone() {
        let index = Index::default();
        index.add(&place("a", 0), known("is it hot in Spain", [1.0, 0.0], 1), ROOM);
        index.add(&place("a", 0), known("is it hot in France", [1.0, 0.1], 2), ROOM);
        let found = near(&index, &place("a", 0), "is it please hot in France", [1.0, 0.0]);
        assert!(
            matches!(&found, Near::Found(place, likeness, By::Words) if *place == self::place("a", 2) && *likeness > 0.99)
        );
        let again = near(&index, &place("a", 0), "is it hot in Spain", [1.0, 0.0]);
        index.remove(&place("a", 0), &place("a", 1));
        assert!(matches!(again, Near::Found(..)));
        assert!(!matches!(near(&index, &place("a", 0), "is it hot in Spain", [1.0, 0.0]), Near::Found(..)));
        let vetoed = near(&index, &place("a", 0), "is it hot in Italy", [1.0, 0.0]);
        assert!(matches!(vetoed, Near::Vetoed(Veto::Names, _)));
        assert_eq!(near(&index, &place("a", 0), "is it hot in France", [0.0, 1.0]), Near::Nothing);
        assert_eq!(near(&index, &place("b", 0), "is it hot in France", [1.0, 0.1]), Near::Nothing);
        assert_eq!(near(&index, &place("a", 9), "is it hot in France", [1.0, 0.1]), Near::Nothing);
    }

    fn numbers(index: &Index, frame: u8) -> Vec<u8> {
        let is_there = |number: &u8| {
            let frames = index.read();
            frames.frames.get(&place("a", frame)).is_some_and(|known| known.number(&place("a", *number)).is_some())
        };
        (0..=u8::MAX).filter(is_there).collect()
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for_and_the_oldest_go_that_nobody_asks_for() {
        let index = Index::default();
        let room = Room { entries: 6, ..ROOM };
        for number in 0..4 {
            index.add(&place("a", 200), known("is it hot", [1.0, 0.0], number), room);
        }
        for number in 4..6 {
            index.add(&place("a", 201), known("is it hot", [1.0, 0.0], number), room);
        }
        near(&index, &place("a", 200), "is it hot", [1.0, 0.0]);
        index.add(&place("a", 200), known("is it hot", [1.0, 0.0], 6), room);
        assert_eq!((numbers(&index, 200), numbers(&index, 201)), (vec![0, 1, 2, 3, 6], vec![5]));
        for number in 7..10 {
            index.add(&place("a", 200), known("is it hot", [1.0, 0.0], number), room);
        }
        assert_eq!((numbers(&index, 200), index.len()), (vec![2, 3, 6, 7, 8, 9], 6));
        // Two bytes are a vector.
        index.add(&place("a", 200), known("is it hot", [1.0, 0.0], 10), Room { bytes: 6, ..ROOM });
        assert_eq!(numbers(&index, 200), [8, 9, 10]);
        index.add(&place("a", 202), known("is it hot", [1.0, 0.0], 11), Room { bytes: 1, entries: 0, ..ROOM });
        assert_eq!((index.len(), index.read().bytes), (1, 2));
    }

    #[test]
    fn what_comes_back_does_not_take_the_place_of_what_is_known_and_what_is_forgotten_is_gone() {
        let index = Index::default();
        index.add(&place("a", 0), known("is it hot in Spain", [1.0, 0.0], 1), ROOM);
        index.recall(&place("a", 0), known("is it hot in France", [1.0, 0.0], 1), ROOM);
        index.recall(&place("b", 0), known("is it hot in Spain", [1.0, 0.0], 2), ROOM);
        assert!(matches!(near(&index, &place("a", 0), "is it hot in Spain", [1.0, 0.0]), Near::Found(..)));
        assert_eq!(index.len(), 2);
        let policy = PolicyName::new("p");
        let of_a = Some(Scope::new(&policy, "team", &[Some("a")]));
        index.forget(&Whose { policy: policy.clone(), scope: of_a });
        assert_eq!(near(&index, &place("a", 0), "is it hot in Spain", [1.0, 0.0]), Near::Nothing);
        assert!(matches!(near(&index, &place("b", 0), "is it hot in Spain", [1.0, 0.0]), Near::Found(..)));
        index.forget(&Whose { policy, scope: None });
        assert!(index.is_empty() && index.read().bytes == 0);
    }

    #[test]
    fn vectors_of_another_kind_take_the_place_of_those_that_nothing_is_like_any_more() {
        let index = Index::default();
        index.add(&place("a", 0), known("is it hot", [1.0, 0.0], 1), ROOM);
        let vector = Arc::new(Vector::of(&[1.0, 0.0, 0.0]).unwrap());
        index.add(&place("a", 0), Known { vector, ..known("is it hot", [1.0, 0.0], 2) }, ROOM);
        assert_eq!(numbers(&index, 0), [2]);
        assert_eq!((index.len(), index.read().bytes), (1, 3));
    }
}
