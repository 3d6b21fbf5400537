//! What guards have come upon since the process began, and what placeholders are derived from: both outlive a
//! reload.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

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

/// Random bytes of this process. Placeholders that another process made are not given back by this one; they need not
/// be, since each request brings its whole conversation and is redacted anew.
#[derive(Default)]
pub struct Seed(OnceLock<[u8; 32]>);

impl Seed {
    /// # Errors
    /// If the random source of the system fails.
    pub fn bytes(&self) -> Result<[u8; 32], String> {
        if let Some(bytes) = self.0.get() {
            return Ok(*bytes);
        }
        let mut fresh = [0; 32];
        rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut fresh)
            .map_err(|_| "the system gave no random bytes".to_owned())?;
        Ok(*self.0.get_or_init(|| fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_seed_and_no_other_has_it() {
        let seed = Seed::default();
        assert_eq!(seed.bytes(), seed.bytes());
        assert_ne!(seed.bytes(), Seed::default().bytes());
    }
}
