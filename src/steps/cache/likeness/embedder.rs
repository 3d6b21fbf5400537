//! Where a text lies, as a model has it that runs elsewhere or in this process; nobody waits for it longer than they may.
//!
//! Whoever finds the queue full, or does not hear in time, goes on without.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::far::{Far, Source};
use super::vector::Vector;
use crate::embedding::{Full, Local};
use crate::pipeline::breaker::{Admission, Breaker, Settings};

/// A way to a model that embeds.
pub struct Embedder {
    model: Model,
    /// How long a request waits for it.
    patience: Duration,
}

enum Model {
    Far(Far),
    Near(Near),
}

/// A model in this process. One that is late again and again is left alone for a while, for others would wait in vain, too.
struct Near {
    local: Arc<Local>,
    breaker: Breaker,
}

/// Why a text has no vector now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Too many others wait.
    Busy,
    Late,
    Failed,
}

impl Embedder {
    pub fn far(source: Source, patience: Duration) -> Self {
        Self { model: Model::Far(Far::new(source)), patience }
    }

    pub fn near(local: Arc<Local>, patience: Duration) -> Self {
        Self { model: Model::Near(Near { local, breaker: Breaker::default() }), patience }
    }

    /// # Errors
    /// Why there is none now.
    pub async fn embed(&self, text: &str) -> Result<Vector, Without> {
        match &self.model {
            Model::Far(far) => match timeout(self.patience, far.embed(text)?).await {
                Ok(heard) => heard.ok().flatten().ok_or(Without::Failed),
                Err(_) => Err(Without::Late),
            },
            Model::Near(near) => near.embed(text, self.patience).await,
        }
    }
}

impl Near {
    async fn embed(&self, text: &str, patience: Duration) -> Result<Vector, Without> {
        if let Admission::Wait(_) = self.breaker.admit() {
            return Err(Without::Failed);
        }
        // If its caller leaves meanwhile, a probe has nothing to report.
        let report = Report(Some(&self.breaker));
        let heard = self.local.embed(text).map_err(|Full| Without::Busy)?;
        let heard = timeout(patience, heard).await;
        report.give(heard.is_ok());
        match heard {
            Ok(direction) => direction.ok().and_then(|direction| Vector::of(&direction)).ok_or(Without::Failed),
            Err(_) => Err(Without::Late),
        }
    }
}

/// What a breaker hears of whom it let pass.
struct Report<'a>(Option<&'a Breaker>);

impl Report<'_> {
    fn give(mut self, is_in_time: bool) {
        match self.0.take() {
            Some(breaker) if is_in_time => breaker.succeeded(),
            Some(breaker) => drop(breaker.failed(&Settings::default())),
            None => {}
        }
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if let Some(breaker) = self.0 {
            breaker.abandoned();
        }
    }
}
