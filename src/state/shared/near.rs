//! Answers that were found in the store a moment ago, at hand.
//!
//! A question that is asked again and again does not go to the store each time. What lies here is old by seconds at most,
//! since other gateways may forget it or keep another one meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::state::answers::{Kept, Place};

/// Bounded by what answers take.
pub(super) struct Near {
    held: Cache<Place, Held, Weight>,
    /// How often everything was forgotten.
    cleared: AtomicU64,
}

#[derive(Clone)]
struct Held {
    kept: Arc<Kept>,
    since: Instant,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Place, Held> for Weight {
    fn weight(&self, _: &Place, held: &Held) -> u64 {
        held.kept.size().max(1)
    }
}

impl Default for Near {
    fn default() -> Self {
        Self { held: Cache::with_weighter(ABOUT, BYTES, Weight), cleared: AtomicU64::new(0) }
    }
}

impl Near {
    pub fn look(&self, place: &Place) -> Option<Arc<Kept>> {
        let held = self.held.get(place)?;
        if held.since.elapsed() < LASTS {
            return Some(held.kept);
        }
        self.held.remove(place);
        None
    }

    pub fn put(&self, place: &Place, kept: &Arc<Kept>) {
        self.held.insert(place.clone(), Held { kept: Arc::clone(kept), since: Instant::now() });
    }

    /// How often everything was forgotten; to be asked before the store is.
    pub fn cleared(&self) -> u64 {
        self.cleared.load(Ordering::Acquire)
    }

    /// Puts what was found, unless everything was forgotten since.
    pub fn put_found(&self, place: &Place, kept: &Arc<Kept>, cleared: u64) {
        self.put(place, kept);
        // Whoever forgets it after this takes it out of here as well.
        if self.cleared() != cleared {
            self.held.remove(place);
        }
    }

    /// Forgets everything, which is more than need be and soon made good.
    pub fn clear(&self) {
        self.cleared.fetch_add(1, Ordering::AcqRel);
        self.held.clear();
    }
}

/// How long others may have known better.
const LASTS: Duration = Duration::from_secs(2);
const BYTES: u64 = 32 << 20;
const ABOUT: usize = 4_096;
