//! What a plugin keeps, in the gateway's store.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;

use crate::state::kv::{NotKept, Scope};
use crate::wasm::Kv;
use crate::wasm::kv::Error;

/// One plugin's place in the store.
pub struct Shelf {
    pub store: Arc<dyn crate::state::Kv>,
    pub scope: Scope,
}

impl Kv for Shelf {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move { self.store.get(&self.scope, key).await.map_err(error) })
    }

    fn set<'a>(&'a self, key: &'a str, value: Vec<u8>, lasts: Option<Duration>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.store.set(&self.scope, key, value, lasts).await.map_err(error) })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.store.delete(&self.scope, key).await.map_err(error) })
    }

    fn add<'a>(&'a self, key: &'a str, by: i64, lasts: Option<Duration>) -> BoxFuture<'a, Result<i64, Error>> {
        Box::pin(async move { self.store.add(&self.scope, key, by, lasts).await.map_err(error) })
    }
}

fn error(not_kept: NotKept) -> Error {
    match not_kept {
        NotKept::Full => Error::Quota,
        NotKept::Unavailable(why) => Error::Unavailable(why),
    }
}
