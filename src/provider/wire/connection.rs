//! One connection: opened, used, given back.
//!
//! An HTTP/1.1 connection for streams has no task of its own. Whoever waits for its answer moves it along, so that a
//! piece of the answer passes from the socket to the caller without another task being woken for it: measured, a
//! third of the time per chunk. Whole answers come in one piece; for them a task that does nothing but read and
//! write costs less than one that does everything (measured: a seventh). An HTTP/2 connection is shared, and needs a
//! task.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::Either;
use http::header::{ACCEPT, HOST};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;
use tracing::debug;

use super::KEEPALIVE;
use super::line::Line;
use crate::provider::transport::{Body, BoxError};

/// How long an HTTP/2 peer may leave a ping unanswered.
const PING_ANSWER: Duration = Duration::from_secs(15);

/// Makes connections.
pub(crate) trait Connector:
    Service<Uri, Response: Stream, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<C> Connector for C where
    C: Service<Uri, Response: Stream, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static
{
}

/// What a connector makes.
pub(crate) trait Stream: hyper::rt::Read + hyper::rt::Write + Connection + Unpin + Send + 'static {}

impl<S: hyper::rt::Read + hyper::rt::Write + Connection + Unpin + Send + 'static> Stream for S {}

/// How it is decided what a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, unless TLS agrees on HTTP/2.
    Negotiated,
    /// HTTP/2 without asking ("prior knowledge" on plain connections).
    Http2,
}

/// Who moves an HTTP/1.1 connection along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mover {
    /// Whoever waits for the answer.
    Waiter,
    /// A task of its own.
    Task,
}

impl Mover {
    /// The one that suits a request: streams are asked for by their type.
    pub(super) fn of(request: &Request<Body>) -> Self {
        let wants_stream = request.headers().get(ACCEPT).is_some_and(|kind| kind == "text/event-stream");
        if wants_stream { Self::Waiter } else { Self::Task }
    }
}

/// A connection that is open.
pub(super) enum Open {
    Http1(Http1),
    Http2(http2::SendRequest<Body>),
}

/// Opens a connection to the place of `uri`.
///
/// # Errors
/// When there is nobody, or TLS or the protocol cannot be agreed on.
pub(super) async fn open<C: Connector>(
    connector: &C,
    uri: &Uri,
    protocol: Protocol,
    mover: Mover,
) -> Result<Open, BoxError> {
    let mut connector = connector.clone();
    poll_fn(|cx| connector.poll_ready(cx)).await.map_err(Into::into)?;
    let stream = connector.call(uri.clone()).await.map_err(Into::into)?;
    if protocol == Protocol::Http2 || stream.connected().is_negotiated_h2() {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(PING_ANSWER)
            .handshake(stream)
            .await?;
        tokio::spawn(async move { ended(&connection.await) });
        return Ok(Open::Http2(sender));
    }
    Ok(Open::Http1(Http1::over(stream, mover).await?))
}

fn ended(outcome: &hyper::Result<()>) {
    if let Err(error) = outcome {
        debug!(%error, "a connection to a provider ended");
    }
}

/// An HTTP/1.1 connection: its near end, and the work it does when it is polled.
pub(crate) struct Http1 {
    sender: http1::SendRequest<Body>,
    pub(super) mover: Mover,
    /// `None` if a task has it, or once it has ended.
    connection: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
}

impl Http1 {
    pub(super) async fn over(
        stream: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
        mover: Mover,
    ) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(stream).await?;
        if mover == Mover::Waiter {
            return Ok(Self { sender, mover, connection: Some(Box::pin(connection)) });
        }
        tokio::spawn(async move { ended(&connection.await) });
        Ok(Self { sender, mover, connection: None })
    }

    /// Lets the connection do what can be done now.
    fn work(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && let Poll::Ready(outcome) = connection.as_mut().poll(cx)
        {
            ended(&outcome);
            self.connection = None;
        }
    }

    /// Finds out whether the other end has closed it, and whether another exchange may begin.
    pub(super) fn look(&mut self) -> Readiness {
        self.work(&mut Context::from_waker(Waker::noop()));
        let has_ended = self.mover == Mover::Waiter && self.connection.is_none();
        if has_ended || self.sender.is_closed() {
            return Readiness::Closed;
        }
        if self.sender.is_ready() { Readiness::Ready } else { Readiness::Busy }
    }

    /// Not an `async fn`: the request goes to the sender now, rather than into a future that is moved about. hyper's own
    /// future has room for the request, should it come back, and is boxed so that it is not moved about either.
    fn send(&mut self, request: Request<Body>) -> impl Future<Output = Sent> + Send {
        let mut answer = Box::pin(self.sender.try_send_request(request));
        poll_fn(move |cx| {
            self.work(cx);
            answer.as_mut().poll(cx)
        })
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http1")
    }
}

/// What an idle connection is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Not yet done with the exchange before.
    Busy,
    Closed,
}

/// What comes of sending a request: an answer that has begun, or an error with what was not sent.
type Sent = Result<Response<Incoming>, TrySendError<Request<Body>>>;

/// A connection, or a share of one, in use for one exchange.
#[derive(Debug)]
pub(crate) enum Held {
    Http1 { http1: Http1, line: Arc<Line> },
    Http2 { sender: http2::SendRequest<Body>, seat: Seat, line: Arc<Line> },
}

impl Held {
    /// Sends a request to `uri`.
    ///
    /// # Errors
    /// When no answer began. An error that holds the request means that nothing of it was sent.
    pub(super) fn send(&mut self, mut request: Request<Body>, uri: &Uri) -> impl Future<Output = Sent> + Send {
        match self {
            Self::Http1 { http1, line } => {
                *request.uri_mut() = uri.path_and_query().cloned().map_or_else(|| uri.clone(), Uri::from);
                request.headers_mut().insert(HOST, line.host.clone());
                Either::Left(http1.send(request))
            }
            Self::Http2 { sender, .. } => {
                *request.uri_mut() = uri.clone();
                request.headers_mut().remove(HOST);
                Either::Right(Box::pin(sender.try_send_request(request)))
            }
        }
    }

    /// Lets the connection work on the answer that is awaited. False if it does so by itself.
    pub(crate) fn work(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Http1 { http1, .. } if http1.mover == Mover::Waiter => {
                http1.work(cx);
                true
            }
            Self::Http1 { .. } | Self::Http2 { .. } => false,
        }
    }

    /// Whether what has arrived can be had without waiting for another task.
    pub(crate) fn is_at_hand(&self) -> bool {
        matches!(self, Self::Http1 { http1, .. } if http1.mover == Mover::Waiter)
    }

    /// The exchange is over, and the connection is ready for another one or will soon be.
    pub(crate) fn give_back(self) {
        if let Self::Http1 { http1, line } = self {
            line.put(http1);
        }
    }

    /// The connection is of no use any more.
    pub(super) fn forget(self) {
        if let Self::Http2 { seat, line, .. } = self {
            line.forget(&seat);
        }
    }
}

/// One exchange's place on a shared connection, free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Seat {
    pub(super) fn take(taken: &Arc<AtomicUsize>) -> Self {
        taken.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(taken))
    }

    /// Whether the connection counts its exchanges here.
    pub(super) fn is_of(&self, taken: &Arc<AtomicUsize>) -> bool {
        Arc::ptr_eq(&self.0, taken)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
