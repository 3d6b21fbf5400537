//! Which answers were given since they came, or since that was asked last: these are not the first to go.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keys of places. Clones are the same.
#[derive(Clone, Default)]
pub struct Used(Arc<Mutex<HashSet<[[u8; 32]; 2]>>>);

impl Used {
    pub fn note(&self, place: [[u8; 32]; 2]) {
        let mut used = self.lock();
        if used.len() >= MOST {
            // Whatever goes then is only asked for anew.
            used.clear();
        }
        used.insert(place);
    }

    /// Whether it was given, which is known once only.
    pub fn take(&self, place: &[[u8; 32]; 2]) -> bool {
        self.lock().remove(place)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<[[u8; 32]; 2]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some megabytes.
const MOST: usize = 1 << 16;
