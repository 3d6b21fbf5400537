//! The transport that uses sockets: pooled HTTP/1.1 and HTTP/2 connections.
//!
//! A [`Wire`] keeps a [`Line`] for each place it calls, and for each thread of the data port lines of its own:
//! a connection lives on the thread that made it and is used by no other. The pool is ours and the protocols
//! are hyper's, since a pool for every purpose costs as much as everything else that is done to send a request.
//!
//! A connection that the server closed while it was idle is replaced without a word as long as no byte
//! of the request was written. After that, trying again is a decision of the policy, not of this module.

mod connection;
mod line;

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use http::{Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use tokio::time::timeout;

use crate::base::worker;
use crate::provider::transport::{Body, Hop, ReplyBody, Transport, TransportError};
use connection::Mover;
pub(super) use connection::{Connector, Held, Protocol};
use line::Line;

/// A connection attempt outlives the request that began it only so long.
const ABANDONED: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 3;

/// A set of pooled connections made by one connector.
pub(super) struct Wire<C> {
    connector: C,
    protocol: Protocol,
    /// For the rest of the process, and for each thread of the data port.
    lines: Vec<Mutex<Vec<Arc<Line>>>>,
}

impl<C: Connector> Wire<C> {
    pub(super) fn new(connector: C, protocol: Protocol) -> Self {
        Self { connector, protocol, lines: (0..=worker::count()).map(|_| Mutex::default()).collect() }
    }

    /// This thread's line to the place of a URL. There are few, so looking at each beats hashing the name.
    fn line(&self, uri: &Uri) -> Option<Arc<Line>> {
        let lines = self.lines.get(worker::current()).or(self.lines.first())?;
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lines.iter().find(|line| line.leads_to(uri)) {
            return Some(Arc::clone(known));
        }
        let line = Arc::new(Line::to(uri, self.protocol)?);
        lines.push(Arc::clone(&line));
        Some(line)
    }

    /// A further connection, or one that somebody else has made meanwhile and that has room.
    async fn connect(&self, line: &Arc<Line>, uri: &Uri, mover: Mover) -> Result<Held, TransportError> {
        // Many requests share one HTTP/2 connection, so each waits for the one that is being made.
        let _turn = if line.is_shared() { Some(line.making.lock().await) } else { None };
        if let Some(held) = line.shared() {
            return Ok(held);
        }
        let connected = connection::open(&self.connector, uri, self.protocol, mover).await;
        connected.map(|connection| line.add(connection)).map_err(|error| TransportError::Connect(reason(&*error)))
    }
}

impl<C: Connector> Transport for Wire<C> {
    fn send<'a>(
        &'a self,
        mut request: Request<Body>,
        hop: Hop<'a>,
    ) -> BoxFuture<'a, Result<Response<ReplyBody>, TransportError>> {
        Box::pin(async move {
            // Each connection writes the part of the URL that its protocol wants.
            let (uri, mover) = (std::mem::take(request.uri_mut()), Mover::of(&request));
            let line = self.line(&uri).ok_or_else(|| TransportError::Connect("the URL names no host".into()))?;
            loop {
                let (mut held, is_fresh) = match line.take(mover) {
                    Some(held) => (held, false),
                    // Boxed, since it is large and seldom needed.
                    None => match timeout(hop.connect, Box::pin(self.connect(&line, &uri, mover))).await {
                        Ok(connected) => (connected?, true),
                        Err(_) => return Err(TransportError::ConnectTimeout),
                    },
                };
                let mut error = match held.send(request, &uri).await {
                    Ok(response) => return Ok(response.map(|incoming| ReplyBody::wire(incoming, held))),
                    Err(error) => error,
                };
                held.forget();
                match error.take_message() {
                    Some(unsent) if !is_fresh => request = unsent,
                    _ => return Err(TransportError::Broken(reason(error.error()))),
                }
            }
        })
    }
}

/// The connector at the bottom of every wire. It takes `https` names too: TLS is put on top of it.
pub(super) fn tcp() -> HttpConnector {
    tcp_by(GaiResolver::new())
}

/// The same, with names resolved another way.
pub(super) fn tcp_by<R>(resolver: R) -> HttpConnector<R> {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.enforce_http(false);
    // A request and the chunks of an answer are small: waiting to fill a segment costs 40 ms each.
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    tcp.set_connect_timeout(Some(ABANDONED));
    tcp
}

/// An error and its causes in one line.
pub(super) fn reason(error: &dyn Error) -> String {
    let mut cause = error;
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
