//! An issuer's keys, held and kept fresh.
//!
//! They are fetched when a token names a key we do not have, and again every [`EVERY`] by
//! [`IssuerKeys::tend`]. One fetch runs at a time, whoever asks for it; a second one begins [`PAUSE`] after
//! the first at the earliest, so strangers with invented key names cannot make us pester the issuer.
//!
//! A fetch that fails leaves the old keys in use and says so in the log. Whoever asked for it may hang up:
//! the next one to wait drives it on, and nothing is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;
use tracing::{info, warn};

use super::jwks::KeySet;

/// Fetches an issuer's key set. Implemented above this layer, which has the HTTP client.
///
/// The implementation bounds the size of what it reads, and never follows a redirect away from HTTPS. How
/// long it may take is bounded here.
pub trait FetchJwks: Send + Sync {
    /// The body of a successful answer, or why there is none.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Bytes, String>>;
}

pub(super) struct IssuerKeys {
    current: Arc<ArcSwapOption<Fetched>>,
    origin: Option<Origin>,
}

/// Where the keys come from, if they are not fixed.
struct Origin {
    url: Arc<str>,
    fetch: Arc<dyn FetchJwks>,
    flight: Mutex<Flight>,
}

#[derive(Default)]
struct Flight {
    began: Option<Instant>,
    refresh: Option<Refresh>,
}

type Refresh = Shared<BoxFuture<'static, ()>>;

struct Fetched {
    keys: Arc<KeySet>,
    at: Instant,
}

impl IssuerKeys {
    /// Keys from a file, which only a reload can change.
    pub(super) fn fixed(keys: KeySet) -> Self {
        let current = Fetched { keys: Arc::new(keys), at: Instant::now() };
        Self { current: Arc::new(ArcSwapOption::from_pointee(current)), origin: None }
    }

    pub(super) fn at_url(url: &str, fetch: Arc<dyn FetchJwks>) -> Self {
        let origin = Origin { url: Arc::from(url), fetch, flight: Mutex::default() };
        Self { current: Arc::default(), origin: Some(origin) }
    }

    pub(super) fn url(&self) -> Option<&str> {
        self.origin.as_ref().map(|origin| &*origin.url)
    }

    /// The keys as last fetched; `None` before that has worked for the first time.
    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load().as_ref().map(|fetched| Arc::clone(&fetched.keys))
    }

    /// Waits for fresh keys, unless the last attempt is too recent or the keys are fixed.
    pub(super) async fn renew(&self) {
        if let Some(refresh) = self.join_or_begin() {
            refresh.await;
        }
    }

    /// Renews the keys if their time has come, and drives on a fetch that others have left.
    pub(super) async fn tend(&self) {
        let is_fresh = self.current.load().as_ref().is_some_and(|fetched| fetched.at.elapsed() < EVERY);
        let left_over = self.origin.as_ref().and_then(Origin::in_flight);
        match left_over {
            Some(refresh) => refresh.await,
            None if is_fresh => {}
            None => self.renew().await,
        }
    }

    fn join_or_begin(&self) -> Option<Refresh> {
        let origin = self.origin.as_ref()?;
        let pause = if self.current.load().is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        let mut flight = origin.lock();
        if let Some(refresh) = flight.running() {
            return Some(refresh);
        }
        if flight.began.is_some_and(|began| began.elapsed() < pause) {
            return None;
        }
        let refresh = refresh(origin.url.clone(), origin.fetch.clone(), self.current.clone()).boxed().shared();
        *flight = Flight { began: Some(Instant::now()), refresh: Some(refresh.clone()) };
        Some(refresh)
    }
}

impl Origin {
    fn in_flight(&self) -> Option<Refresh> {
        self.lock().running()
    }

    /// What it guards is whole at every moment, so a panic elsewhere has not spoilt it.
    fn lock(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn running(&self) -> Option<Refresh> {
        self.refresh.as_ref().filter(|refresh| refresh.peek().is_none()).cloned()
    }
}

async fn refresh(url: Arc<str>, fetch: Arc<dyn FetchJwks>, current: Arc<ArcSwapOption<Fetched>>) {
    let fetched = match tokio::time::timeout(PATIENCE, fetch.fetch(&url)).await {
        Ok(Ok(document)) => KeySet::parse(&document),
        Ok(Err(reason)) => Err(reason),
        Err(_) => Err(format!("no answer within {}", crate::base::duration::show(PATIENCE))),
    };
    match fetched {
        Ok(keys) => {
            current.store(Some(Arc::new(Fetched { keys: Arc::new(keys), at: Instant::now() })));
            info!(%url, "fetched the token issuer's keys");
        }
        Err(reason) if current.load().is_some() => warn!(%url, %reason, "keeping the token issuer's old keys"),
        Err(reason) => warn!(%url, %reason, "the token issuer's keys could not be fetched"),
    }
}

/// How old the keys grow before they are fetched anew. A key the issuer has withdrawn is trusted this long.
const EVERY: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(30);
/// Without any keys every token is refused, so we try again sooner.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{FakeIssuer, Issuer};

    #[tokio::test(start_paused = true)]
    async fn many_who_wait_cause_one_fetch() {
        let fake = FakeIssuer::publishing(&[&Issuer::es256("a")]);
        let keys = IssuerKeys::at_url("https://sso.example/jwks", fake.clone());
        tokio::join!(keys.renew(), keys.renew(), keys.renew());
        assert_eq!(fake.fetches(), 1);
        assert!(keys.current().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_fetch_begins_thirty_seconds_after_the_first_at_the_earliest() {
        let fake = FakeIssuer::publishing(&[&Issuer::es256("a")]);
        let keys = IssuerKeys::at_url("https://sso.example/jwks", fake.clone());
        keys.renew().await;
        tokio::time::advance(Duration::from_secs(29)).await;
        keys.renew().await;
        assert_eq!(fake.fetches(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        keys.renew().await;
        assert_eq!(fake.fetches(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_fetch_leaves_the_old_keys_in_use() {
        let fake = FakeIssuer::publishing(&[&Issuer::es256("a")]);
        let keys = IssuerKeys::at_url("https://sso.example/jwks", fake.clone());
        keys.renew().await;
        fake.break_down();
        tokio::time::advance(Duration::from_secs(301)).await;
        keys.tend().await;
        assert_eq!(fake.fetches(), 2);
        assert!(keys.current().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn tending_fetches_before_the_first_caller_and_then_every_five_minutes() {
        let fake = FakeIssuer::publishing(&[&Issuer::es256("a")]);
        let keys = IssuerKeys::at_url("https://sso.example/jwks", fake.clone());
        keys.tend().await;
        keys.tend().await;
        assert_eq!(fake.fetches(), 1);
        tokio::time::advance(EVERY).await;
        keys.tend().await;
        assert_eq!(fake.fetches(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_whose_asker_hung_up_is_carried_on_by_the_next() {
        let fake = FakeIssuer::publishing(&[&Issuer::es256("a")]);
        fake.hold();
        let keys = IssuerKeys::at_url("https://sso.example/jwks", fake.clone());
        assert!(keys.renew().now_or_never().is_none());
        fake.release();
        keys.renew().await;
        assert_eq!(fake.fetches(), 1);
        assert!(keys.current().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_never_answers_is_given_up_on() {
        let fake = FakeIssuer::publishing(&[&Issuer::es256("a")]);
        fake.hold();
        let keys = IssuerKeys::at_url("https://sso.example/jwks", fake.clone());
        let began = Instant::now();
        keys.renew().await;
        assert_eq!(began.elapsed(), PATIENCE);
        assert!(keys.current().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_keys_the_next_attempt_comes_sooner() {
        let fake = FakeIssuer::publishing(&[&Issuer::es256("a")]);
        fake.break_down();
        let keys = IssuerKeys::at_url("https://sso.example/jwks", fake.clone());
        keys.renew().await;
        fake.publish(&[&Issuer::es256("a")]);
        tokio::time::advance(PAUSE_WITHOUT_KEYS).await;
        keys.renew().await;
        assert!(keys.current().is_some());
    }
}
