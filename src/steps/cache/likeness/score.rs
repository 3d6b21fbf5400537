//! Whether questions that differ in their words ask the same, by how they differ and how like an embedder finds them.
//!
//! A logistic score: the log of the odds that two questions ask the same is a sum of so much for each kind of
//! [difference](super::difference) and so much for their likeness. It is asked only where no veto tells them apart. The
//! weights are trained on pairs written for that by hand, with likenesses of one model, and hold for that model alone:
//! another one's cosines mean something else. `cargo test --test score -- --nocapture` trains them again, holds them
//! against those that are shipped, and prints what comes of them on pairs that they were not trained on.

use std::sync::LazyLock;

use super::difference::Difference;
use super::features::Features;
use crate::embedding::Pin;

/// The kinds of what is weighed, as the weights are named.
pub const TERMS: [&str; 8] = ["always", "likeness", "replaced", "added", "near", "inflected", "light", "opening"];

/// Trained weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The model whose likenesses they were trained on.
    pub model: Pin,
    /// From which log of odds on two questions are taken for the same.
    pub least: f64,
    pub weights: [f64; TERMS.len()],
}

impl Score {
    /// The one that comes with this program.
    pub fn shipped() -> Option<&'static Self> {
        static SHIPPED: LazyLock<Option<Score>> = LazyLock::new(|| Score::read(include_str!("score.tsv")));
        SHIPPED.as_ref()
    }

    /// From lines of a name and a value with a tab between them; `None` if one is missing.
    pub fn read(text: &str) -> Option<Self> {
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        let said = |name: &str| lines.clone().find(|(known, _)| *known == name).map(|(_, value)| value.trim());
        let number = |name: &str| said(name)?.parse::<f64>().ok().filter(|number| number.is_finite());
        let mut weights = [0.0; TERMS.len()];
        for (weight, name) in weights.iter_mut().zip(TERMS) {
            *weight = number(name)?;
        }
        Some(Self { model: Pin::parse(said("model")?)?, least: number("least")?, weights })
    }

    /// The log of the odds that two questions ask the same which differ so, and are so like.
    pub fn of(&self, likeness: f32, difference: &Difference) -> f64 {
        terms(likeness, difference).iter().zip(&self.weights).map(|(term, weight)| term * weight).sum()
    }

    /// Whether two questions are taken for the same.
    pub fn takes(&self, likeness: f32, one: &Features, other: &Features) -> bool {
        one.difference(other).is_ok_and(|difference| self.of(likeness, &difference) >= self.least)
    }
}

/// What is weighed, in the order of [`TERMS`].
pub fn terms(likeness: f32, difference: &Difference) -> [f64; TERMS.len()] {
    let Difference { replaced, added, near, inflected, light, opening } = *difference;
    // As much as .05 of likeness counts as one word.
    let likeness = (f64::from(likeness) - 0.95) * 20.0;
    let [replaced, added, near, inflected, light] = [replaced, added, near, inflected, light].map(f64::from);
    [1.0, likeness, replaced, added, near, inflected, light, f64::from(u8::from(opening))]
}
