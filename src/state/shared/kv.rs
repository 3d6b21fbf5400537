//! Values that all gateways share.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_core::future::BoxFuture;
use redis::{Value, from_redis_value};

use super::hub::Hub;
use super::link::Again;
use super::script::{Call, Script};
use crate::state::kv::{Kv, NotKept, Scope};

pub(super) struct SharedKv {
    hub: Arc<Hub>,
}

impl SharedKv {
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Asks the store. There is nothing to go on with alone while it is away.
    async fn ask(
        &self,
        what: &str,
        (scope, key): (&Scope, &str),
        lasts: Option<Duration>,
        with: String,
    ) -> Result<Option<String>, NotKept> {
        let lasts = lasts.map_or(0, |lasts| u64::try_from(lasts.as_millis()).unwrap_or(LONGEST).clamp(1, LONGEST));
        let arguments =
            [what.into(), scope.name().into(), key.into(), scope.most().to_string(), lasts.to_string(), with];
        // A sum would be counted twice.
        let again = if what == "add" { Again::No } else { Again::Yes };
        let answer = self.hub.link.run(&Call::new(Script::Keep, arguments), again).await;
        match answer.map_err(|lost| NotKept::Unavailable(lost.why))? {
            Value::Nil => Ok(None),
            answer => from_redis_value(answer).map(Some).map_err(|_| odd()),
        }
    }

    /// The same, where there may be no room.
    async fn change(
        &self,
        what: &str,
        place: (&Scope, &str),
        lasts: Option<Duration>,
        with: String,
    ) -> Result<String, NotKept> {
        match self.ask(what, place, lasts, with).await?.ok_or_else(odd)? {
            word if word == "full" => Err(NotKept::Full),
            done => Ok(done),
        }
    }
}

impl Kv for SharedKv {
    fn get<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, NotKept>> {
        Box::pin(async move {
            let found = self.ask("get", (scope, key), None, String::new()).await?;
            found.map(|found| STANDARD.decode(found).map_err(|_| odd())).transpose()
        })
    }

    fn set<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        value: Vec<u8>,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), NotKept>> {
        Box::pin(async move { self.change("set", (scope, key), lasts, STANDARD.encode(value)).await.map(drop) })
    }

    fn delete<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<(), NotKept>> {
        Box::pin(async move { self.ask("delete", (scope, key), None, String::new()).await.map(drop) })
    }

    fn add<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        by: i64,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, NotKept>> {
        Box::pin(
            async move { self.change("add", (scope, key), lasts, by.to_string()).await?.parse().map_err(|_| odd()) },
        )
    }
}

fn odd() -> NotKept {
    NotKept::Unavailable("the shared store gave an answer that makes no sense".into())
}

/// Some thirty years, in milliseconds.
const LONGEST: u64 = 1 << 40;
