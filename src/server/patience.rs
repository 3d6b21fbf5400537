//! How long a caller may keep a connection without using it.
//!
//! A [`Patient`] is a connection with four limits: for the head of the first request, for the head of any
//! other once its first byte is here, for lying idle between requests, and for not taking what was written.
//! When one is over the connection looks as if the caller had closed it. While a request is being answered
//! only the last one holds: how long that takes is the policy's affair.
//!
//! HTTP/2 mixes control frames with heads, so there the time between requests is one limit for both.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a head.
    pub head: Duration,
    /// Between requests, and for taking what was written.
    pub idle: Duration,
}

/// The requests of one connection.
#[derive(Debug, Clone, Default)]
pub struct Requests(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    under_way: AtomicUsize,
    ever: AtomicUsize,
}

/// One request under way, until this is dropped.
#[derive(Debug)]
pub struct UnderWay(Requests);

impl Requests {
    pub fn begin(&self) -> UnderWay {
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        self.0.ever.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is given up when its caller does not use it.
pub struct Patient<S> {
    stream: S,
    limits: Limits,
    requests: Requests,
    /// How many requests there had been when this was last looked at.
    known: usize,
    awaiting: Awaiting,
    is_http2: bool,
    /// A limit that begins when there is next nothing to read. Often something is, and the clock need not be read.
    upcoming: Option<Duration>,
    /// When what is awaited must have come.
    due: Instant,
    /// Set again only when it rings early: there may be thousands of reads in an answer.
    reading: Pin<Box<Sleep>>,
    /// Running while something written is not taken.
    writing: Option<Pin<Box<Sleep>>>,
}

/// What is awaited from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// The first byte of the connection.
    Hello,
    /// The rest of a head.
    Head,
    /// Nothing while a request is being answered.
    Nothing,
    /// The next request.
    Next,
    /// It has not come in time.
    Gone,
}

impl<S> Patient<S> {
    pub fn new(stream: S, limits: Limits, requests: Requests) -> Self {
        let due = Instant::now() + limits.head;
        let reading = Box::pin(sleep_until(due));
        let awaiting = Awaiting::Hello;
        let (known, is_http2, upcoming, writing) = (0, false, None, None);
        Self { stream, limits, requests, known, awaiting, is_http2, upcoming, due, reading, writing }
    }

    fn await_from_now(&mut self, what: Awaiting, limit: Duration) {
        (self.awaiting, self.upcoming) = (what, Some(limit));
    }

    fn is_answering(&self) -> bool {
        self.requests.0.under_way.load(Ordering::Relaxed) > 0
    }

    /// Awaits nothing while a request is being answered, and the next one from when one was.
    fn look_at_requests(&mut self) {
        let ever = self.requests.0.ever.load(Ordering::Relaxed);
        let was_asked = std::mem::replace(&mut self.known, ever) != ever;
        if self.is_answering() {
            (self.awaiting, self.upcoming) = (Awaiting::Nothing, None);
        } else if was_asked || self.awaiting == Awaiting::Nothing {
            self.await_from_now(Awaiting::Next, self.limits.idle);
        }
    }

    /// The caller has sent something.
    fn heard(&mut self, bytes: &[u8]) {
        match self.awaiting {
            // The time that began with the connection is for the whole of the first head.
            Awaiting::Hello => (self.awaiting, self.is_http2) = (Awaiting::Head, bytes.starts_with(b"PRI")),
            Awaiting::Head if self.is_http2 => self.await_from_now(Awaiting::Next, self.limits.idle),
            Awaiting::Next if !self.is_http2 => {
                self.await_from_now(Awaiting::Head, self.limits.head);
            }
            _ => {}
        }
    }

    /// Nothing has come. True if it is too late for it.
    fn is_too_late(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(limit) = self.upcoming.take() {
            self.due = Instant::now() + limit;
            if self.due < self.reading.deadline() {
                self.reading.as_mut().reset(self.due);
            }
        }
        while self.reading.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.awaiting == Awaiting::Nothing {
                self.due = now + self.limits.idle;
            }
            if now >= self.due {
                return true;
            }
            self.reading.as_mut().reset(self.due);
        }
        false
    }

    /// What came of writing; an error if the caller has not taken anything for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.writing = None;
            return outcome;
        }
        let limit = self.limits.idle;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.awaiting == Awaiting::Gone {
            return Poll::Ready(Ok(()));
        }
        this.look_at_requests();
        let before = into.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, into) {
            Poll::Ready(outcome) => {
                this.heard(into.filled().get(before..).unwrap_or_default());
                Poll::Ready(outcome)
            }
            Poll::Pending if this.is_too_late(cx) => {
                this.awaiting = Awaiting::Gone;
                Poll::Ready(Ok(()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, outcome)
    }
}
