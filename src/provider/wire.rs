//! The transport that uses sockets: pooled HTTP/1.1 and HTTP/2 connections.
//!
//! One HTTP/2 connection carries only as many streams as its server allows (often about a hundred), and
//! what exceeds that would wait unseen for a stream that may last minutes. So a [`Wire`] has several
//! *lanes*, each with a pool of its own, and fills them in order: the second lane is used only while the
//! first is full.
//!
//! A connection that the server closed while it was idle is replaced without a word as long as no byte
//! of the request was written. After that, trying again is a decision of the policy, not of this module.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::poll_immediate;
use http::{Request, Response};
use hyper_util::client::legacy::connect::{CaptureConnection, Connect, HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::base::worker;
use crate::provider::transport::{Body, ReplyBody, Transport, TransportError};

const LANES: usize = 16;
/// How many exchanges a lane carries before the next one is used: what servers commonly allow as
/// concurrent streams of one HTTP/2 connection.
const LANE_WIDTH: usize = 100;

/// Shorter than the idle limit of common load balancers (60 s), so that we close first.
const IDLE: Duration = Duration::from_secs(50);
/// A connection attempt outlives the request that began it only so long.
const ABANDONED: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 3;
/// How long an HTTP/2 peer may leave a ping unanswered.
const PING_ANSWER: Duration = Duration::from_secs(15);

/// A set of pooled connections made by one connector: lanes for each thread of the data port, and for the
/// rest of the process. A connection lives on the thread that made it and is used by no other.
pub(super) struct Wire<C> {
    first: [Lane<C>; LANES],
    workers: Vec<[Lane<C>; LANES]>,
}

struct Lane<C> {
    client: Client<C, Body>,
    taken: Arc<AtomicUsize>,
}

/// One exchange's place in a lane, free again when dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<AtomicUsize>);

impl<C: Connect + Clone + Send + Sync + 'static> Wire<C> {
    /// `http2_only` speaks HTTP/2 without negotiation ("prior knowledge" on plain connections).
    pub(super) fn new(connector: C, http2_only: bool) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_only(http2_only)
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_timeout(PING_ANSWER)
            .retry_canceled_requests(true);
        let lane = |_| Lane { client: builder.build(connector.clone()), taken: Arc::default() };
        let (first, rest) = (std::array::from_fn(lane), (0..worker::count()).map(|_| std::array::from_fn(lane)));
        Self { first, workers: rest.collect() }
    }

    fn lane(&self) -> &Lane<C> {
        let own = worker::current().checked_sub(1).and_then(|number| self.workers.get(number));
        let lanes = own.unwrap_or(&self.first);
        let [first, others @ ..] = lanes;
        let taken = |lane: &Lane<C>| lane.taken.load(Ordering::Relaxed);
        if taken(first) < LANE_WIDTH {
            return first;
        }
        let free = others.iter().find(|lane| taken(lane) < LANE_WIDTH);
        free.or_else(|| lanes.iter().min_by_key(|lane| taken(lane))).unwrap_or(first)
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Transport for Wire<C> {
    fn send<'a>(
        &'a self,
        mut request: Request<Body>,
        connect: Duration,
    ) -> BoxFuture<'a, Result<Response<ReplyBody>, TransportError>> {
        let lane = self.lane();
        let seat = Seat::take(&lane.taken);
        let captured = capture_connection(&mut request);
        let reply = lane.client.request(request);
        Box::pin(async move {
            match bounded(reply, &captured, connect).await {
                Some(Ok(response)) => Ok(response.map(|incoming| ReplyBody::wire(incoming, seat))),
                Some(Err(error)) if is_connected(&captured) => Err(TransportError::Broken(reason(&error))),
                Some(Err(error)) => Err(TransportError::Connect(reason(&error))),
                None => Err(TransportError::ConnectTimeout),
            }
        })
    }
}

impl Seat {
    fn take(taken: &Arc<AtomicUsize>) -> Self {
        taken.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(taken))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connector at the bottom of every wire. It takes `https` names too: TLS is put on top of it.
pub(super) fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // A request and the chunks of an answer are small: waiting to fill a segment costs 40 ms each.
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    tcp.set_connect_timeout(Some(ABANDONED));
    tcp
}

/// Waits for the reply, but no longer than `connect` for the connection: `None` when there was none by then.
async fn bounded(
    mut reply: ResponseFuture,
    captured: &CaptureConnection,
    connect: Duration,
) -> Option<<ResponseFuture as Future>::Output> {
    // A pooled connection is taken within the first poll, and then no timer is needed.
    if let Some(done) = poll_immediate(&mut reply).await {
        return Some(done);
    }
    if is_connected(captured) {
        return Some(reply.await);
    }
    match tokio::time::timeout(connect, &mut reply).await {
        Ok(done) => Some(done),
        Err(_) if is_connected(captured) => Some(reply.await),
        Err(_) => None,
    }
}

fn is_connected(captured: &CaptureConnection) -> bool {
    captured.connection_metadata().is_some()
}

/// An error and its causes in one line. The client's own wrapper says only in which phase it failed.
fn reason(error: &dyn Error) -> String {
    let mut cause = error.source().unwrap_or(error);
    let mut text = cause.to_string();
    while let Some(next) = cause.source() {
        let next_text = next.to_string();
        // Some errors print their source as part of themselves.
        if !text.contains(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next;
    }
    text
}

#[cfg(test)]
mod tests;
