//! Requests whose bodies the gateway itself does not read: embeddings, images, audio, files, batches.
//!
//! They are authenticated, routed and retried like any other, and forwarded as they are, but for the model
//! in a JSON body and for what steps change that know where texts stand in it. Which endpoints those are policies know
//! when they load.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, Method, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;

use crate::base::ids::{DialectId, ModelName, TargetName};
use crate::base::json::{Kind, Malformed, Reader};
use crate::base::stop::{Fault, Phase, Refusal};
use crate::base::text::Text;
use crate::chat::{Losses, Verbatim};
use crate::pipeline::attempt::{Exchange, Sending};
use crate::pipeline::chat::failure;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::passing::Passing;
use crate::pipeline::retry::Rules;
use crate::pipeline::silence::Silence;
use crate::pipeline::target::Target;
use crate::pipeline::watch::Watch;
use crate::provider::{Body, BoxError, Call, ReplyBody};
use crate::telemetry::otlp::Texts;

/// A request that is forwarded without being understood.
pub struct OpaqueRequest {
    pub method: Method,
    /// The path below a provider's base URL, with its query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: OpaqueBody,
}

pub enum OpaqueBody {
    /// A JSON document with its `model`, if it names one. Can be sent again.
    Json(Verbatim<Text>),
    /// Bytes that are passed on as they come, once. Its error is what the caller did wrong in sending them.
    Stream(Option<UnsyncBoxBody<Bytes, Refusal>>),
}

/// JSON bodies have no dialect to translate from or to.
const JSON: DialectId = DialectId("json");

impl OpaqueBody {
    /// Reads the model out of a JSON body; an empty or other body has none.
    ///
    /// # Errors
    /// When the body claims to be JSON and is not, or says something twice.
    pub fn json(body: Bytes) -> Result<Self, Malformed> {
        let text = ByteString::try_from(body.clone()).map_err(|_| Malformed::new("the body is not UTF-8"))?;
        let mut model = Text::default();
        if !text.trim().is_empty() {
            let mut reader = Reader::strict(&text);
            reader.object(|reader, key| {
                if key == "model" && reader.peek()? == Kind::String {
                    model = reader.text()?;
                }
                Ok(())
            })?;
            reader.end()?;
        }
        Ok(Self::Json(Verbatim::read(model, JSON, body, Some(0))))
    }

    /// The JSON document as it would leave now; `None` if it is not read.
    pub fn document(&self) -> Option<Bytes> {
        match self {
            Self::Json(document) => document.wire(JSON),
            Self::Stream(_) => None,
        }
    }

    /// The same, if it can be sent again.
    pub fn copy(&self) -> Option<Self> {
        match self {
            Self::Json(document) => Some(Self::Json(document.clone())),
            Self::Stream(_) => None,
        }
    }

    pub fn model(&self) -> String {
        match self {
            Self::Json(model) => model.as_str().into_owned(),
            Self::Stream(_) => String::new(),
        }
    }
}

/// An opaque request, ready for any target.
pub struct OpaqueExchange {
    request: OpaqueRequest,
    /// What is asked, and charged for; `None` where it costs nothing.
    model: Option<ModelName>,
    /// Why the caller's body came to no good end, once that is so.
    spoilt: Arc<OnceLock<Refusal>>,
}

impl OpaqueExchange {
    pub fn new(request: OpaqueRequest, endpoint: Endpoint) -> Self {
        let costs = request.method == Method::POST && endpoint.costs();
        let model = costs.then(|| ModelName::new(request.body.model()));
        Self { request, model, spoilt: Arc::default() }
    }

    fn body_for(&mut self, target: &Target) -> Option<Body> {
        match &mut self.request.body {
            OpaqueBody::Json(document) => {
                let mut document = document.clone();
                if let Some(model) = &target.model
                    && document.place().is_some()
                {
                    document.edit_text(|model| model, model.as_str());
                }
                let bytes = document.wire(JSON)?;
                Some(if bytes.is_empty() { Body::Empty } else { Body::Full(bytes) })
            }
            OpaqueBody::Stream(body) => {
                let spoilt = Arc::clone(&self.spoilt);
                let note = move |refusal: Refusal| {
                    let message = refusal.message.clone();
                    let _ = spoilt.set(refusal);
                    BoxError::from(message)
                };
                body.take().map(|body| Body::Stream(body.map_err(note).boxed_unsync()))
            }
        }
    }
}

/// The reply to an opaque request.
pub struct OpaqueAnswer {
    pub target: TargetName,
    pub response: Response<Passing>,
}

/// A body on its way through, watched until it ends.
pub struct Watched {
    body: ReplyBody,
    watch: Watch,
    silence: Silence,
    texts: Option<Arc<Texts>>,
}

impl Watched {
    /// Its texts are kept as they come.
    pub fn overheard(&mut self, texts: Arc<Texts>) {
        self.texts = Some(texts);
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        let target = || this.watch.target().name.clone();
        let fault = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.silence.touch();
                if let (Some(texts), Some(bytes)) = (&this.texts, frame.data_ref()) {
                    texts.hears_unread(bytes);
                }
                // A body whose length is known is not asked again after its last byte.
                if this.body.is_end_stream() {
                    this.watch.good();
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(None) => {
                this.watch.good();
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => {
                Fault::Cut { target: target(), reason: format!("the connection broke: {error}") }
            }
            Poll::Pending => {
                let (phase, limit) = ready!(this.silence.poll(cx));
                Fault::Silent { target: target(), phase, limit }
            }
        };
        Poll::Ready(Some(Err(this.watch.lost(fault))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Exchange for OpaqueExchange {
    type Answer = OpaqueAnswer;

    fn model(&self) -> Option<&ModelName> {
        self.model.as_ref()
    }

    fn is_repeatable(&self) -> bool {
        matches!(self.request.body, OpaqueBody::Json(_))
    }

    fn spoilt(&self) -> Option<Refusal> {
        self.spoilt.get().cloned()
    }

    fn head_limit(&self, rules: &Rules) -> Duration {
        rules.timeouts.whole
    }

    fn compose(&mut self, target: &Target, _is_last: bool, _losses: &mut Losses) -> Result<Call, Fault> {
        let Some(body) = self.body_for(target) else {
            return Err(Fault::PassedOver {
                target: target.name.clone(),
                reason: "the body was already sent".into(),
                retry_after: None,
            });
        };
        let OpaqueRequest { method, path, headers, .. } = &self.request;
        Ok(Call { method: method.clone(), path: path.clone().into(), headers: headers.clone(), body })
    }

    async fn judge(
        &mut self,
        response: Response<ReplyBody>,
        sending: &Sending<'_>,
        mut watch: Watch,
    ) -> Result<OpaqueAnswer, Fault> {
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(failure(response, sending, watch).await);
        }
        if response.body().is_end_stream() {
            watch.good();
        }
        let target = watch.target().name.clone();
        let timeouts = sending.rules.timeouts;
        let silence = Silence::new(Phase::NextToken, timeouts.between_tokens, sending.deadline, timeouts.total);
        let response = response.map(|body| Passing::Plain(Watched { body, watch, silence, texts: None }));
        Ok(OpaqueAnswer { target, response })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_names_its_model_twice_is_refused() {
        let read = |body: &'static str| OpaqueBody::json(Bytes::from_static(body.as_bytes()));
        assert_eq!(read(r#"{"input":{"x":1,"x":2},"model":"a"}"#).ok().unwrap().model(), "a");
        for body in [r#"{"model":"a","model":"b"}"#, r#"{"\u006dodel":"a","model":1}"#] {
            assert_eq!(read(body).err().unwrap().to_string(), "`model`: is there twice");
        }
    }
}
