//! A request body that is passed on as it comes.
//!
//! It has the limits of a body that is read: a size, and a time between two reads. What ends it early is the
//! caller's doing, and its error says so, in the words that the caller gets.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::base::stop::Refusal;

/// The longest a caller may take between two reads of its request's body.
pub const SILENCE: Duration = Duration::from_secs(30);

/// The longest a caller may take for a body that is read before anything is done with it.
pub const WHOLE: Duration = Duration::from_secs(300);

/// A body with its limits.
pub struct Upload {
    body: Incoming,
    left: usize,
    limit: usize,
    timer: Pin<Box<Sleep>>,
}

impl Upload {
    pub fn new(body: Incoming, limit: usize) -> Self {
        Self { body, left: limit, limit, timer: Box::pin(sleep(SILENCE)) }
    }

    fn within_limit(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Refusal> {
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.left = self.left.checked_sub(length).ok_or_else(|| Refusal::too_large(self.limit))?;
        Ok(frame)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.timer.as_mut().reset(Instant::now() + SILENCE);
                Poll::Ready(Some(this.within_limit(frame)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(broken_off()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(this.timer.as_mut().poll(cx));
                Poll::Ready(Some(Err(stopped())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pub fn broken_off() -> Refusal {
    Refusal::malformed("the request body broke off")
}

pub fn stopped() -> Refusal {
    Refusal::new(408, "request_timeout", "the request body stopped coming")
}
