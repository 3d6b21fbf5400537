//! Answers to questions that are like another one in other words.
//!
//! Three things must come together before such an answer is given. An embedder finds the two questions alike; nothing in
//! their words speaks against it: see [`features`]; and where they are asked, such answers have been tried and found to
//! be right: see [`trust`]. Everything else about the two requests is equal as ever. Whoever finds nothing, or does not
//! hear of anything in time, asks as if there were no such tier.

mod agree;
mod embedder;
pub mod features;
mod identity;
pub mod index;
pub mod repertoire;
mod rows;
mod settings;
pub mod trust;
pub mod vector;
mod words;

use std::sync::Arc;

use bytestring::ByteString;
use http::HeaderValue;

use super::book::{Book, Event};
use crate::base::ids::PolicyName;
use crate::chat::Completion;
use crate::dialect;
use crate::pipeline::cx::Cx;
use crate::state::Answers;
use crate::state::answers::{Bearing, Kept, Place, Room};

use embedder::{Embedder, Without};
use features::Features;
use index::{Known, Near};
use repertoire::Repertoire;
pub use settings::Config;
use trust::{Ground, Trust};

/// The tier, ready to be asked.
pub struct Similar {
    embedder: Embedder,
    experience: Arc<Experience>,
    /// The share of answers that are tried where they could be given.
    check: f64,
}

/// What is known of questions and of answers to similar ones, and what becomes of what is learnt.
struct Experience {
    policy: PolicyName,
    repertoire: Arc<Repertoire>,
    trust: Trust,
    answers: Arc<dyn Answers>,
    room: Room,
    book: Arc<Book>,
    by: Arc<str>,
    /// The least likeness.
    least: f32,
    /// The share of wrong answers that is put up with.
    at_most: f64,
}

/// A question, and the frame in which others are like it.
pub struct Opening<'a> {
    pub frame: &'a Place,
    pub place: &'a Place,
    pub form: &'a str,
}

/// What is known of a question before it is asked.
#[derive(Default)]
pub struct Seen {
    pub like: Option<Like>,
    /// What is to be learnt from its answer.
    pub lesson: Lesson,
}

/// Another question that asks the same, as far as can be seen.
pub struct Like {
    /// Where its answer lies.
    pub place: Place,
    likeness: f32,
    ground: Ground,
    /// Such answers have proved to be right, and this one need not be tried.
    pub may_be_given: bool,
}

/// What an answer teaches.
#[derive(Default)]
pub struct Lesson(Option<Box<Learning>>);

struct Learning {
    experience: Arc<Experience>,
    /// Where its question lies.
    frame: Place,
    form: Box<str>,
    known: Known,
    /// An answer that would have been given, and that is tried.
    trial: Option<(Ground, Arc<Kept>)>,
}

impl Similar {
    /// Looks for a question like this one.
    pub async fn look(&self, cx: &mut Cx, opening: Opening<'_>) -> Seen {
        let features = Features::of(opening.form);
        if !features.is_telling() {
            return Seen::default();
        }
        let Experience { repertoire, trust, answers, room, least, .. } = &*self.experience;
        repertoire.recall(answers, trust, *room);
        let begun = tokio::time::Instant::now();
        let embedded = self.embedder.embed(opening.form).await;
        cx.trail.pauses += begun.elapsed();
        let vector = match embedded {
            Ok(vector) => vector,
            Err(without) => {
                self.experience.book.count(&self.experience.policy, Event::NotEmbedded);
                cx.remarks.note("similar", word(without));
                return Seen::default();
            }
        };
        let near = repertoire.index.near(opening.frame, &vector, &features, *least);
        let known = Known { vector: Arc::new(vector), features: Arc::new(features), place: opening.place.clone() };
        let lesson = self.lesson(&opening, known);
        match near {
            Near::Nothing => Seen { like: None, lesson },
            Near::Vetoed(veto, likeness) => {
                cx.remarks.note("similar", veto.as_str());
                cx.remarks.note("likeness", shown(likeness));
                Seen { like: None, lesson }
            }
            Near::Found(place, likeness) => {
                let ground = self.experience.ground(&place);
                let may_be_given = self.experience.serves(&ground) && fastrand::f64() >= self.check;
                cx.remarks.note("similar", if may_be_given { "given" } else { "tried" });
                cx.remarks.note("likeness", shown(likeness));
                Seen { like: Some(Like { place, likeness, ground, may_be_given }), lesson }
            }
        }
    }

    fn lesson(&self, opening: &Opening<'_>, known: Known) -> Lesson {
        Lesson(Some(Box::new(Learning {
            experience: Arc::clone(&self.experience),
            frame: opening.frame.clone(),
            form: opening.form.into(),
            known,
            trial: None,
        })))
    }
}

impl Experience {
    fn ground(&self, place: &Place) -> Ground {
        let least = (f64::from(self.least) * 10_000.0).round() as u32;
        Ground { policy: self.policy.clone(), scope: place.scope(), embedder: self.repertoire.embedder, least }
    }

    fn serves(&self, ground: &Ground) -> bool {
        self.trust.of(ground).below() <= self.at_most
    }

    /// An answer was tried.
    fn learn(&self, ground: &Ground, is_right: bool) {
        self.book.count(&ground.policy, if is_right { Event::TriedRight } else { Event::TriedWrong });
        // What is not fetched yet would be lost if this were kept in its place.
        if self.repertoire.is_whole()
            && let Some(standing) = self.trust.learn(ground, is_right, self.at_most, &self.by)
        {
            self.answers.note(ground, &standing);
        }
    }
}

impl Like {
    /// How like it is, for a header.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::try_from(shown(self.likeness)).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}

impl Lesson {
    /// An answer that would have been given is to be held against the one that is asked for.
    pub fn try_against(&mut self, like: Like, kept: Arc<Kept>) {
        if let Some(learning) = &mut self.0 {
            learning.trial = Some((like.ground, kept));
        }
    }

    /// There is no answer to a question that was known.
    pub fn forget(&self, like: &Like) {
        if let Some(learning) = &self.0 {
            learning.experience.repertoire.index.remove(&learning.frame, &like.place);
        }
    }

    /// What is to be kept beside the answer, if others may be given it.
    pub fn bearing(&self) -> Option<Bearing> {
        let Learning { experience, frame, form, known, .. } = &**self.0.as_ref()?;
        Some(experience.repertoire.bearing(frame, form, &known.vector))
    }

    /// The answer is there, and kept.
    pub fn learn(self, completion: &Completion) {
        let Some(learning) = self.0 else { return };
        let Learning { experience, frame, known, trial, .. } = *learning;
        experience.repertoire.index.add(&frame, known, experience.room);
        let Some((ground, kept)) = trial else { return };
        let Some(before) = read(&kept) else { return };
        experience.learn(&ground, agree::agree(&before, completion));
    }
}

fn read(kept: &Kept) -> Option<Completion> {
    let text = ByteString::try_from(kept.wire("")).ok()?;
    dialect::by_id(kept.origin.dialect)?.read_completion(&text).ok()
}

fn word(without: Without) -> &'static str {
    match without {
        Without::Busy => "busy",
        Without::Late => "late",
        Without::Failed => "not_embedded",
    }
}

/// As the trail has it.
fn shown(likeness: f32) -> String {
    format!("{likeness:.4}")
}
