//! A provider played inside the process, for demonstrations, policy tests and learning.
//!
//! It takes the place of the network (it is a [`Transport`]) and speaks OpenAI chat completions and
//! embeddings, Anthropic messages and token counts, and lists of models, by path. What it says follows
//! from the request alone, so the same request to a fresh simulator gets the same bytes; how slowly it
//! answers and what goes wrong is up to a [`Script`], or to the model's name (`sim-429`, `sim-stall`: see
//! [`Trouble`]). Its tokens are counted by one rule: a token is up to four characters.
//!
//! It refuses malformed requests as the real providers do. It does not look at credentials.

mod anthropic;
mod ask;
mod body;
mod embeddings;
mod models;
mod openai;
mod said;
mod schema;
mod script;
mod tokens;
mod voice;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_core::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::provider::transport::{Body, Hop, ReplyBody, Transport, TransportError};
use anthropic::Anthropic;
use ask::{Ask, Complaint};
use body::{Ending, pause};
use openai::OpenAi;
use script::Fate;
use voice::{Frame, Voice};

pub use script::{Script, Trouble};

/// What `retry-after` says beside a 429 or 529 when the script does not say.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// The provider that is none.
#[derive(Debug, Default)]
pub struct Simulator {
    script: Script,
    served: AtomicU64,
}

impl Transport for Simulator {
    fn send<'a>(
        &'a self,
        request: Request<Body>,
        _: Hop<'a>,
    ) -> BoxFuture<'a, Result<Response<ReplyBody>, TransportError>> {
        Box::pin(self.serve(request))
    }
}

/// One request on its way to an answer.
struct Turn<'a> {
    voice: &'a dyn Voice,
    nth: u64,
    script: &'a Script,
}

impl Simulator {
    pub fn new(script: Script) -> Self {
        Self { script, served: AtomicU64::new(0) }
    }

    async fn serve(&self, request: Request<Body>) -> Result<Response<ReplyBody>, TransportError> {
        let nth = self.served.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().trim_end_matches('/');
        let anthropic = parts.headers.contains_key("anthropic-version") || path.contains("/messages");
        let turn = Turn { voice: if anthropic { &Anthropic } else { &OpenAi }, nth, script: &self.script };
        let ends = |end: &str| path.ends_with(end);
        if parts.method == Method::GET && ends("/models") {
            return Ok(turn.json(StatusCode::OK, &models::list(&parts.headers)));
        }
        let known = ["/chat/completions", "/messages", "/messages/count_tokens", "/embeddings"].into_iter().any(ends);
        if !known || parts.method != Method::POST {
            return Ok(turn.refuse(&unknown(&parts.method, path, known)));
        }
        let body = body.collect().await.map_err(|error| TransportError::Broken(error.to_string()))?.to_bytes();
        let body: Value = match serde_json::from_slice(&body) {
            Ok(body) => body,
            Err(_) => return Ok(turn.refuse(&Complaint::new(400, "the body of the request is not valid JSON"))),
        };
        match path.rsplit('/').next() {
            Some("embeddings") => turn.plain(&body, embeddings::answer).await,
            Some("count_tokens") => turn.plain(&body, anthropic::count_tokens).await,
            _ => turn.chat(&body).await,
        }
    }
}

impl Turn<'_> {
    async fn chat(&self, body: &Value) -> Result<Response<ReplyBody>, TransportError> {
        let ask = match self.voice.read(body) {
            Ok(ask) => ask,
            Err(complaint) => return Ok(self.refuse(&complaint)),
        };
        let fate = self.script.fate(&ask.model, self.nth);
        if let Some(early) = self.before(&fate).await? {
            return Ok(early);
        }
        let said = said::answer(&ask, self.script.say.as_deref());
        if ask.streamed {
            return Ok(self.stream(self.voice.frames(&ask, &said, self.nth), &fate));
        }
        let tokens = said.tokens.saturating_mul(ask.answers);
        pause(fate.token_delay.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX))).await;
        Ok(self.whole(&ask, &said, &fate))
    }

    /// An endpoint that has neither a stream nor tokens to wait for.
    async fn plain(
        &self,
        body: &Value,
        answer: fn(&Value) -> Result<Value, Complaint>,
    ) -> Result<Response<ReplyBody>, TransportError> {
        let answer = match answer(body) {
            Ok(answer) => answer,
            Err(complaint) => return Ok(self.refuse(&complaint)),
        };
        let model = ask::string(body, "model").unwrap_or_default();
        let fate = self.script.fate(model, self.nth);
        if let Some(early) = self.before(&fate).await? {
            return Ok(early);
        }
        Ok(self.troubled(answer.to_string(), &fate))
    }

    /// What happens before an answer begins, which may be all that happens.
    async fn before(&self, fate: &Fate) -> Result<Option<Response<ReplyBody>>, TransportError> {
        match fate.trouble {
            Some(Trouble::Unreachable) => return Err(TransportError::Connect("simulated: connection refused".into())),
            Some(Trouble::Silent) => std::future::pending().await,
            _ => pause(fate.latency).await,
        }
        let complaint = match fate.trouble {
            Some(Trouble::Status(status)) => Complaint::new(status, format!("simulated error {status}")),
            Some(Trouble::Context) => self.voice.too_long(),
            Some(Trouble::Filter) => self.voice.filtered(),
            _ => return Ok(None),
        };
        Ok(Some(self.refuse(&complaint)))
    }

    fn stream(&self, mut frames: Vec<Frame>, fate: &Fate) -> Response<ReplyBody> {
        let middle = frames.len() / 2;
        let mut ending = Ending::Clean;
        match fate.trouble {
            Some(Trouble::Stall) => {
                frames.clear();
                ending = Ending::Never;
            }
            Some(Trouble::Cut) => {
                frames.truncate(middle);
                ending = Ending::Broken;
            }
            Some(Trouble::CutClean) => frames.truncate(middle),
            Some(Trouble::CutEarly) => frames.clear(),
            Some(Trouble::Garbled) => frames = vec![Frame::raw("data: {\"this is\": not JSON\n\n")],
            Some(Trouble::ErrorInStream) => {
                frames.truncate(middle);
                frames.push(self.voice.error_frame(&Complaint::new(529, "simulated error in the stream")));
            }
            _ => {}
        }
        let body = body::stream(frames, fate.token_delay, ending);
        self.response(StatusCode::OK, "text/event-stream; charset=utf-8", body)
    }

    fn whole(&self, ask: &Ask, said: &said::Said, fate: &Fate) -> Response<ReplyBody> {
        if fate.trouble == Some(Trouble::ErrorInStream) {
            return self.refuse(&Complaint::new(500, "simulated error"));
        }
        self.troubled(self.voice.whole(ask, said, self.nth).to_string(), fate)
    }

    /// An answer in one piece, or what trouble leaves of it.
    fn troubled(&self, mut text: String, fate: &Fate) -> Response<ReplyBody> {
        let middle = tokens::end(&text, text.chars().count() / 2);
        let mut ending = Ending::Clean;
        match fate.trouble {
            Some(Trouble::Stall) => {
                text.clear();
                ending = Ending::Never;
            }
            Some(Trouble::Cut) => {
                text.truncate(middle);
                ending = Ending::Broken;
            }
            Some(Trouble::CutClean) => text.truncate(middle),
            Some(Trouble::CutEarly) => text.clear(),
            Some(Trouble::Garbled) => text = "<html>this is not JSON</html>".into(),
            _ => {}
        }
        let frames = if text.is_empty() { Vec::new() } else { vec![Frame::raw(text)] };
        self.response(StatusCode::OK, "application/json", body::stream(frames, Duration::ZERO, ending))
    }

    fn refuse(&self, complaint: &Complaint) -> Response<ReplyBody> {
        let status = StatusCode::from_u16(complaint.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.json(status, &self.voice.complaint(complaint, self.nth));
        let usual = matches!(complaint.status, 429 | 529).then_some(USUAL_WAIT);
        if let Some(wait) = self.script.retry_after.or(usual) {
            // The header knows whole seconds only; a wait is never shortened by that.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn json(&self, status: StatusCode, value: &Value) -> Response<ReplyBody> {
        let body = body::stream(vec![Frame::raw(value.to_string())], Duration::ZERO, Ending::Clean);
        self.response(status, "application/json", body)
    }

    fn response(&self, status: StatusCode, kind: &'static str, body: ReplyBody) -> Response<ReplyBody> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Ok(id) = HeaderValue::try_from(format!("req_sim{:021}", self.nth)) {
            // Each provider's own name for it.
            headers.insert(HeaderName::from_static("x-request-id"), id.clone());
            headers.insert(HeaderName::from_static("request-id"), id);
        }
        *response.headers_mut() = headers;
        response
    }
}

fn unknown(method: &Method, path: &str, known: bool) -> Complaint {
    let status = if known { 405 } else { 404 };
    Complaint::new(status, format!("the simulator has no {method} {path}")).coded("unknown_url")
}

#[cfg(test)]
mod tests;
