//! The bodies of our responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::base::stop::{Fault, Stop};
use crate::gateway::AccountedBody;
use crate::server::outbound::Stream;

/// A response body. Boxed where it is large, so that the many small ones stay small.
pub enum Outgoing {
    Full(Option<Bytes>),
    Stream(Box<Stream>),
    Forwarded(Box<Forwarded>),
}

/// A body that is passed on as it comes.
pub struct Forwarded {
    body: AccountedBody,
    /// How it broke off, to be said a turn later.
    fault: Option<Fault>,
    /// Says in the caller's words that the rest is refused.
    refuse: fn(&Stop, &str) -> Bytes,
    request_id: String,
    is_over: bool,
}

impl Forwarded {
    /// When a body fails, the connection drops what it has not written yet. So what came before the fault is
    /// given a turn to be written.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Err(Stop::Failed(failed))) => {
                self.fault = Some(failed.fault);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Err(stop)) => {
                self.is_over = true;
                Poll::Ready(Some(Ok(Frame::data((self.refuse)(&stop, &self.request_id)))))
            }
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            None => Poll::Ready(None),
        }
    }
}

impl Outgoing {
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Some(bytes.into()))
    }

    /// `refuse` writes what a stream ends with whose rest is refused.
    pub fn forwarded(body: AccountedBody, request_id: String, refuse: fn(&Stop, &str) -> Bytes) -> Self {
        Self::Forwarded(Box::new(Forwarded { body, fault: None, refuse, request_id, is_over: false }))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    /// A forwarded body that breaks off breaks our response off, too: the caller must see it.
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match &mut *self {
            Self::Full(bytes) => {
                Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Stream(stream) => stream.poll_frame(cx).map_err(|never: Infallible| match never {}),
            Self::Forwarded(forwarded) => forwarded.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Stream(_) => false,
            Self::Forwarded(forwarded) => {
                forwarded.fault.is_none() && (forwarded.is_over || forwarded.body.is_end_stream())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
            Self::Forwarded(forwarded) => forwarded.body.size_hint(),
        }
    }
}
