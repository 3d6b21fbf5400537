//! What came up beside requests' own results: what was found damaged, what was renewed, and what was spent for many.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::base::ids::{PolicyName, TargetName};
use crate::base::money::Nanos;

/// Counts of the process.
#[derive(Default)]
pub struct Book {
    events: Mutex<BTreeMap<(PolicyName, &'static str), u64>>,
    /// What was spent by no request, since it was last asked after.
    spent: Mutex<BTreeMap<TargetName, Nanos>>,
}

impl Book {
    pub(super) fn count(&self, policy: &PolicyName, event: Event) {
        let mut counts = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((policy.clone(), event.name())).or_default() += 1;
    }

    /// The policy, the event, and how often it came up since the start.
    pub fn counts(&self) -> Vec<(PolicyName, &'static str, u64)> {
        let counts = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((policy, event), count)| (policy.clone(), *event, *count)).collect()
    }

    pub(super) fn spend(&self, target: &TargetName, cost: Nanos) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = spent.entry(target.clone()).or_default();
        *sum = sum.plus(cost);
    }

    /// What targets were paid beside requests since this was last asked.
    pub fn take_spent(&self) -> BTreeMap<TargetName, Nanos> {
        std::mem::take(&mut self.spent.lock().unwrap_or_else(PoisonError::into_inner))
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
