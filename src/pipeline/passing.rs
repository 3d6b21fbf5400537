//! The answer to an opaque request on its way back, and who goes through its bytes.
//!
//! What a step has to do with such an answer is a [`ByteTap`]: bytes in, bytes out, without a clock or a socket. An
//! answer that must be there as a whole is gathered before anything of it leaves, so that a refusal has a status of its
//! own; one that is gone through piece by piece ends where it is refused. What was held back of an answer that breaks
//! off is gone through before the fault is told of.
//!
//! Where a policy only observes, the answer leaves as it came, and what would have become of it is noted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;

use crate::base::gather::Gather;
use crate::base::stop::{Failed, Fault, Refusal, Stop};
use crate::pipeline::glean::Tail;
use crate::pipeline::hold::{Late, Ruling};
use crate::pipeline::opaque::{OpaqueAnswer, Watched};
use crate::pipeline::run::Mode;

/// What a step has to do with the answer to an opaque request.
pub trait ByteTap: Send {
    /// The answer begins. Says how its body is to be handed over.
    ///
    /// # Errors
    /// When it cannot be gone through and must not pass otherwise.
    fn begin(&mut self, headers: &HeaderMap) -> Result<Handing, Refusal>;

    /// Takes further bytes, and gives what may leave.
    ///
    /// # Errors
    /// When nothing more of the answer may leave, what is held back least of all.
    fn push(&mut self, bytes: Bytes) -> Result<Bytes, Refusal>;

    /// The answer is over, in whatever way: what was held back.
    ///
    /// # Errors
    /// When that must not leave.
    fn end(&mut self) -> Result<Bytes, Refusal>;
}

/// How a body is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handing {
    /// Not at all: it passes as it comes.
    Unread,
    /// From its first byte to its last before anything leaves.
    Whole,
    /// As it comes.
    InPieces,
}

/// A tap, and where its step is told of what it would have refused.
pub struct Tapped {
    pub tap: Box<dyn ByteTap>,
    /// For a policy that only observes.
    pub late: Option<Late>,
}

/// The body of an answer.
pub enum Passing {
    /// As it comes.
    Plain(Watched),
    Gathered(Option<Bytes>),
    Tapped(Box<Through>),
}

/// The most of an answer that is gathered, in bytes.
const MOST: usize = 64 * 1024 * 1024;

/// Takes an answer back through its taps, in this order.
///
/// Of an answer that is gathered, `tail` has then seen what came.
///
/// # Errors
/// When it is refused, breaks off before any of it may leave, or is too large to be gathered.
pub async fn go_through(
    answer: OpaqueAnswer,
    taps: Vec<Tapped>,
    mode: Mode,
    tail: &mut Tail,
) -> Result<OpaqueAnswer, Stop> {
    if answer.response.body().is_end_stream() {
        return Ok(answer);
    }
    let OpaqueAnswer { target, response } = answer;
    let (mut head, body) = response.into_parts();
    let (mut readers, mut is_whole) = (Vec::new(), false);
    for mut tapped in taps {
        match tapped.tap.begin(&head.headers) {
            Ok(Handing::Unread) => {}
            Ok(handing) => {
                is_whole |= handing == Handing::Whole;
                readers.push(tapped);
            }
            Err(refusal) if mode == Mode::Observe => tapped.note(refusal),
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let Passing::Plain(body) = body else {
        return Ok(OpaqueAnswer { target, response: Response::from_parts(head, body) });
    };
    let body = match mode {
        _ if readers.is_empty() => Passing::Plain(body),
        Mode::Enforce if is_whole => {
            let bytes = whole(body, &mut readers, tail).await?;
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            Passing::Gathered(Some(bytes))
        }
        Mode::Enforce => {
            head.headers.remove(CONTENT_LENGTH);
            Passing::Tapped(Box::new(Through::new(body, readers, mode)))
        }
        Mode::Observe => Passing::Tapped(Box::new(Through::new(body, readers, mode))),
    };
    Ok(OpaqueAnswer { target, response: Response::from_parts(head, body) })
}

/// An answer from its first byte to its last, gone through.
async fn whole(mut body: Watched, readers: &mut [Tapped], tail: &mut Tail) -> Result<Bytes, Stop> {
    let mut gather = Gather::default();
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(failed)?.into_data() else { continue };
        if gather.len() + bytes.len() > MOST {
            return Err(Refusal::new(502, "answer_too_large", "the answer is too large to be examined").into());
        }
        tail.push(&bytes);
        gather.push(bytes);
    }
    let mut bytes = gather.finish();
    for reader in readers {
        let mut out = Gather::default();
        out.push(reader.tap.push(bytes)?);
        out.push(reader.tap.end()?);
        bytes = out.finish();
    }
    Ok(bytes)
}

fn failed(fault: Fault) -> Stop {
    Stop::Failed(Failed { fault, tried: Vec::new() })
}

impl Tapped {
    /// What would have been refused, had the policy more than to observe.
    fn note(&self, refusal: Refusal) {
        if let Some(late) = &self.late {
            let stop = Some(refusal.into());
            late.add(Ruling { verdict: "refuse", stop, is_observed: true, ..Ruling::default() });
        }
    }
}

/// A body that is gone through as it comes.
pub struct Through {
    /// `None` once it is over, so that the upstream is let go.
    body: Option<Watched>,
    readers: Vec<Tapped>,
    mode: Mode,
    /// Bytes that were shown to those who observe. None is shown more than could be gathered.
    seen: usize,
    /// What leaves next, in order, and how it ends.
    out: VecDeque<Frame<Bytes>>,
    stop: Option<Stop>,
}

impl Through {
    fn new(body: Watched, readers: Vec<Tapped>, mode: Mode) -> Self {
        Self { body: Some(body), readers, mode, seen: 0, out: VecDeque::new(), stop: None }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Stop>>> {
        loop {
            if let Some(frame) = self.out.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(self.stop.take().map(Err)) };
            match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => self.take(frame),
                Some(Err(fault)) => self.over(Some(failed(fault))),
                None => self.over(None),
            }
        }
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(bytes) if self.mode == Mode::Observe => {
                self.seen += bytes.len();
                if self.seen > MOST {
                    self.readers.clear();
                }
                self.watch(|tap| tap.push(bytes.clone()).map(drop));
                self.out.push_back(Frame::data(bytes));
                if self.body.as_ref().is_some_and(http_body::Body::is_end_stream) {
                    self.over(None);
                }
            }
            Ok(bytes) => self.pass(0, bytes),
            // What is said after a body that was changed may not be true of it any more.
            Err(frame) if self.mode == Mode::Observe => self.out.push_back(frame),
            Err(_) => {}
        }
    }

    /// Hands bytes to the tap of this number and those behind it.
    fn pass(&mut self, from: usize, mut bytes: Bytes) {
        for reader in self.readers.iter_mut().skip(from) {
            match reader.tap.push(bytes) {
                Ok(left) => bytes = left,
                Err(refusal) => return self.give_up(refusal),
            }
        }
        if !bytes.is_empty() {
            self.out.push_back(Frame::data(bytes));
        }
    }

    /// The upstream has no more to say, or has failed.
    fn over(&mut self, stop: Option<Stop>) {
        self.body = None;
        self.stop = stop;
        if self.mode == Mode::Observe {
            return self.watch(|tap| tap.end().map(drop));
        }
        for number in 0..self.readers.len() {
            let Some(reader) = self.readers.get_mut(number) else { return };
            match reader.tap.end() {
                Ok(rest) => self.pass(number + 1, rest),
                Err(refusal) => return self.give_up(refusal),
            }
        }
    }

    fn give_up(&mut self, refusal: Refusal) {
        self.body = None;
        self.readers.clear();
        self.stop = Some(refusal.into());
    }

    /// Shows something to those who observe. Who would have refused it is shown no more.
    fn watch(&mut self, mut show: impl FnMut(&mut dyn ByteTap) -> Result<(), Refusal>) {
        self.readers.retain_mut(|reader| match show(&mut *reader.tap) {
            Ok(()) => true,
            Err(refusal) => {
                reader.note(refusal);
                false
            }
        });
    }
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = Stop;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Stop>>> {
        match &mut *self {
            Self::Plain(body) => Pin::new(body).poll_frame(cx).map_err(failed),
            Self::Gathered(bytes) => {
                Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(Frame::data).map(Ok))
            }
            Self::Tapped(through) => through.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(body) => body.is_end_stream(),
            Self::Gathered(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Tapped(through) => through.body.is_none() && through.out.is_empty() && through.stop.is_none(),
        }
    }
}
