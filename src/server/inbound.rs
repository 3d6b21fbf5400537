//! From HTTP to the gateway: what is asked, who asks, and the body within its limits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

use crate::base::gather::Gather;
use crate::base::ids::DialectId;
use crate::base::stop::{Refusal, Stop};
use crate::gateway::{Arrival, Counted, Gateway, Visit};
use crate::pipeline::facts::Endpoint;
use crate::pipeline::opaque::{OpaqueBody, OpaqueRequest};
use crate::server::body::Outgoing;
use crate::server::drain::Drain;
use crate::server::endpoint::{self, Asked};
use crate::server::listen::Peer;
use crate::server::outbound::{self, Whole};
use crate::server::upload::{self, Upload};

/// Where requests come in.
pub struct Entrance {
    gateway: Arc<Gateway>,
    drain: Drain,
}

impl Entrance {
    pub fn to(gateway: Arc<Gateway>, drain: Drain) -> Arc<Self> {
        Arc::new(Self { gateway, drain })
    }

    /// Answers one request.
    ///
    /// Not an `async fn`, which would have room for the request and for its parts.
    pub fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Response<Outgoing>> + Send {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        async move {
            let path = head.uri.path();
            let asked = endpoint::find(&head.method, path);
            let (endpoint, dialect) = match asked {
                Asked::Chat(dialect) => (Endpoint::Chat, dialect),
                Asked::CountTokens(dialect) => (Endpoint::CountTokens, dialect),
                Asked::Models(_) => (Endpoint::Other, models_dialect(&head.headers)),
                Asked::Opaque(endpoint, _) => (endpoint, DialectId::OPENAI_CHAT),
                Asked::WrongMethod(method) => return outbound::wrong_method(&self.gateway.stray(started, 405), method),
                Asked::Unknown => return outbound::not_found(&self.gateway.stray(started, 404), path),
            };
            let certificate = peer.certificate.as_ref().map(|certificate| certificate.as_ref().as_ref());
            let (visit, entered) = self
                .gateway
                .enter(Arrival {
                    started,
                    endpoint,
                    dialect: Some(dialect),
                    headers: head.headers,
                    method: &head.method,
                    path,
                    peer_certificate: certificate,
                })
                .await;
            let mut response = match entered {
                Err(stop) => outbound::refused(&visit.refuse(&stop), dialect, &stop),
                Ok(()) => match asked {
                    Asked::Chat(_) => chat(visit, dialect, body).await,
                    // Boxed, so that chats need not make room for what is asked less often.
                    Asked::CountTokens(_) => Box::pin(count_tokens(visit, dialect, body)).await,
                    Asked::Models(model) => models(visit, dialect, model),
                    Asked::Opaque(_, below) => {
                        let path = with_query(below, head.uri.query());
                        Box::pin(opaque(visit, dialect, head.method, path, body)).await
                    }
                    // Turned away above.
                    Asked::WrongMethod(_) | Asked::Unknown => outbound::not_found(&visit.request_id(), path),
                },
            };
            if self.drain.has_begun() && head.version < http::Version::HTTP_2 {
                response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
            }
            response
        }
    }
}

async fn chat(mut visit: Visit, dialect: DialectId, body: Incoming) -> Response<Outgoing> {
    let body = match read(&mut visit, body).await {
        Ok(body) => body,
        Err(stop) => return outbound::refused(&visit.refuse(&stop), dialect, &stop),
    };
    let (about, mut answer) = match visit.chat(body).await {
        (about, Ok(answer)) => (about, answer),
        (about, Err(stop)) => return outbound::refused(&about, dialect, &stop),
    };
    if answer.is_stream {
        return outbound::stream(&about, dialect, answer);
    }
    match Whole::of(dialect, &mut answer).await {
        Ok(whole) => outbound::whole(&about, answer.answer.head, whole),
        Err(stop) => outbound::refused(&about, dialect, &stop),
    }
}

async fn count_tokens(mut visit: Visit, dialect: DialectId, body: Incoming) -> Response<Outgoing> {
    let body = match read(&mut visit, body).await {
        Ok(body) => body,
        Err(stop) => return outbound::refused(&visit.refuse(&stop), dialect, &stop),
    };
    match visit.count_tokens("/messages/count_tokens", body).await {
        (about, Ok(Counted::Provider(answer))) => outbound::forwarded(&about, *answer),
        (about, Ok(Counted::Ours(tokens, exactness))) => outbound::counted(&about, tokens, exactness),
        (about, Err(stop)) => outbound::refused(&about, dialect, &stop),
    }
}

fn models(visit: Visit, dialect: DialectId, model: Option<&str>) -> Response<Outgoing> {
    let models = visit.models();
    match model {
        None => outbound::models(&visit.finish(200), dialect, &models),
        Some(model) if models.iter().any(|known| known == model) => outbound::model(&visit.finish(200), dialect, model),
        Some(model) => {
            let stop = Stop::from(Refusal::unknown_model(model));
            outbound::refused(&visit.refuse(&stop), dialect, &stop)
        }
    }
}

async fn opaque(
    mut visit: Visit,
    dialect: DialectId,
    method: http::Method,
    path: String,
    body: Incoming,
) -> Response<Outgoing> {
    let headers = visit.headers().clone();
    let body = if is_json(&headers) {
        let read = read(&mut visit, body).await;
        read.and_then(|body| {
            OpaqueBody::json(body).map_err(|malformed| Refusal::malformed(malformed.to_string()).into())
        })
    } else {
        let limit = visit.snapshot().server.body_limit;
        check_length(&body, limit).map(|()| OpaqueBody::Stream(Some(Upload::new(body, limit).boxed_unsync())))
    };
    let body = match body {
        Ok(body) => body,
        Err(stop) => return outbound::refused(&visit.refuse(&stop), dialect, &stop),
    };
    match visit.opaque(OpaqueRequest { method, path, headers, body }).await {
        (about, Ok(answer)) => outbound::forwarded(&about, answer),
        (about, Err(stop)) => outbound::refused(&about, dialect, &stop),
    }
}

/// A body that does not say what it is counts as JSON, which is what its model is read from.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return true };
    let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// Reads a body within its limit. A caller that stalls is not waited for.
async fn read(visit: &mut Visit, mut body: Incoming) -> Result<Bytes, Stop> {
    let limit = visit.snapshot().server.body_limit;
    check_length(&body, limit)?;
    check_encoding(visit.headers())?;
    let mut gather = Gather::expecting(expected(&body));
    let mut wait = Wait::default();
    while !body.is_end_stream() {
        // Short bodies come with their heads. For what is here already no clock is looked at.
        let frame = match body.frame().now_or_never() {
            Some(frame) => frame,
            None => wait.within(body.frame()).await.ok_or_else(upload::stopped)?,
        };
        let frame = match frame {
            Some(Ok(frame)) => frame,
            None => break,
            Some(Err(_)) => return Err(upload::broken_off().into()),
        };
        let Ok(bytes) = frame.into_data() else { continue };
        if gather.len() + bytes.len() > limit {
            return Err(Refusal::too_large(limit).into());
        }
        gather.push(bytes);
    }
    visit.body_took(wait.took);
    Ok(gather.finish())
}

/// The time a caller is waited for.
#[derive(Default)]
struct Wait {
    begun: Option<Instant>,
    took: Duration,
}

impl Wait {
    /// `None` if it takes longer than a caller may.
    async fn within<T>(&mut self, coming: impl Future<Output = T>) -> Option<T> {
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        let due = (now + upload::SILENCE).min(begun + upload::WHOLE);
        let came = timeout_at(due, coming).await.ok();
        self.took += now.elapsed();
        came
    }
}

/// Refuses a body by its head, before it is read.
fn check_encoding(headers: &HeaderMap) -> Result<(), Stop> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let message = "compressed request bodies are not accepted; send the body as it is";
        return Err(Refusal::new(415, "unsupported_encoding", message).into());
    }
    Ok(())
}

fn check_length(body: &Incoming, limit: usize) -> Result<(), Stop> {
    if expected(body) > limit { Err(Refusal::too_large(limit).into()) } else { Ok(()) }
}

/// The length its head states, 0 if it states none.
fn expected(body: &Incoming) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX)
}

/// Anthropic's clients say which version of its API they speak; nobody else does.
fn models_dialect(headers: &HeaderMap) -> DialectId {
    if headers.contains_key("anthropic-version") { DialectId::ANTHROPIC_MESSAGES } else { DialectId::OPENAI_CHAT }
}

fn with_query(path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}
