//! What carries a request to a provider and its answer back.
//!
//! A [`Transport`] takes one request and gives one response; its rule is that dropping the future, or
//! later the body, ends the exchange at once, so that a caller who hung up costs no more tokens.
//!
//! It knows no dialect, no credential and no retry: those belong to the layers that call it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use crate::base::ids::TargetName;
use crate::provider::wire::Held;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Carries requests to a provider.
pub trait Transport: Send + Sync {
    /// Sends `request` and waits for the head of its answer.
    fn send<'a>(
        &'a self,
        request: Request<Body>,
        hop: Hop<'a>,
    ) -> BoxFuture<'a, Result<Response<ReplyBody>, TransportError>>;
}

/// What a request is sent for, and how long a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    pub target: &'a TargetName,
    /// Until a connection is there (names resolved, TLS done); it bounds nothing after that.
    pub connect: Duration,
}

#[cfg(test)]
impl Hop<'static> {
    /// For nobody in particular.
    pub fn within(connect: Duration) -> Self {
        static NOBODY: std::sync::LazyLock<TargetName> = std::sync::LazyLock::new(|| TargetName::new("nobody"));
        Self { target: &NOBODY, connect }
    }
}

/// Why no answer began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// There was never a connection: the provider has seen nothing of the request.
    #[error("no connection: {0}")]
    Connect(String),
    /// There was no connection within the time allowed for it.
    #[error("no connection in time")]
    ConnectTimeout,
    /// The connection broke before an answer began: the provider may have seen the request.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// What is sent.
#[derive(Debug, Default)]
pub enum Body {
    #[default]
    Empty,
    Full(Bytes),
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full(bytes)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Stream(body) => Pin::new(body).poll_frame(cx),
            body => match std::mem::take(body) {
                Self::Full(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// What comes back. Dropping it before its end closes the stream at the provider.
#[derive(Debug)]
pub struct ReplyBody(Inner);

#[derive(Debug)]
enum Inner {
    /// Straight from a connection, without a box around it, and the connection, until its last byte is here.
    Wire {
        incoming: Incoming,
        held: Option<Held>,
    },
    Made(UnsyncBoxBody<Bytes, BoxError>),
}

impl ReplyBody {
    /// An answer that no connection carried.
    pub fn made<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Inner::Made(body.map_err(Into::into).boxed_unsync()))
    }

    /// Whether what has arrived is all there at once: what is not there when it is asked for has yet to come over
    /// the network, rather than from another task.
    pub fn is_at_hand(&self) -> bool {
        matches!(&self.0, Inner::Wire { held: Some(held), .. } if held.is_at_hand())
    }

    pub(super) fn wire(incoming: Incoming, held: Held) -> Self {
        Self(Inner::Wire { incoming, held: Some(held) })
    }
}

/// A body that nobody reads to its end takes its connection along, so that the provider learns of it.
impl Drop for ReplyBody {
    fn drop(&mut self) {
        if let Inner::Wire { incoming, held } = &mut self.0
            && http_body::Body::is_end_stream(incoming)
            && let Some(held) = held.take()
        {
            held.give_back();
        }
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.get_mut().0 {
            Inner::Wire { incoming, held } => {
                let mut polled = Pin::new(&mut *incoming).poll_frame(cx);
                if polled.is_pending() && held.as_mut().is_some_and(|held| held.work(cx)) {
                    polled = Pin::new(incoming).poll_frame(cx);
                }
                let frame = ready!(polled);
                if frame.is_none()
                    && let Some(held) = held.take()
                {
                    held.give_back();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
            }
            Inner::Made(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Wire { incoming, .. } => incoming.is_end_stream(),
            Inner::Made(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Wire { incoming, .. } => incoming.size_hint(),
            Inner::Made(body) => body.size_hint(),
        }
    }
}
