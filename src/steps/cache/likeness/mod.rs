//! Answers to questions that are like another one in other words.
//!
//! Three things must come together before such an answer is given. An embedder finds the two questions alike; nothing in
//! their words speaks against it: see [`features`], or, where they do differ in their words, a score trained for that
//! embedder says that this is all they differ in: see [`score`]; and where they are asked, such answers have been tried
//! and found to be right: see [`trust`]. Everything else about the two requests is equal as ever. Whoever finds nothing, or does not
//! hear of anything in time, asks as if there were no such tier.
//!
//! Whatever keeps the answers, questions are looked for in this process's memory alone: see [`index`]. A store that outlives
//! the process has them read back, once; those of one that gateways share are [followed](following): what another gateway
//! is asked is known here within a second, and what one finds wrong ends it at all of them. No store needs to be able to
//! search for that.
//!
//! # Measured
//!
//! With likenesses of all-MiniLM-L6-v2; `cargo test --test score -- --nocapture` prints it. In each cell the share of
//! hits among pairs that ask the same, false hits among those that do not, and what the share of these is below with a
//! confidence of 95 %. The held-out blocks are of the kind that the score is trained on; the lists of openings and of
//! people were made with the generated and the adversarial pairs in view; the blind ones were written after the former.
//!
//! | rule | held-out blocks | generated | adversarial | blind |
//! |---|---|---|---|---|
//! | cosine from .95 | .244; 12 of 946, < 2.20 % | .296; 1060 of 2710, < 40.97 % | .693; 133 of 432, < 35.29 % | .600; 6 of 90, < 13.79 % |
//! | cosine from .97 | .134; 3 of 946, < 0.93 % | .141; 707 of 2710, < 27.77 % | .564; 93 of 432, < 25.65 % | .383; 5 of 90, < 12.35 % |
//! | cosine from .99 | .050; 1 of 946, < 0.60 % | .019; 146 of 2710, < 6.30 % | .426; 68 of 432, < 19.48 % | .050; 4 of 90, < 10.88 % |
//! | canonical form | .025; 0 of 946, < 0.40 % | .014; 0 of 2710, < 0.14 % | .406; 0 of 432, < 0.88 % | .050; 0 of 90, < 4.09 % |
//! | words, whatever the cosine | .029; 0 of 946, < 0.40 % | .104; 0 of 2710, < 0.14 % | .455; 0 of 432, < 0.88 % | .083; 0 of 90, < 4.09 % |
//! | words, cosine from .9 | .029; 0 of 946, < 0.40 % | .081; 0 of 2710, < 0.14 % | .455; 0 of 432, < 0.88 % | .083; 0 of 90, < 4.09 % |
//! | words or score, cosine from .85 | .176; 0 of 946, < 0.40 % | .467; 0 of 2710, < 0.14 % | .604; 0 of 432, < 0.88 % | .350; 0 of 90, < 4.09 % |
//! | words or score, cosine from .9 | .176; 0 of 946, < 0.40 % | .405; 0 of 2710, < 0.14 % | .604; 0 of 432, < 0.88 % | .333; 0 of 90, < 4.09 % |
//! | words or score, cosine from .95 | .113; 0 of 946, < 0.40 % | .214; 0 of 2710, < 0.14 % | .554; 0 of 432, < 0.88 % | .250; 0 of 90, < 4.09 % |

mod agree;
pub mod difference;
mod embedder;
mod far;
pub mod features;
mod following;
mod identity;
pub mod index;
pub mod judge;
mod kin;
mod loose;
pub mod repertoire;
mod rows;
pub mod score;
mod settings;
pub mod trust;
pub mod vector;
mod words;

use std::sync::Arc;

use bytestring::ByteString;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

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
use judge::Judge;
use repertoire::Repertoire;
pub use settings::Config;
use trust::{Ground, Standing, Trust};

/// The tier, ready to be asked.
pub struct Similar {
    embedder: Embedder,
    experience: Arc<Experience>,
    /// The share of answers that are tried where they could be given.
    check: f64,
}

/// What is known of questions and of answers to similar ones, and what becomes of what is learnt.
struct Experience {
    /// In whose name things are counted.
    policy: PolicyName,
    repertoire: Arc<Repertoire>,
    /// The imprint of those who share these answers, where others keep theirs under the same name.
    imprint: Option<Box<str>>,
    trust: Trust,
    answers: Arc<dyn Answers>,
    room: Room,
    book: Arc<Book>,
    by: Arc<str>,
    judge: Judge,
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
        let Experience { repertoire, trust, answers, room, judge, .. } = &*self.experience;
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
        let near = repertoire.index.near(opening.frame, &vector, &features, *judge);
        let known = Known { vector: Arc::new(vector), features: Arc::new(features), place: opening.place.clone() };
        let lesson = self.lesson(&opening, known);
        match near {
            Near::Nothing => Seen { like: None, lesson },
            Near::Vetoed(veto, likeness) => {
                cx.remarks.note("similar", veto.as_str());
                cx.remarks.note("likeness", shown(likeness));
                Seen { like: None, lesson }
            }
            Near::Found(place, likeness, by) => {
                let ground = self.experience.ground(&place);
                let may_be_given = self.experience.serves(&ground) && fastrand::f64() >= self.check;
                cx.remarks.note("similar", if may_be_given { "given" } else { "tried" });
                cx.remarks.note("likeness", shown(likeness));
                cx.remarks.note("taken_by", by.as_str());
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
        let least = (f64::from(self.judge.least) * 10_000.0).round() as u32;
        Ground {
            policy: self.repertoire.policy.clone(),
            scope: self.imprint.as_ref().map_or_else(|| place.scope(), |imprint| narrowed(place.scope(), imprint)),
            embedder: self.repertoire.embedder,
            least,
        }
    }

    fn serves(&self, ground: &Ground) -> bool {
        self.repertoire.is_current() && self.trust.of(ground).below() <= self.at_most
    }

    /// An answer was tried.
    fn learn(&self, ground: &Ground, is_right: bool) {
        self.book.count(&self.policy, if is_right { Event::TriedRight } else { Event::TriedWrong });
        if let Some(ear) = self.repertoire.ear() {
            self.trust.learn_to_tell(ground, is_right, self.at_most, &self.by);
            return ear.ring();
        }
        // What is not fetched yet would be lost if this were kept in its place.
        if self.repertoire.is_whole() {
            let note = |standing: &Standing| self.answers.note(ground, standing);
            self.trust.learn(ground, is_right, self.at_most, &self.by, note);
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

/// Those of a scope who have an imprint in common.
fn narrowed(scope: [u8; 32], imprint: &str) -> [u8; 32] {
    Sha256::new().chain_update(scope).chain_update(imprint).finalize().into()
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
