//! What came up beside requests' own results: what was found damaged, and what was renewed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::base::ids::PolicyName;

/// Counts of the process, by policy.
#[derive(Default)]
pub struct Book(Mutex<BTreeMap<(PolicyName, &'static str), u64>>);

impl Book {
    pub(super) fn count(&self, policy: &PolicyName, event: Event) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((policy.clone(), event.name())).or_default() += 1;
    }

    /// The policy, the event, and how often it came up since the start.
    pub fn counts(&self) -> Vec<(PolicyName, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((policy, event), count)| (policy.clone(), *event, *count)).collect()
    }
}

/// Something worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// What lay where an answer should is none, or that of another question.
    Damaged,
    /// An answer whose time was over has been renewed behind its readers' backs.
    Renewed,
    /// The same came to nothing.
    NotRenewed,
    /// An answer that would have been given to a similar question is what was answered when it was asked.
    TriedRight,
    /// It is another one.
    TriedWrong,
    /// Nobody said in time where a text lies.
    NotEmbedded,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Renewed => "renewed",
            Self::NotRenewed => "not_renewed",
            Self::TriedRight => "similar_right",
            Self::TriedWrong => "similar_wrong",
            Self::NotEmbedded => "not_embedded",
        }
    }
}
