//! Putting a chat request to a target.
//!
//! The request goes out as its own bytes where the target speaks its dialect and no step has edited it,
//! and is written anew otherwise. A streamed answer is held until its first token: an upstream that says
//! 200 and then fails is a fault like any other, and the caller never learns of it if another one answers.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::StreamExt as _;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use tokio::time::Instant;

use crate::base::ids::{DialectId, ModelName};
use crate::base::stop::{Fault, FaultClass, Phase};
use crate::chat::{Completion, Event, Events, FinishReason, Frame, Losses, Request, Usage, Verbatim};
use crate::dialect::{Dialect, Malformed, is_semantic};
use crate::pipeline::attempt::{Exchange, Sending};
use crate::pipeline::charge::Basis;
use crate::pipeline::collect::{self, collect};
use crate::pipeline::retry::Rules;
use crate::pipeline::step::{Answer, Burst, Head};
use crate::pipeline::target::Target;
use crate::pipeline::upstream::Upstream;
use crate::pipeline::watch::Watch;
use crate::provider::{Body, Call, ReplyBody, is_trace, retry_after};

/// The largest whole answer that is read.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// The largest error body that is read.
const MAX_FAILURE: usize = 1024 * 1024;

/// A chat request and what the caller asked for, ready for any target.
pub struct ChatExchange<'a> {
    request: Option<Box<Verbatim<Request>>>,
    stream: bool,
    model: ModelName,
    steer: Steer<'a>,
    /// The dialect the answer leaves in as its own bytes, unless somebody looks into it first.
    passes: Option<DialectId>,
    /// Bytes of a prefix that is to be marked for the provider's own cache.
    mark_prefixes: Option<u64>,
    /// How many markers the last attempt took.
    marked: usize,
    /// What an answer that came to nothing has used, by the word of its provider.
    wasted: Option<Usage>,
}

/// Headers that go along with a request.
#[derive(Debug, Clone, Copy)]
pub struct Steer<'a> {
    /// Of the caller's those that steer a dialect go on to targets that speak it.
    pub from_caller: &'a HeaderMap,
    /// Those that steps have set go to every target.
    pub from_steps: &'a HeaderMap,
}

/// Who looks into an answer on its way to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onlookers {
    Nobody,
    Taps,
}

impl<'a> ChatExchange<'a> {
    /// `asked` is the model that the caller has named.
    pub fn new(request: Box<Verbatim<Request>>, asked: &ModelName, steer: Steer<'a>, onlookers: Onlookers) -> Self {
        let stream = request.stream;
        // A step may have put another in its place.
        let model =
            if request.model == asked.as_str() { asked.clone() } else { ModelName::new(request.model.as_str()) };
        // What is to become a stream is taken apart, whoever looks on.
        let passes = (onlookers == Onlookers::Nobody && !stream).then_some(request.dialect);
        Self { request: Some(request), stream, model, steer, passes, mark_prefixes: None, marked: 0, wasted: None }
    }

    /// The same, with what begins the request marked for providers' own caches if it has so many bytes.
    #[must_use]
    pub fn marking(self, mark_prefixes: Option<u64>) -> Self {
        Self { mark_prefixes, ..self }
    }

    /// The request as this target shall see it. Taken rather than copied if no other attempt can follow.
    fn outgoing(&mut self, is_last: bool) -> Option<Box<Verbatim<Request>>> {
        if is_last { self.request.take() } else { self.request.clone() }
    }

    fn call_headers(&self, target: &Target, came_in: DialectId) -> HeaderMap {
        // As many as there are without steering: content type, accept, credential, host, length.
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if self.stream { "text/event-stream" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let steers = came_in == target.dialect.id();
        for (name, value) in self.steer.from_caller {
            let text = name.as_str();
            // A provider takes the trace out again unless it is to have it.
            if (steers && STEERING.contains(&text)) || is_trace(text) {
                headers.append(name.clone(), value.clone());
            }
        }
        for (name, value) in self.steer.from_steps {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }

    /// Judges a whole answer by its body.
    fn whole(&mut self, head: Head, body: Bytes, sending: &Sending<'_>, mut watch: Watch) -> Result<Answer, Fault> {
        let target = std::sync::Arc::clone(watch.target());
        let garbled =
            |reason: String| Fault::Garbled { target: target.name.clone(), dialect: target.dialect.id(), reason };
        let read = ByteString::try_from(body.clone())
            .map_err(|_| "it is not UTF-8".to_owned())
            .and_then(|text| self.read(&text, target.dialect).map_err(|malformed| malformed.to_string()));
        let completion = match read {
            Ok(completion) => completion,
            Err(_) if is_error_object(&body) => {
                // Some vendors answer 200 and put the error into the body.
                return Err(watch.lost(target.dialect.read_failure(502, &body).at(target.name.clone(), None)));
            }
            Err(reason) => return Err(watch.lost(garbled(reason))),
        };
        let filtered = completion
            .choices
            .iter()
            .all(|choice| choice.finish.as_ref().is_some_and(|finish| finish.reason == FinishReason::ContentFilter));
        if filtered && !completion.choices.is_empty() && sending.rules.retry_on.contains(&FaultClass::ContentFiltered) {
            self.wasted = completion.usage;
            return Err(watch.lost(filtered_by(&target)));
        }
        watch.first_token_after(sending.started.elapsed());
        watch.good();
        let frame =
            Frame::read(Events::from_iter([Event::Whole(Box::new(completion))]), target.dialect.id(), body, Some(0));
        Ok(Answer { head, frames: futures_util::stream::iter([Ok(vec![frame])]).boxed() })
    }

    async fn streamed(
        &mut self,
        response: Response<ReplyBody>,
        head: Head,
        sending: &Sending<'_>,
        watch: Watch,
    ) -> Result<Answer, Fault> {
        let target = std::sync::Arc::clone(watch.target());
        let mut upstream = Upstream::new(response.into_body(), target.dialect.stream_reader(), sending, watch);
        let mut held: Burst = Vec::new();
        while !held.iter().any(|frame| is_semantic(frame)) {
            let fault = match upstream.next().await {
                Some(Ok(mut burst)) => {
                    held.append(&mut burst);
                    continue;
                }
                Some(Err(fault)) => fault,
                None => Fault::Cut { target: target.name.clone(), reason: "the answer is empty".into() },
            };
            self.wasted = usage_in(&held);
            return Err(fault);
        }
        if begins_filtered(&held) && sending.rules.retry_on.contains(&FaultClass::ContentFiltered) {
            self.wasted = usage_in(&held);
            return Err(filtered_by(&target));
        }
        let first = futures_util::stream::iter([Ok(held)]);
        Ok(Answer { head, frames: first.chain(upstream).boxed() })
    }

    /// Reads a whole answer, as far as anybody needs it.
    fn read(&self, text: &ByteString, dialect: &dyn Dialect) -> Result<Completion, Malformed> {
        if self.passes == Some(dialect.id()) {
            let skimmed = dialect.skim_completion(text)?;
            // Where the provider does not say what it used, the words are counted.
            if skimmed.usage.is_some() {
                return Ok(skimmed);
            }
        }
        dialect.read_completion(text)
    }

    fn head(&self, target: &Target, headers: HeaderMap) -> Head {
        let model = target.model_for(&self.model);
        Head {
            target: Some(target.name.clone()),
            provider: Some(target.provider.name().clone()),
            model: model.clone(),
            dialect: target.dialect.id(),
            headers,
            is_detoured: false,
            basis: Basis::default(),
            audience: None,
        }
    }
}

impl Exchange for ChatExchange<'_> {
    type Answer = Answer;

    fn model(&self) -> Option<&ModelName> {
        Some(&self.model)
    }

    fn wasted(&mut self, fault: &Fault) -> Option<Usage> {
        match fault.class() {
            // Somebody was at work, whether or not anybody has said for how long.
            FaultClass::Timeout | FaultClass::CutBeforeFirstToken => Some(self.wasted.take().unwrap_or_default()),
            _ => self.wasted.take(),
        }
    }

    fn marked(&self) -> usize {
        self.marked
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn head_limit(&self, rules: &Rules) -> Duration {
        if self.stream { rules.timeouts.headers } else { rules.timeouts.whole }
    }

    fn compose(&mut self, target: &Target, is_last: bool, losses: &mut Losses) -> Result<Call, Fault> {
        let Some(mut request) = self.outgoing(is_last) else {
            return Err(Fault::PassedOver {
                target: target.name.clone(),
                reason: "the request is spent".into(),
                retry_after: None,
            });
        };
        let came_in = request.dialect;
        if let Some(model) = &target.model
            && request.model != model.as_str()
        {
            request.edit_text(|request| &mut request.model, model.as_str());
        }
        self.marked = match self.mark_prefixes {
            Some(least) => target.dialect.mark_prefixes(&mut request, least),
            None => 0,
        };
        let quirks = target.provider.quirks();
        if request.stream {
            target.dialect.ask_for_usage(&mut request, quirks);
        }
        let body = match request.wire(target.dialect.id()) {
            Some(bytes) => bytes,
            None => target.dialect.write_request(&request, quirks, losses).into(),
        };
        let headers = self.call_headers(target, came_in);
        Ok(Call { method: Method::POST, path: target.dialect.chat_path().into(), headers, body: Body::Full(body) })
    }

    /// Not an `async fn`, which would have room for the response twice.
    fn judge(
        &mut self,
        response: Response<ReplyBody>,
        sending: &Sending<'_>,
        mut watch: Watch,
    ) -> impl Future<Output = Result<Answer, Fault>> + Send {
        let head = self.head(watch.target(), visible_headers(response.headers()));
        async move {
            // Boxed, so that whole answers need not make room for either.
            if response.status() != StatusCode::OK {
                return Err(Box::pin(failure(response, sending, watch)).await);
            }
            if self.stream && !is_json(response.headers()) {
                return Box::pin(self.streamed(response, head, sending, watch)).await;
            }
            let timeouts = &sending.rules.timeouts;
            let limits = collect::Limits {
                bytes: MAX_ANSWER,
                between: timeouts.between_tokens,
                until: (sending.started + timeouts.whole, timeouts.whole, Phase::Whole),
                deadline: (sending.deadline, timeouts.total),
            };
            match collect(response.into_body(), &watch.target().name, &limits).await {
                Ok(body) => self.whole(head, body, sending, watch),
                Err(fault) => Err(watch.lost(fault)),
            }
        }
    }
}

/// Reads an answer with an error status.
pub async fn failure(response: Response<ReplyBody>, sending: &Sending<'_>, mut watch: Watch) -> Fault {
    let target = std::sync::Arc::clone(watch.target());
    let status = response.status().as_u16();
    let wait = retry_after::read(response.headers(), SystemTime::from(sending.clock.now()));
    let limits = collect::Limits {
        bytes: MAX_FAILURE,
        between: Duration::from_secs(5),
        until: (Instant::now() + Duration::from_secs(10), Duration::from_secs(10), Phase::Whole),
        deadline: (sending.deadline, sending.rules.timeouts.total),
    };
    // The status is known; a body that does not come makes it no other fault.
    let body = collect(response.into_body(), &target.name, &limits).await.unwrap_or_default();
    let mut failure = target.dialect.read_failure(status, &body);
    target.provider.hide_keys(&mut failure.reply);
    watch.lost(failure.at(target.name.clone(), wait))
}

/// The caller's headers that a dialect itself defines.
pub const STEERING: [&str; 3] = ["anthropic-version", "anthropic-beta", "openai-beta"];

/// The upstream's headers that a caller may see: limits and ids, nothing that names the gateway's account.
pub fn visible_headers(upstream: &HeaderMap) -> HeaderMap {
    // Room for what the gateway itself will say of the answer, too.
    let mut visible = HeaderMap::with_capacity(16);
    for (name, value) in upstream {
        let text = name.as_str();
        if text.starts_with("x-ratelimit-")
            || text.starts_with("anthropic-ratelimit-")
            || text == "openai-processing-ms"
        {
            visible.append(name.clone(), value.clone());
        }
        if text == "x-request-id" || text == "request-id" {
            visible.insert(HeaderName::from_static("x-upstream-request-id"), value.clone());
        }
    }
    visible
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn is_error_object(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|body| body.get("error").is_some_and(|error| !error.is_null()))
}

/// True if the first thing a stream says is that the content was filtered.
fn begins_filtered(frames: &[Frame]) -> bool {
    let first = frames.iter().flat_map(|frame| frame.iter()).find(|event| event.is_semantic());
    matches!(first, Some(Event::Finish { finish, .. }) if finish.reason == FinishReason::ContentFilter)
}

/// What a stream has said so far of what it used.
fn usage_in(frames: &[Frame]) -> Option<Usage> {
    let said = frames.iter().flat_map(|frame| frame.iter()).filter_map(|event| match event {
        Event::Usage(usage) => Some(usage),
        _ => None,
    });
    said.fold(None, |mut sum: Option<Usage>, usage| {
        sum.get_or_insert_default().update(usage);
        sum
    })
}

fn filtered_by(target: &Target) -> Fault {
    let message = "the answer was filtered".to_owned();
    let reply = Box::new(crate::base::stop::Reply { status: 400, message, ..Default::default() });
    Fault::Filtered { target: target.name.clone(), reply }
}
