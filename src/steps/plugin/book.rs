//! How plugins have fared since the process began; it outlives a reload.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::outside::Counters;
use crate::wasm::Hook;

/// The records of all plugins, by plugin and policy. Both are names out of the policy files, so their number is bounded.
#[derive(Debug, Default)]
pub struct Book(Mutex<BTreeMap<Owner, Arc<Record>>>);

/// A plugin, and the policy it stands in.
type Owner = (Arc<str>, Arc<str>);

impl Book {
    /// The record of a plugin under a policy.
    pub fn of(&self, plugin: &Arc<str>, policy: &Arc<str>) -> Arc<Record> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(records.entry((Arc::clone(plugin), Arc::clone(policy))).or_default())
    }

    /// Calls each with the plugin, the policy and the record.
    pub fn each(&self, mut tell: impl FnMut(&str, &str, &Record)) {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        records.iter().for_each(|((plugin, policy), record)| tell(plugin, policy, record));
    }
}

/// What calls of one plugin have come to.
#[derive(Debug, Default)]
pub struct Record {
    calls: [[AtomicU64; OUTCOMES]; HOOKS],
    nanos: [AtomicU64; HOOKS],
    log_dropped: AtomicU64,
    counters: Counters,
}

/// What a call has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    /// It went on, changed.
    Edit,
    Deny,
    Respond,
    /// Pieces were kept for later.
    Hold,
    Trap,
    Timeout,
    Error,
    Unavailable,
}

const OUTCOMES: usize = 9;
const HOOKS: usize = 3;

impl Outcome {
    const ALL: [Self; OUTCOMES] = [
        Self::Pass,
        Self::Edit,
        Self::Deny,
        Self::Respond,
        Self::Hold,
        Self::Trap,
        Self::Timeout,
        Self::Error,
        Self::Unavailable,
    ];

    /// A stable word for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Edit => "edit",
            Self::Deny => "deny",
            Self::Respond => "respond",
            Self::Hold => "hold",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<crate::wasm::Kind> for Outcome {
    fn from(kind: crate::wasm::Kind) -> Self {
        match kind {
            crate::wasm::Kind::Trap => Self::Trap,
            crate::wasm::Kind::Timeout => Self::Timeout,
            crate::wasm::Kind::Error => Self::Error,
            crate::wasm::Kind::Unavailable => Self::Unavailable,
        }
    }
}

impl Record {
    pub fn add(&self, hook: Hook, outcome: Outcome, took: Duration, log_dropped: usize) {
        let (hook, outcome) = (hook as usize, outcome as usize);
        if let Some(count) = self.calls.get(hook).and_then(|counts| counts.get(outcome)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(nanos) = self.nanos.get(hook) {
            nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        if log_dropped > 0 {
            self.log_dropped.fetch_add(log_dropped as u64, Ordering::Relaxed);
        }
    }

    /// The hook, the outcome, and how many calls; such as there were.
    pub fn calls(&self) -> impl Iterator<Item = (Hook, Outcome, u64)> {
        Hook::ALL
            .into_iter()
            .zip(&self.calls)
            .flat_map(|(hook, counts)| {
                let counts = Outcome::ALL.into_iter().zip(counts);
                counts.map(move |(outcome, count)| (hook, outcome, count.load(Ordering::Relaxed)))
            })
            .filter(|(.., count)| *count > 0)
    }

    /// The hooks that were called, and how long all their calls have taken.
    pub fn took(&self) -> impl Iterator<Item = (Hook, Duration)> {
        let nanos = Hook::ALL.into_iter().zip(&self.nanos).map(|(hook, nanos)| (hook, nanos.load(Ordering::Relaxed)));
        nanos.filter(|(_, nanos)| *nanos > 0).map(|(hook, nanos)| (hook, Duration::from_nanos(nanos)))
    }

    /// Bytes of log lines that did not fit a budget.
    pub fn log_dropped(&self) -> u64 {
        self.log_dropped.load(Ordering::Relaxed)
    }

    /// What the plugin itself counts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
