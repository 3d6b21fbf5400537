//! Renewing answers whose time is over, behind the backs of those who were given them.
//!
//! A renewal is its caller's request put once more, from the beginning: it goes through the same steps of the same
//! revision, is counted by their limits, paid for by their budgets, and has a line of its own in the ledger and the
//! access log, with the request that it renews the answer of. Where a step refuses it or nobody answers, the old answer
//! is given on until its end. There are never more than a few at a time; any more are left to a later request.

use std::sync::Arc;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use futures_util::StreamExt as _;
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::gateway::account::Account;
use crate::gateway::visit::Visit;
use crate::gateway::world::World;
use crate::pipeline::charge::Basis;
use crate::pipeline::cx::Cx;
use crate::pipeline::renewal::Renewal;
use crate::policy::Snapshot;

/// Room for the renewals of the process.
pub struct Renewing(Arc<Semaphore>);

impl Default for Renewing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Renewing {
    /// Does the errand, and waits for nothing.
    pub fn begin(&self, errand: Renewal, of: &Cx, body: Bytes, world: &Arc<World>, snapshot: &Arc<Snapshot>) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        let now = world.clock.now();
        let cx = Cx {
            caller: of.caller.clone(),
            dialect: of.dialect,
            headers: without_words(&of.headers),
            basis: Basis { unknown: snapshot.unknown_price, ..Basis::default() },
            renews: Some(Arc::clone(&errand)),
            texts: of.texts.as_ref().map(|texts| texts.beside()),
            ..Cx::new(of.endpoint, of.clock, Arc::clone(&of.tokens))
        };
        let account = Account::of_renewal(Arc::clone(world), &cx, of, now);
        let visit = Visit::new(Arc::clone(world), Arc::clone(snapshot), Box::new(cx), account);
        tokio::spawn(go(visit, body, errand, place));
    }
}

/// Boxed, since a visit may begin one that is like itself.
fn go(visit: Visit, body: Bytes, errand: Renewal, place: OwnedSemaphorePermit) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if let (_, Ok(answered)) = visit.chat(body).await {
            let mut frames = answered.answer.frames;
            while frames.next().await.is_some() {}
        }
        drop((errand, place));
    })
}

/// What a caller has said of the cache was for its own request.
fn without_words(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(http::header::CACHE_CONTROL);
    headers.remove("x-tidegate-cache");
    headers
}

/// The most under way at a time.
const MOST: usize = 64;
