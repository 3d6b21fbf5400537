//! A plugin's own counters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::steps::plugin::book::Record;
use crate::wasm::Meter;

/// Counts under the names that a policy grants.
pub struct Meters {
    names: BTreeSet<String>,
    record: Arc<Record>,
}

/// The counts of one plugin: by name and label.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<(String, String), u64>>);

impl Meters {
    pub fn new(names: &[String], record: Arc<Record>) -> Self {
        Self { names: names.iter().cloned().collect(), record }
    }
}

impl Meter for Meters {
    fn add(&self, name: &str, label: &str, value: u64) -> bool {
        let is_granted = self.names.contains(name);
        if is_granted {
            self.record.counters().add(name, label, value);
        }
        is_granted
    }
}

impl Counters {
    fn add(&self, name: &str, label: &str, value: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&(name.to_owned(), label.to_owned())) {
            *count = count.saturating_add(value);
            return;
        }
        let labels = counts.keys().filter(|(known, _)| known == name).count();
        let is_plain = label.len() <= 64 && label.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        let label = if labels < MOST_LABELS && is_plain { label } else { "other" };
        let count = counts.entry((name.to_owned(), label.to_owned())).or_default();
        *count = count.saturating_add(value);
    }

    pub fn all(&self) -> Vec<(String, String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((name, label), count)| (name.clone(), label.clone(), *count)).collect()
    }
}

/// Labels of one name that are told apart.
const MOST_LABELS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_without_end_become_one() {
        let counters = Counters::default();
        for n in 0..1_000 {
            counters.add("seen", &n.to_string(), 1);
        }
        counters.add("seen", "secret\n", 1);
        let all = counters.all();
        assert_eq!(all.len(), MOST_LABELS + 1);
        assert_eq!(all.iter().map(|(.., count)| count).sum::<u64>(), 1_001);
    }
}
