//! Values in a folder of this machine, by sled: they outlive the process, but perhaps not a power cut.
//!
//! A folder that cannot be read is moved aside, and nothing is in its place: what plugins keep can be done without.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use sled::IVec;
use tracing::warn;

use super::{Kv, NotKept, Scope, Sort};
use crate::base::clock::Clock;
use crate::base::private;
use crate::state::trouble::Trouble;

/// The values of one machine. Nobody else may use its folder.
#[derive(Clone)]
pub struct EmbeddedKv {
    db: sled::Db,
    clock: Clock,
    /// How many keys each scope has, counted when it is first asked for. Held while one is changed.
    counts: Arc<Mutex<HashMap<String, usize>>>,
}

impl EmbeddedKv {
    /// Opens the folder, made if need be. Blocks: not for an async thread.
    ///
    /// # Errors
    /// When neither it nor a fresh one in its place can be used.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, Trouble> {
        let open = || {
            private::make_or_close(folder)?;
            sled::Config::new().path(folder).cache_capacity(CACHE).open()
        };
        let db = open().or_else(|error| {
            let aside = folder.with_extension(format!("broken-{}", clock.now().as_second()));
            warn!(%error, aside = %aside.display(), "what plugins have kept cannot be read, and is moved aside");
            std::fs::rename(folder, aside).map_err(Trouble::io(folder))?;
            open().map_err(|error| Trouble::io(folder)(std::io::Error::other(error)))
        })?;
        Ok(Self { db, clock, counts: Arc::default() })
    }

    /// Does something on a thread that may wait for the disk.
    async fn off<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> sled::Result<Result<R, NotKept>> + Send + 'static,
    ) -> Result<R, NotKept> {
        let this = self.clone();
        match tokio::task::spawn_blocking(move || work(&this)).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(NotKept::Unavailable(format!("the folder of the store fails: {error}"))),
            Err(_) => Err(NotKept::Unavailable("the work on it broke off".into())),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0)
    }

    fn until(&self, lasts: Option<Duration>) -> u64 {
        let lasts = lasts.map(|lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        lasts.map_or(u64::MAX, |lasts| self.now().saturating_add(lasts))
    }

    fn read(&self, place: &str) -> sled::Result<Option<Kept>> {
        let found = self.db.get(place)?.and_then(|found| Kept::read(&found));
        Ok(found.filter(|kept| kept.until > self.now()))
    }

    /// Puts something in a place of a scope, if there is room.
    fn put(
        &self,
        scope: &Scope,
        place: &str,
        make: impl FnOnce(Option<Kept>) -> Kept,
    ) -> sled::Result<Result<Kept, NotKept>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = match counts.get(scope.name()) {
            Some(count) => *count,
            None => self.sweep(scope)?,
        };
        if !self.db.contains_key(place)? {
            if count >= scope.most() {
                count = self.sweep(scope)?;
            }
            if count >= scope.most() {
                counts.insert(scope.name().to_owned(), count);
                return Ok(Err(NotKept::Full));
            }
            count += 1;
        }
        let kept = make(self.read(place)?);
        self.db.insert(place, kept.write())?;
        counts.insert(scope.name().to_owned(), count);
        Ok(Ok(kept))
    }

    fn forget(&self, scope: &Scope, place: &str) -> sled::Result<()> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.db.remove(place)?.is_some()
            && let Some(count) = counts.get_mut(scope.name())
        {
            *count = count.saturating_sub(1);
        }
        Ok(())
    }

    /// Drops what a scope has past its time. How many keys are left.
    fn sweep(&self, scope: &Scope) -> sled::Result<usize> {
        let (mut left, now) = (0, self.now());
        for entry in self.db.scan_prefix(scope.name()) {
            let (place, value) = entry?;
            if Kept::read(&value).is_some_and(|kept| kept.until > now) {
                left += 1;
            } else {
                self.db.remove(place)?;
            }
        }
        Ok(left)
    }
}

/// What lies in a place, and until when (Unix milliseconds).
struct Kept {
    until: u64,
    bytes: Vec<u8>,
}

impl Kept {
    fn read(stored: &IVec) -> Option<Self> {
        let (until, bytes) = stored.split_first_chunk()?;
        Some(Self { until: u64::from_be_bytes(*until), bytes: bytes.to_vec() })
    }

    fn write(&self) -> Vec<u8> {
        [&self.until.to_be_bytes(), self.bytes.as_slice()].concat()
    }

    fn number(&self) -> i64 {
        self.bytes.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
    }
}

fn place(scope: &Scope, sort: Sort, key: &str) -> String {
    format!("{}{}{key}", scope.name(), sort.mark())
}

impl Kv for EmbeddedKv {
    fn get<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, NotKept>> {
        let place = place(scope, Sort::Value, key);
        Box::pin(self.off(move |this| Ok(Ok(this.read(&place)?.map(|kept| kept.bytes)))))
    }

    fn set<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        value: Vec<u8>,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), NotKept>> {
        let (place, scope, until) = (place(scope, Sort::Value, key), scope.clone(), self.until(lasts));
        Box::pin(self.off(move |this| Ok(this.put(&scope, &place, |_| Kept { until, bytes: value })?.map(drop))))
    }

    fn delete<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<(), NotKept>> {
        let (places, scope) = (Sort::BOTH.map(|sort| place(scope, sort, key)), scope.clone());
        Box::pin(self.off(move |this| {
            places.iter().try_for_each(|place| this.forget(&scope, place))?;
            Ok(Ok(()))
        }))
    }

    fn add<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        by: i64,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, NotKept>> {
        let (place, scope, until) = (place(scope, Sort::Number, key), scope.clone(), self.until(lasts));
        Box::pin(self.off(move |this| {
            let sum = this.put(&scope, &place, |before| {
                let sum = before.as_ref().map_or(0, Kept::number).saturating_add(by);
                let until = before.map_or(until, |before| before.until);
                Kept { until, bytes: sum.to_be_bytes().to_vec() }
            })?;
            Ok(sum.map(|kept| kept.number()))
        }))
    }
}

/// Bytes of memory for what was read lately.
const CACHE: u64 = 8 << 20;
