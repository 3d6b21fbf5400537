//! What a model in this process makes of pairs of questions.

use std::collections::HashMap;
use std::path::Path;

use super::pairs::Pair;
use crate::embedding::{Files, Model, Pin};
use crate::steps::cache::canonical::canonical;
use crate::steps::cache::likeness::features::Features;
use crate::steps::cache::likeness::judge::Judge;
use crate::steps::cache::likeness::vector::Vector;

/// Where the canonical forms of all questions lie.
pub struct Sight {
    vectors: HashMap<String, Vector>,
    pub judge: Judge,
    pub model: Pin,
}

impl Sight {
    /// Asks the model in a folder about all questions of some pairs; takes milliseconds for each.
    ///
    /// # Errors
    /// When there is no model that can be read.
    pub fn of(folder: &Path, pairs: &[Pair], least: Option<f64>) -> Result<Self, String> {
        let files = Files::read(folder).map_err(|unfit| unfit.to_string())?;
        let model = Model::of(&files).map_err(|unfit| unfit.to_string())?;
        let mut forms: Vec<_> =
            pairs.iter().flat_map(|pair| [canonical(&pair.a), canonical(&pair.b)]).filter_map(Result::ok).collect();
        forms.sort_unstable();
        forms.dedup();
        let mut vectors = HashMap::new();
        for batch in forms.chunks(BATCH) {
            let texts: Vec<_> = batch.iter().map(String::as_str).collect();
            let directions = model.embed(&texts).into_iter().map(|direction| Vector::of(&direction));
            vectors.extend(batch.iter().cloned().zip(directions).filter_map(|(form, vector)| Some((form, vector?))));
        }
        let pin = files.pin();
        Ok(Self { vectors, judge: Judge::of(Some(pin), least), model: pin })
    }

    /// Whether two canonical forms are taken for the same question.
    pub fn takes(&self, one: &str, other: &str) -> bool {
        let likeness = || self.vectors.get(one)?.likeness(self.vectors.get(other)?);
        let (first, second) = (Features::of(one), Features::of(other));
        first.is_telling()
            && second.is_telling()
            && likeness()
                .is_some_and(|like| like >= self.judge.least && self.judge.takes(like, &first, &second).is_ok())
    }
}

const BATCH: usize = 32;
