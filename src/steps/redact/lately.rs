//! What was compiled lately, kept by the process.
//!
//! To compile a detector takes far longer than to do anything else with a policy file, and one and the same is wanted
//! again and again: when a file is checked and then loaded, by each policy with the same settings, at a reload that
//! changes something else. Nothing in it belongs to a request or to a caller.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::detector::Detector;
use super::restore::Restorer;
use super::settings::{Problem, Settings};

/// A few of what was made lately, each by what it was made from.
struct Lately<K, V>(Mutex<VecDeque<(K, Arc<V>)>>);

impl<K: PartialEq + Clone, V> Lately<K, V> {
    fn get(&self, key: &K, make: impl FnOnce() -> Result<V, Problem>) -> Result<Arc<V>, Problem> {
        // Held while it is made, so that nobody makes it a second time meanwhile. No request waits for it.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(known, _)| known == key)
            && let Some(found) = kept.remove(at)
        {
            let made = Arc::clone(&found.1);
            kept.push_back(found);
            return Ok(made);
        }
        let made = Arc::new(make()?);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((key.clone(), Arc::clone(&made)));
        Ok(made)
    }
}

/// The detector of these settings.
///
/// # Errors
/// When they do not compile.
pub fn detector(settings: &Settings) -> Result<Arc<Detector>, Problem> {
    static DETECTORS: Lately<Settings, Detector> = Lately(Mutex::new(VecDeque::new()));
    DETECTORS.get(settings, || Detector::compile(settings))
}

/// The restorer of a detector's placeholders.
///
/// # Errors
/// When they do not compile.
pub fn restorer(detector: &Detector) -> Result<Arc<Restorer>, Problem> {
    static RESTORERS: Lately<Vec<String>, Restorer> = Lately(Mutex::new(VecDeque::new()));
    let labels: Vec<String> = detector.labels().map(ToOwned::to_owned).collect();
    RESTORERS.get(&labels, || Restorer::new(detector.labels()))
}

/// A detector weighs some megabytes.
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_settings_are_compiled_once() {
        let of = |find: &str| detector(&Settings { find: vec![find.into()], ..Settings::default() }).unwrap();
        assert!(Arc::ptr_eq(&of("email"), &of("email")));
        assert!(!Arc::ptr_eq(&of("email"), &of("mac")));
    }
}
