//! Whether two questions are taken for the same: by their words alone, or by a score.

use super::features::{Features, Veto};
use super::score::Score;
use crate::embedding::Pin;

/// What is asked of two questions.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    /// The least likeness.
    pub least: f32,
    /// Where there is one for the model that embeds.
    pub score: Option<&'static Score>,
}

/// By what two questions were taken for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// They say the same words, or such as surely mean the same.
    Words,
    Score,
}

impl By {
    /// A word for trails.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Score => "score",
        }
    }
}

impl Judge {
    /// For likenesses of a model in this process, or of one elsewhere, of which nothing is known.
    pub fn of(model: Option<Pin>, least: Option<f64>) -> Self {
        let score = Score::shipped().filter(|score| Some(score.model) == model);
        let usual = if score.is_some() { USUAL_SCORED } else { USUAL };
        Self { least: least.unwrap_or(usual) as f32, score }
    }

    /// # Errors
    /// Why they are not the same, however alike.
    pub fn takes(&self, likeness: f32, one: &Features, other: &Features) -> Result<By, Veto> {
        match one.veto(other) {
            None => Ok(By::Words),
            Some(_) if self.score.is_some_and(|score| score.takes(likeness, one, other)) => Ok(By::Score),
            Some(veto) => Err(veto),
        }
    }
}

const USUAL: f64 = 0.9;
/// A score looks closer.
const USUAL_SCORED: f64 = 0.85;
