//! Bringing a batch to a collector over HTTP, again if it asks for that.
//!
//! What may be mended by waiting is tried again: no connection, 429, 502, 503 and 504, after the time that the
//! collector names, or a growing one. What the collector does not want as it is (400, 401, …) is never sent twice.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::time::{Instant, sleep, timeout};

/// Whoever carries requests to collectors.
pub trait Carrier: Send + Sync {
    /// Sends a request and reads the whole answer, of any status.
    fn carry(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>>;
}

/// A client that waits.
pub struct Patient {
    pub carrier: Arc<dyn Carrier>,
    /// The headers that the policy has for this collector, and no others.
    pub headers: HeaderMap,
    /// The longest wait for one answer.
    pub timeout: Duration,
}

/// How long a batch is kept on being sent.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_secs(1);

impl Patient {
    async fn bring(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (begun, mut pause) = (Instant::now(), FIRST_WAIT);
        loop {
            let answered = self.try_once(&request).await;
            let wait = match &answered {
                Ok(response) if !is_passing(response.status()) => None,
                Ok(response) => Some(asked_for(response.headers()).unwrap_or(pause)),
                Err(_) => Some(pause),
            };
            match wait.filter(|wait| begun.elapsed() + *wait < PATIENCE) {
                Some(wait) => sleep(wait).await,
                None => return answered.map_err(HttpError::from),
            }
            pause *= 2;
        }
    }

    /// Brings a batch once, whatever comes of it.
    pub async fn try_once(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, String> {
        let answered = timeout(self.timeout, self.carrier.carry(self.dressed(request))).await;
        answered.unwrap_or_else(|_| Err(format!("no answer within {:?}", self.timeout)))
    }

    /// The environment may have named headers for every collector there is; none of them is sent unless the policy
    /// says so.
    fn dressed(&self, request: &Request<Bytes>) -> Request<Bytes> {
        let mut dressed = Request::new(request.body().clone());
        *dressed.method_mut() = request.method().clone();
        *dressed.uri_mut() = request.uri().clone();
        let headers = dressed.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tidegate/", env!("CARGO_PKG_VERSION"))));
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            if let Some(value) = request.headers().get(&name) {
                headers.insert(name, value.clone());
            }
        }
        dressed
    }
}

/// Whether waiting may mend it.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// The wait that an answer asks for: seconds, or a date.
pub fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

impl fmt::Debug for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patient")
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Patient {
    fn send_bytes<'this, 'a>(&'this self, request: Request<Bytes>) -> Sending<'a>
    where
        'this: 'a,
        Self: 'a,
    {
        Box::pin(self.bring(request))
    }
}
