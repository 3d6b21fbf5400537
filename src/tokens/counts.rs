//! Counts of texts that were counted before.
//!
//! An agent sends its whole conversation with every turn. Hashing a text costs a fiftieth of counting it.
//!
//! A text is known by a hash of 128 bits under keys that this process has drawn: nobody can make one text pass for
//! another, whose count would then be billed. The texts themselves are not kept.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use quick_cache::sync::Cache;

use super::encoding::Encoding;

pub struct Counts {
    known: Cache<[u64; 2], u32>,
    keys: [RandomState; 2],
}

impl Default for Counts {
    fn default() -> Self {
        Self { known: Cache::new(MOST), keys: [RandomState::new(), RandomState::new()] }
    }
}

impl Counts {
    /// The tokens of a text.
    pub fn of(&self, encoding: Encoding, text: &str) -> u64 {
        if text.len() < WORTH_IT {
            return encoding.count(text);
        }
        let key = self.key(encoding, text);
        if let Some(known) = self.known.get(&key) {
            return u64::from(known);
        }
        let count = encoding.count(text);
        if let Ok(small) = u32::try_from(count) {
            self.known.insert(key, small);
        }
        count
    }

    fn key(&self, encoding: Encoding, text: &str) -> [u64; 2] {
        self.keys.each_ref().map(|key| {
            let mut hasher = key.build_hasher();
            hasher.write_u8(encoding as u8);
            hasher.write(text.as_bytes());
            hasher.finish()
        })
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.known.len()
    }
}

/// Some five megabytes of them.
const MOST: usize = 65_536;
/// Shorter texts are counted as quickly as they are looked up.
const WORTH_IT: usize = 32;
