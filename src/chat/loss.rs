//! What a translation could not say.

use std::borrow::Cow;

/// One thing that a target's dialect cannot express, and so was left out or approximated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The canonical or original name of what was lost: `top_k`, `messages[3].audio`.
    pub what: Cow<'static, str>,
    /// What was done instead: `left out`, `sent as text`.
    pub instead: Cow<'static, str>,
}

/// The losses of one translation. A loss that repeats is kept once.
#[derive(Debug, Clone, Default)]
pub struct Losses(Vec<Loss>);

impl Losses {
    pub fn left_out(&mut self, what: impl Into<Cow<'static, str>>) {
        self.add(what, "left out");
    }

    pub fn add(&mut self, what: impl Into<Cow<'static, str>>, instead: impl Into<Cow<'static, str>>) {
        let loss = Loss { what: what.into(), instead: instead.into() };
        if !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter()
    }
}
