//! A guard outside, reached over HTTP.
//!
//! It is sent the texts and what it needs to know of the request, and nothing of the caller's: neither headers nor
//! credentials. Only so many requests are with it at a time; others wait their turn, within the time they have.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::report::{Kind, Report, Shape};
use crate::base::duration;
use crate::base::ids::TargetName;
use crate::base::secret::Secret;
use crate::provider::{Body, Hop, Pools, Transport};

/// What a gateway file says of a guard.
pub struct Spec {
    pub name: String,
    pub kind: Kind,
    pub url: Secret,
    /// Shown as a bearer token.
    pub key: Option<Secret>,
    /// A PEM file with the authorities to trust.
    pub ca: Option<PathBuf>,
    pub timeout: Duration,
    pub max_concurrent: NonZeroU32,
}

/// A guard, ready to be asked.
pub struct Guard {
    name: Arc<str>,
    kind: Kind,
    timeout: Duration,
    /// `None` while the files are only checked.
    line: Option<Line>,
    places: Semaphore,
}

struct Line {
    transport: Arc<dyn Transport>,
    uri: Uri,
    headers: HeaderMap,
    key: Option<Secret>,
    /// What it is called where it is played.
    hop: TargetName,
}

impl Guard {
    /// # Errors
    /// What is wrong with the specification, for the person who wrote it.
    pub fn open(spec: Spec, pools: &Pools) -> Result<Self, String> {
        let (uri, transport) = pools.lead(spec.url.expose(), spec.ca.as_deref())?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = &spec.key {
            headers.insert(AUTHORIZATION, bearer(key)?);
        }
        let hop = hop_name(&spec.name);
        let key = spec.key.map(|key| Secret::new(key.expose().trim()));
        let line = Line { transport, uri, headers, key, hop };
        Ok(Self { line: Some(line), ..Self::closed(&spec.name, spec.kind, spec.timeout, spec.max_concurrent) })
    }

    /// A guard that nobody can ask: what else is wrong can be found without its secrets.
    pub fn closed(name: &str, kind: Kind, timeout: Duration, max_concurrent: NonZeroU32) -> Self {
        let places = usize::try_from(max_concurrent.get()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { name: name.into(), kind, timeout, line: None, places: Semaphore::new(places) }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks about some texts.
    ///
    /// # Errors
    /// Why there is no answer that could be gone by. It quotes nothing of what was sent or answered.
    pub async fn ask(&self, body: Bytes, texts: &Shape, limit: Duration) -> Result<Report, String> {
        let answer = match timeout(limit, self.exchange(body, limit)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(format!("no answer within {}", duration::show(limit))),
        };
        self.kind.read(&answer, texts).ok_or_else(|| "its answer is not what its kind promises".to_owned())
    }

    async fn exchange(&self, body: Bytes, limit: Duration) -> Result<Bytes, String> {
        let line = self.line.as_ref().ok_or("it is not connected")?;
        let _place = self.places.acquire().await.map_err(|_| "it is closed")?;
        let mut request = Request::new(Body::Full(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = line.uri.clone();
        *request.headers_mut() = line.headers.clone();
        let hop = Hop { target: &line.hop, connect: limit };
        let response = line.transport.send(request, hop).await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("the answer was {}", response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), MOST).collect().await;
        let answer = body.map_err(|_| "its answer broke off or is too large")?.to_bytes();
        // Parts of it reach callers and logs.
        match &line.key {
            Some(key) if memchr::memmem::find(&answer, key.expose().as_bytes()).is_some() => {
                Err("its answer quotes its key".to_owned())
            }
            _ => Ok(answer),
        }
    }
}

/// What a guard of this name is called where it is played. No target is called so.
pub fn hop_name(name: &str) -> TargetName {
    TargetName::new(format!("screen {name}"))
}

fn bearer(key: &Secret) -> Result<HeaderValue, String> {
    let key = key.expose().trim();
    if key.is_empty() {
        return Err("its key is empty".into());
    }
    let mut value = HeaderValue::try_from(format!("Bearer {key}"))
        .map_err(|_| "its key holds a character that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The largest answer that is read, in bytes.
const MOST: usize = 4 * 1024 * 1024;
