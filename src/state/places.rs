//! Who is being served: limits on what happens at the same time.
//!
//! Whoever finds no place free may wait for one. Among those of one process, who has waited longest comes first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Whoever keeps count of who is in.
pub trait Places: Send + Sync {
    /// Takes one of the `count` places of a key, waiting for up to `patience` until one is free.
    ///
    /// # Errors
    /// When none was free in time, or nobody can tell.
    fn enter<'a>(&'a self, key: &'a str, count: u32, patience: Duration) -> BoxFuture<'a, Result<Place, NoPlace>>;
}

/// A place, taken until it is dropped.
pub struct Place(#[expect(dead_code, reason = "held for its end")] Box<dyn Send + Sync>);

impl Place {
    pub(super) fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

/// Why nobody was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPlace {
    Taken,
    /// The store cannot be asked.
    Unavailable(String),
}

/// The places of every key, for this process alone.
#[derive(Default)]
pub struct LocalPlaces(Mutex<Keys>);

#[derive(Default)]
struct Keys {
    entries: HashMap<Box<str>, Entry>,
    /// How many there may be before those that nobody holds a place of are dropped.
    sweep_at: usize,
}

struct Entry {
    places: Arc<Semaphore>,
    /// How many there are in all.
    count: u32,
}

const FIRST_SWEEP: usize = 4_096;

impl Places for LocalPlaces {
    fn enter<'a>(&'a self, key: &'a str, count: u32, patience: Duration) -> BoxFuture<'a, Result<Place, NoPlace>> {
        Box::pin(async move {
            let places = self.of(key, count);
            if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
                return Ok(Place::new(permit));
            }
            if patience.is_zero() {
                return Err(NoPlace::Taken);
            }
            match timeout(patience, places.acquire_owned()).await {
                Ok(Ok(permit)) => Ok(Place::new(permit)),
                Ok(Err(_)) | Err(_) => Err(NoPlace::Taken),
            }
        })
    }
}

impl LocalPlaces {
    /// A count that has changed since holds from now on; those who are in stay in.
    fn of(&self, key: &str, count: u32) -> Arc<Semaphore> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = keys.entries.get_mut(key) else { return keys.add(key, count) };
        if count > entry.count {
            entry.places.add_permits((count - entry.count) as usize);
            entry.count = count;
        } else if count < entry.count {
            // Only those that are free can be taken away; the rest goes with later calls.
            entry.count -= entry.places.forget_permits((entry.count - count) as usize) as u32;
        }
        Arc::clone(&entry.places)
    }
}

impl Keys {
    fn add(&mut self, key: &str, count: u32) -> Arc<Semaphore> {
        if self.entries.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.entries.retain(|_, entry| Arc::strong_count(&entry.places) > 1);
            self.sweep_at = self.entries.len() * 2;
        }
        let places = Arc::new(Semaphore::new(count as usize));
        self.entries.insert(key.into(), Entry { places: Arc::clone(&places), count });
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_it_is_left() {
        let places = LocalPlaces::default();
        let first = places.enter("k", 1, Duration::ZERO).await;
        assert!(first.is_ok() && places.enter("k", 1, Duration::ZERO).await.is_err());
        assert!(places.enter("another", 1, Duration::ZERO).await.is_ok());
        drop(first);
        assert!(places.enter("k", 1, Duration::ZERO).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_place_or_gives_up() {
        let places = Arc::new(LocalPlaces::default());
        let first = places.enter("k", 1, Duration::ZERO).await;
        assert!(places.enter("k", 1, Duration::from_secs(5)).await.is_err());
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.enter("k", 1, Duration::from_secs(5)).await.is_ok() }
        });
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(first);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn another_count_holds_from_now_on() {
        let places = LocalPlaces::default();
        let held = [places.enter("k", 3, Duration::ZERO).await, places.enter("k", 3, Duration::ZERO).await];
        assert!(places.enter("k", 1, Duration::ZERO).await.is_err());
        drop(held);
        let one = places.enter("k", 1, Duration::ZERO).await;
        assert!(one.is_ok() && places.enter("k", 1, Duration::ZERO).await.is_err());
        assert!(places.enter("k", 2, Duration::ZERO).await.is_ok());
    }
}
