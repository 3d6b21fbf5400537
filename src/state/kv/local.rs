//! Values in memory, for this process alone.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::time::Instant;

use super::{Kv, NotKept, Scope, Sort};

/// Forgets everything with the process.
#[derive(Default)]
pub struct LocalKv(Mutex<HashMap<String, Shelf>>);

/// What one scope keeps.
type Shelf = HashMap<(Sort, String), Kept>;

struct Kept {
    bytes: Vec<u8>,
    number: i64,
    until: Option<Instant>,
}

impl Kept {
    fn is_there(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl LocalKv {
    fn with<R>(&self, scope: &Scope, work: impl FnOnce(&mut Shelf) -> R) -> R {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(shelves.entry(scope.name().to_owned()).or_default())
    }
}

/// Room for one more key, if it is a new one.
fn make_room(shelf: &mut Shelf, scope: &Scope, place: &(Sort, String)) -> Result<(), NotKept> {
    if shelf.contains_key(place) || shelf.len() < scope.most() {
        return Ok(());
    }
    shelf.retain(|_, kept| kept.is_there());
    if shelf.len() < scope.most() { Ok(()) } else { Err(NotKept::Full) }
}

impl Kv for LocalKv {
    fn get<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, NotKept>> {
        let found = self.with(scope, |shelf| {
            let kept = shelf.get(&(Sort::Value, key.to_owned())).filter(|kept| kept.is_there());
            kept.map(|kept| kept.bytes.clone())
        });
        Box::pin(ready(Ok(found)))
    }

    fn set<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        value: Vec<u8>,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), NotKept>> {
        let place = (Sort::Value, key.to_owned());
        let done = self.with(scope, |shelf| {
            make_room(shelf, scope, &place)?;
            let until = lasts.and_then(|lasts| Instant::now().checked_add(lasts));
            shelf.insert(place, Kept { bytes: value, number: 0, until });
            Ok(())
        });
        Box::pin(ready(done))
    }

    fn delete<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<(), NotKept>> {
        self.with(scope, |shelf| Sort::BOTH.map(|sort| shelf.remove(&(sort, key.to_owned()))));
        Box::pin(ready(Ok(())))
    }

    fn add<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        by: i64,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, NotKept>> {
        let place = (Sort::Number, key.to_owned());
        let sum = self.with(scope, |shelf| {
            if let Some(kept) = shelf.get_mut(&place).filter(|kept| kept.is_there()) {
                kept.number = kept.number.saturating_add(by);
                return Ok(kept.number);
            }
            make_room(shelf, scope, &place)?;
            let until = lasts.and_then(|lasts| Instant::now().checked_add(lasts));
            shelf.insert(place, Kept { bytes: Vec::new(), number: by, until });
            Ok(by)
        });
        Box::pin(ready(sum))
    }
}
