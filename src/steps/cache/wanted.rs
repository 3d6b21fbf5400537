//! Where a request's answer would lie, and how one that lies there is found.

use super::flight::Lead;
use super::likeness::Lesson;
use crate::state::answers::{Kept, Place, Question, Watch};

/// Where a request's answer would lie.
pub struct Wanted {
    pub place: Place,
    /// The question to the letter, if it is known by its canonical form.
    pub wording: Option<Question>,
    /// What similar questions have in common with it, and its own canonical form, if it has one.
    pub opening: Option<(Place, String)>,
    /// Whether that place was forgotten since it was looked for.
    pub watch: Watch,
}

impl Wanted {
    /// Whether it may be found though it is written otherwise.
    pub fn is_known_by_form(&self) -> bool {
        self.wording.is_some()
    }

    pub fn tier_of(&self, kept: &Kept) -> &'static str {
        self.tier(kept.origin.wording)
    }

    /// How an answer to a question of that wording is found.
    pub fn tier(&self, wording: Option<Question>) -> &'static str {
        if self.wording == wording { "exact" } else { "canonical" }
    }
}

/// What goes along with a request that is asked.
#[derive(Default)]
pub struct Asking {
    /// Others may hear the answer as well.
    pub lead: Option<Lead>,
    pub lesson: Lesson,
}
