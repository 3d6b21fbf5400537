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
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Renewed => "renewed",
            Self::NotRenewed => "not_renewed",
        }
    }
}
