//! Answers that were found in the store a moment ago, at hand.
//!
//! A question that is asked again and again does not go to the store each time. What lies here is old by seconds at most,
//! since other gateways may forget it or keep another one meanwhile.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::state::answers::{Kept, Place};

/// Bounded by what answers take.
pub(super) struct Near(Cache<Place, Held, Weight>);

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
        Self(Cache::with_weighter(ABOUT, BYTES, Weight))
    }
}

impl Near {
    pub fn look(&self, place: &Place) -> Option<Arc<Kept>> {
        let held = self.0.get(place)?;
        if held.since.elapsed() < LASTS {
            return Some(held.kept);
        }
        self.0.remove(place);
        None
    }

    pub fn put(&self, place: &Place, kept: &Arc<Kept>) {
        self.0.insert(place.clone(), Held { kept: Arc::clone(kept), since: Instant::now() });
    }

    /// Forgets everything, which is more than need be and soon made good.
    pub fn clear(&self) {
        self.0.clear();
    }
}

/// How long others may have known better.
const LASTS: Duration = Duration::from_secs(2);
const BYTES: u64 = 32 << 20;
const ABOUT: usize = 4_096;
