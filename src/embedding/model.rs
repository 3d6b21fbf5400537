//! A model, ready to be run: its words and its weights.

use super::{Files, Unfit};

#[cfg(feature = "local-embedder")]
use super::{bert::Bert, tokenizer::Tokenizer};

#[cfg(feature = "local-embedder")]
pub struct Model {
    tokenizer: Tokenizer,
    bert: Bert,
}

/// There is none in this build.
#[cfg(not(feature = "local-embedder"))]
pub enum Model {}

#[cfg(feature = "local-embedder")]
impl Model {
    /// # Errors
    /// When the files do not fit together, or are of a kind that is not read.
    pub fn of(files: &Files) -> Result<Self, Unfit> {
        let (tokenizer, bert) = (Tokenizer::read(&files.tokenizer)?, Bert::read(&files.config, &files.weights)?);
        let (largest, known) = (tokenizer.largest(), bert.vocabulary());
        if largest as usize >= known {
            return Err(Unfit::Tokenizer(format!("it has a token {largest}, and the weights are of {known} tokens")));
        }
        Ok(Self { tokenizer, bert })
    }

    /// Values of each direction.
    pub fn dimensions(&self) -> usize {
        self.bert.dimensions()
    }

    /// The tokens of a text; those beyond what the model has positions for are left out.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        self.tokenizer.tokens(text, self.bert.longest())
    }

    /// One direction of length 1 for each text.
    pub fn embed(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        let texts: Vec<_> = texts.iter().map(|text| self.tokens(text)).collect();
        let mut rest = texts.as_slice();
        let mut directions = Vec::with_capacity(texts.len());
        // No more at once than keeps memory within bounds.
        while !rest.is_empty() {
            let mut room = MOST_AT_ONCE;
            let fitting = rest.iter().take_while(|text| {
                let fits = room >= text.len();
                room = room.saturating_sub(text.len());
                fits
            });
            let Some((batch, after)) = rest.split_at_checked(fitting.count().max(1)) else { break };
            directions.extend(self.bert.embed(batch));
            rest = after;
        }
        directions
    }
}

#[cfg(not(feature = "local-embedder"))]
impl Model {
    /// # Errors
    /// Always: it is not in this build.
    pub fn of(_: &Files) -> Result<Self, Unfit> {
        Err(Unfit::NotBuilt)
    }

    pub fn dimensions(&self) -> usize {
        match *self {}
    }

    pub fn tokens(&self, _: &str) -> Vec<u32> {
        match *self {}
    }

    pub fn embed(&self, _: &[&str]) -> Vec<Vec<f32>> {
        match *self {}
    }
}

/// Tokens: some 20 MB of values between the layers of a small model.
#[cfg(feature = "local-embedder")]
const MOST_AT_ONCE: usize = 1_024;
