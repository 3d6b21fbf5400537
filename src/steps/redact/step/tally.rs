//! What guards have come upon since the process began. It outlives a reload.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::steps::redact::Action;

/// How often what was found, by its type and what was done about it. Types are names out of the policy files and the
/// built-in ones, so their number is bounded.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<(&'static str, String), u64>>);

impl Tally {
    pub fn count<'a>(&self, kinds: impl Iterator<Item = (&'a str, u64)>, action: impl Fn(&str) -> Action) {
        for (kind, count) in kinds {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry((action(kind).name(), kind.to_owned())).or_default() += count;
        }
    }

    /// The action, the type, and how often.
    pub fn counts(&self) -> Vec<(&'static str, String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((action, kind), count)| (*action, kind.clone(), *count)).collect()
    }
}
