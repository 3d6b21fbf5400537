//! One connection: opened, used, given back.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::HOST;
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

/// A connection that is open.
pub(super) enum Open {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// Opens a connection to the place of `uri`.
///
/// # Errors
/// When there is nobody, or TLS or the protocol cannot be agreed on.
pub(super) async fn open<C: Connector>(connector: &C, uri: &Uri, protocol: Protocol) -> Result<Open, BoxError> {
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
        drive(connection);
        return Ok(Open::Http2(sender));
    }
    let (sender, connection) = http1::handshake(stream).await?;
    drive(connection);
    Ok(Open::Http1(sender))
}

/// Lets a connection do its work on this thread until both ends are done with it.
fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection to a provider ended");
        }
    });
}

/// A connection, or a share of one, in use for one exchange.
#[derive(Debug)]
pub(crate) enum Held {
    Http1 { sender: http1::SendRequest<Body>, line: Arc<Line> },
    Http2 { sender: http2::SendRequest<Body>, seat: Seat, line: Arc<Line> },
}

impl Held {
    /// Sends a request to `uri`.
    ///
    /// # Errors
    /// When no answer began. An error that holds the request means that nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Body>,
        uri: &Uri,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match self {
            Self::Http1 { sender, line } => {
                *request.uri_mut() = uri.path_and_query().cloned().map_or_else(|| uri.clone(), Uri::from);
                request.headers_mut().insert(HOST, line.host.clone());
                sender.try_send_request(request).await
            }
            Self::Http2 { sender, .. } => {
                *request.uri_mut() = uri.clone();
                request.headers_mut().remove(HOST);
                sender.try_send_request(request).await
            }
        }
    }

    /// The exchange is over, and the connection is ready for another one or will soon be.
    pub(crate) fn give_back(self) {
        if let Self::Http1 { sender, line } = self {
            line.put(sender);
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
