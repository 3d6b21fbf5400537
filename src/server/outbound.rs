//! From the gateway to HTTP: answers and errors, in the caller's dialect.

use std::convert::Infallible;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame as BodyFrame;

use crate::base::ids::{DialectId, RequestId};
use crate::base::json::Writer;
use crate::base::millis::Millis;
use crate::base::money::{Dollars, Nanos};
use crate::base::stop::{FaultClass, Refusal, Stop};
use crate::chat::{Event, Frame, Losses};
use crate::dialect::{self, Asked, Dialect, StreamWriter};
use crate::gateway::{About, ChatAnswer, Exactness, Forwarded};
use crate::pipeline::{Answer, Burst, Head};
use crate::server::body::Outgoing;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MODEL: HeaderName = HeaderName::from_static("x-tidegate-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tidegate-attempts");
const POLICY: HeaderName = HeaderName::from_static("x-tidegate-policy");
const REVISION: HeaderName = HeaderName::from_static("x-tidegate-revision");
const OVERHEAD: HeaderName = HeaderName::from_static("x-tidegate-overhead-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const NOT_BUILT_IN: &str = "the dialect is not built in";
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// Room for all values that are made for a usual answer.
const ROOM: usize = 192;

const COST: HeaderName = HeaderName::from_static("x-tidegate-cost-usd");
const ESTIMATED: HeaderName = HeaderName::from_static("x-tidegate-estimated");

/// Writes a chat answer as a stream.
pub fn stream(about: &About, dialect: DialectId, chat: ChatAnswer) -> Response<Outgoing> {
    let Some(caller) = dialect::by_id(dialect) else { return not_built_in() };
    let Answer { head, frames } = chat.answer;
    let writer = caller.stream_writer(&chat.asked);
    let content_type = writer.content_type();
    let request_id = about.request_id.to_string();
    let stream = Stream { frames, writer, request_id, is_over: false };
    let mut response = Response::new(Outgoing::Stream(Box::new(stream)));
    let mut headers = Headers::of_answer(&mut response, head, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx and its like would gather the stream into large pieces.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.describe(about);
    response
}

/// Writes a chat answer that is there in one piece.
pub fn whole(about: &About, head: Head, whole: Whole) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::full(whole.bytes));
    let mut headers = Headers::of_answer(&mut response, head, "application/json");
    if let Some(cost) = whole.cost {
        headers.say(COST, &[Dollars::of(cost).as_str().as_bytes()]);
    }
    headers.describe(about);
    response
}

/// A whole answer in the caller's dialect, and what it cost by the word of its provider.
pub struct Whole {
    bytes: Bytes,
    cost: Option<Nanos>,
}

impl Whole {
    /// Gathers an answer.
    ///
    /// # Errors
    /// When it breaks off, or is none.
    pub async fn of(dialect: DialectId, chat: &mut ChatAnswer) -> Result<Self, Stop> {
        let caller = dialect::by_id(dialect).ok_or_else(|| Refusal::internal(NOT_BUILT_IN))?;
        let (mut bytes, mut usage) = (None, None);
        // Read to the end, so that the answer is accounted for as complete.
        while let Some(burst) = chat.answer.frames.next().await {
            for frame in burst? {
                if let Some(Event::Whole(completion)) = frame.iter().next() {
                    usage.clone_from(&completion.usage);
                }
                bytes = match frame.wire(caller.id()) {
                    Some(wire) => Some(wire),
                    None => written(caller, &chat.asked, frame).or(bytes),
                };
            }
        }
        let bytes = bytes.ok_or_else(|| Refusal::internal("a whole answer was asked for and none came"))?;
        Ok(Self { bytes, cost: usage.and_then(|usage| chat.tab.cost(&usage)) })
    }
}

/// A whole answer written in the caller's dialect.
fn written(caller: &dyn Dialect, asked: &Asked, frame: Frame) -> Option<Bytes> {
    let Event::Whole(mut completion) = frame.into_value().into_iter().next()? else { return None };
    // Some dialects must state a time, and others have none.
    completion.created.get_or_insert_with(|| asked.created.into());
    Some(caller.write_completion(&completion, &mut Losses::default()).into())
}

/// A streamed answer on its way out: for each burst of frames one write.
pub struct Stream {
    frames: BoxStream<'static, Result<Burst, Stop>>,
    writer: Box<dyn StreamWriter>,
    request_id: String,
    is_over: bool,
}

impl Stream {
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        let mut out = BytesMut::new();
        while out.is_empty() {
            if self.is_over {
                return Poll::Ready(None);
            }
            match ready!(self.frames.as_mut().poll_next(cx)) {
                Some(Ok(burst)) => {
                    for frame in &burst {
                        self.writer.write(frame, &mut out);
                    }
                }
                Some(Err(stop)) => {
                    self.is_over = true;
                    self.writer.fail(&stop, &self.request_id, &mut out);
                }
                None => self.is_over = true,
            }
        }
        Poll::Ready(Some(Ok(BodyFrame::data(out.freeze()))))
    }
}

/// Writes an error in the caller's dialect.
pub fn refused(about: &About, dialect: DialectId, stop: &Stop) -> Response<Outgoing> {
    let body = match dialect::by_id(dialect) {
        Some(dialect) => dialect.write_failure(stop, about.request_id.as_str()),
        None => return plain_error(stop.status(), &stop.message()),
    };
    let mut response = json(stop.status(), body);
    if let Stop::Refused(refusal) = stop {
        response.headers_mut().extend(refusal.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let mut headers = Headers::of(&mut response);
    if let Some(wait) = stop.retry_after() {
        // Rounded up: a caller that comes back early is refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    // The SDKs retry by themselves. What the gateway has tried in vain, and what no repetition mends, they
    // shall leave alone.
    let is_final = match stop {
        Stop::Failed(failed) => failed.tried.len() > 1 || failed.fault.class() == FaultClass::Rejected,
        // A route that ends in a refusal has tried what stands before it.
        Stop::Refused(refusal) => about.attempts > 0 || !matches!(refusal.status, 408 | 429 | 500..),
    };
    if is_final {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    headers.describe(about);
    response
}

/// Passes an opaque reply on.
pub fn forwarded(about: &About, answer: Forwarded) -> Response<Outgoing> {
    let (head, body) = answer.response.into_parts();
    let mut response = Response::new(Outgoing::forwarded(body, about.request_id.to_string(), refused_event));
    *response.status_mut() = head.status;
    *response.headers_mut() = crate::pipeline::chat::visible_headers(&head.headers);
    let mut headers = Headers::of(&mut response);
    for name in DESCRIBES_THE_BODY {
        for value in head.headers.get_all(&name) {
            headers.map.append(&name, value.clone());
        }
    }
    headers.say(MODEL, &[answer.target.as_str().as_bytes()]);
    headers.describe(about);
    response
}

/// The last event of a forwarded stream whose rest is refused. Clients of all of OpenAI's streams take an event with an
/// `error` for the end.
fn refused_event(stop: &Stop, request_id: &str) -> Bytes {
    let mut event = BytesMut::from(&b"event: error\ndata: "[..]);
    match dialect::by_id(DialectId::OPENAI_CHAT) {
        Some(dialect) => event.extend_from_slice(&dialect.write_failure(stop, request_id)),
        None => event.extend_from_slice(br#"{"error":{}}"#),
    }
    event.extend_from_slice(b"\n\n");
    event.freeze()
}

const DESCRIBES_THE_BODY: [HeaderName; 6] = [
    CONTENT_TYPE,
    http::header::CONTENT_DISPOSITION,
    http::header::CONTENT_ENCODING,
    http::header::CONTENT_LENGTH,
    http::header::CONTENT_RANGE,
    CACHE_CONTROL,
];

/// Our own count of a request's tokens, in Anthropic's shape.
pub fn counted(about: &About, tokens: u64, exactness: Exactness) -> Response<Outgoing> {
    let mut writer = Writer::new();
    writer.object(|w| w.key("input_tokens").u64(tokens));
    let mut response = json(200, writer.into_bytes());
    let mut headers = Headers::of(&mut response);
    if exactness == Exactness::Estimate {
        headers.insert(ESTIMATED, HeaderValue::from_static("true"));
    }
    headers.describe(about);
    response
}

/// The list of models, in the shape of the caller's dialect.
pub fn models(about: &About, dialect: DialectId, models: &[String]) -> Response<Outgoing> {
    let is_anthropic = dialect == DialectId::ANTHROPIC_MESSAGES;
    let mut writer = Writer::new();
    writer.object(|w| {
        if !is_anthropic {
            w.key("object").str("list");
        }
        w.key("data").array(|w| models.iter().for_each(|model| write_model(w, dialect, model)));
        if is_anthropic {
            w.key("has_more").bool(false);
            for (key, model) in [("first_id", models.first()), ("last_id", models.last())] {
                match model {
                    Some(model) => w.key(key).str(model),
                    None => w.key(key).null(),
                }
            }
        }
    });
    let mut response = json(200, writer.into_bytes());
    Headers::of(&mut response).describe(about);
    response
}

/// One model.
pub fn model(about: &About, dialect: DialectId, model: &str) -> Response<Outgoing> {
    let mut writer = Writer::new();
    write_model(&mut writer, dialect, model);
    let mut response = json(200, writer.into_bytes());
    Headers::of(&mut response).describe(about);
    response
}

fn write_model(writer: &mut Writer, dialect: DialectId, model: &str) {
    writer.object(|w| {
        w.key("id").str(model);
        if dialect == DialectId::ANTHROPIC_MESSAGES {
            w.key("type").str("model");
            w.key("display_name").str(model);
            w.key("created_at").str("1970-01-01T00:00:00Z");
        } else {
            w.key("object").str("model");
            w.key("created").u64(0);
            w.key("owned_by").str("tidegate");
        }
    });
}

/// A path nobody knows. There is no dialect to answer in; OpenAI's is the most widely read.
pub fn not_found(id: &RequestId, path: &str) -> Response<Outgoing> {
    let message = format!("`{path}` is not an endpoint; chat is at /v1/chat/completions and /v1/messages");
    let mut response = plain_error(404, &message);
    Headers::of(&mut response).say(REQUEST_ID, &[id.as_bytes()]);
    response
}

pub fn wrong_method(id: &RequestId, allowed: &'static str) -> Response<Outgoing> {
    let mut response = plain_error(405, &format!("this endpoint takes {allowed}"));
    let mut headers = Headers::of(&mut response);
    headers.say(REQUEST_ID, &[id.as_bytes()]);
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn not_built_in() -> Response<Outgoing> {
    plain_error(500, NOT_BUILT_IN)
}

fn plain_error(status: u16, message: &str) -> Response<Outgoing> {
    let mut writer = Writer::new();
    writer.object(|w| {
        w.key("error").object(|w| {
            w.key("message").str(message);
            w.key("type").str("invalid_request_error");
            w.key("param").null();
            w.key("code").null();
        });
    });
    json(status, writer.into_bytes())
}

pub fn json(status: u16, body: Vec<u8>) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::full(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The headers of a response.
struct Headers<'a> {
    map: &'a mut HeaderMap,
    /// The values made for it share one buffer: each would otherwise be an allocation or two.
    text: BytesMut,
}

impl<'a> Headers<'a> {
    fn of(response: &'a mut Response<Outgoing>) -> Self {
        Self { map: response.headers_mut(), text: BytesMut::with_capacity(ROOM) }
    }

    /// Those that any chat answer has.
    fn of_answer(response: &'a mut Response<Outgoing>, head: Head, content_type: &'static str) -> Self {
        *response.headers_mut() = head.headers;
        let mut headers = Self::of(response);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(provider) = &head.provider {
            headers.say(MODEL, &[provider.as_str().as_bytes(), b"/", head.model.as_str().as_bytes()]);
        }
        headers
    }

    fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.map.insert(name, value);
    }

    /// Inserts a value made of pieces. One that cannot be a header is left out.
    fn say(&mut self, name: HeaderName, pieces: &[&[u8]]) {
        pieces.iter().for_each(|piece| self.text.extend_from_slice(piece));
        if let Ok(value) = HeaderValue::from_maybe_shared(self.text.split().freeze()) {
            self.map.insert(name, value);
        }
    }

    /// Adds what the caller may know of how its request was handled.
    fn describe(mut self, about: &About) {
        self.say(REQUEST_ID, &[about.request_id.as_bytes()]);
        match DIGITS.get(about.attempts) {
            Some(digit) => self.insert(ATTEMPTS, HeaderValue::from_static(digit)),
            None => self.say(ATTEMPTS, &[itoa::Buffer::new().format(about.attempts).as_bytes()]),
        }
        if let Some(policy) = &about.policy {
            self.say(POLICY, &[policy.as_str().as_bytes()]);
        }
        self.insert(REVISION, about.revision.clone());
        self.say(OVERHEAD, &[Millis::of(about.overhead).as_bytes()]);
    }
}
