//! The questions whose answers are kept, by where they lie.
//!
//! Questions are looked for among those alone that are equal in everything but the text of their opening, asked by those
//! who share answers: a [`frame`](Place) of theirs. All of these are gone through, which takes less than anything cleverer
//! would for as few as there are.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::features::{Features, Veto};
use super::judge::{By, Judge};
use super::vector::Vector;
use crate::state::answers::Place;

/// The questions of one policy, as long as its revision is in charge.
#[derive(Default)]
pub struct Index(RwLock<Frames>);

#[derive(Default)]
struct Frames {
    frames: HashMap<Place, Vec<Known>>,
    count: usize,
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
        let frames = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = frames.frames.get(frame).map(Vec::as_slice).unwrap_or_default();
        let like = known.iter().filter_map(|known| Some((known, known.vector.likeness(vector)?)));
        let mut like: Vec<_> = like.filter(|(_, likeness)| *likeness >= judge.least).collect();
        like.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let mut vetoed = None;
        for (known, likeness) in like {
            match judge.takes(likeness, &known.features, features) {
                Ok(by) => return Near::Found(known.place.clone(), likeness, by),
                Err(veto) => vetoed = vetoed.or(Some((veto, likeness))),
            }
        }
        vetoed.map_or(Near::Nothing, |(veto, likeness)| Near::Vetoed(veto, likeness))
    }

    /// Forgets a question whose answer is gone.
    pub fn remove(&self, frame: &Place, place: &Place) {
        let mut frames = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Frames { frames, count } = &mut *frames;
        let Some(of_frame) = frames.get_mut(frame) else { return };
        let before = of_frame.len();
        of_frame.retain(|known| known.place != *place);
        *count = count.saturating_sub(before - of_frame.len());
    }

    /// Takes a question in; the oldest of its frame goes if there is no more room, or all frames if there are too many.
    pub fn add(&self, frame: &Place, known: Known) {
        let mut frames = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if frames.count >= MOST {
            *frames = Frames::default();
        }
        let Frames { frames, count } = &mut *frames;
        let of_frame = frames.entry(frame.clone()).or_default();
        let before = of_frame.len();
        of_frame.retain(|other| other.place != known.place);
        if of_frame.len() >= MOST_OF_A_FRAME {
            of_frame.remove(0);
        }
        of_frame.push(known);
        *count = count.saturating_add(of_frame.len()).saturating_sub(before);
    }
}

const MOST_OF_A_FRAME: usize = 2_000;
const MOST: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::PolicyName;
    use crate::state::answers::{Question, Scope};

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
        index.add(&place("a", 0), known("is it hot in Spain", [1.0, 0.0], 1));
        index.add(&place("a", 0), known("is it hot in France", [1.0, 0.1], 2));
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

    #[test]
    fn there_are_never_more_than_there_is_room_for() {
        let index = Index::default();
        for number in 0..MOST_OF_A_FRAME + 10 {
            let place = Scope::new(&PolicyName::new("p"), "n", &[Some(&number.to_string())]).place(Question([0; 32]));
            index.add(&self::place("a", 0), Known { place, ..known("is it hot", [1.0, 0.0], 0) });
        }
        let frames = index.0.read().unwrap();
        assert_eq!((frames.count, frames.frames[&place("a", 0)].len()), (MOST_OF_A_FRAME, MOST_OF_A_FRAME));
    }
}
