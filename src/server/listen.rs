//! Listening: accepting connections and serving HTTP on each, within limits.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::base::stop::Fault;
use crate::policy::Connections;
use crate::server::body::Outgoing;
use crate::server::drain::Drain;
use crate::server::patience::{self, Patient, Requests, UnderWay};
use crate::server::tls::TlsSettings;
use crate::server::workers::Workers;

/// Connections at a time, where the files name no number; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 10_000;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    pub address: SocketAddr,
    /// The certificate the peer has proved to own, if the connection asked for one.
    pub certificate: Option<Arc<CertificateDer<'static>>>,
}

/// A bound port.
pub struct Listener {
    socket: TcpListener,
    tls: Option<TlsSettings>,
    limits: Connections,
}

/// Binds a port. Another process that listens there makes this an error.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr, tls: Option<TlsSettings>, limits: Connections) -> io::Result<Listener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(Listener { socket: TcpListener::from_std(socket.into())?, tls, limits })
}

impl Listener {
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections until draining begins, and lets `handle` answer their requests on the workers.
    pub async fn run<H, F>(self, workers: Arc<Workers>, drain: Drain, handle: H)
    where
        H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Outgoing>> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(self.limits.most.unwrap_or(MOST_CONNECTIONS)));
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                () = drain.begun() => return,
            };
            let Ok(place) = place else { return };
            let (stream, address) = tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file descriptors, or the peer is gone already: a pause, and on.
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = drain.begun() => return,
            };
            let _ = stream.set_nodelay(true);
            let connection = Connection { limits: self.limits, drain: drain.clone(), handle: handle.clone() };
            let tls = self.tls.as_ref().map(TlsSettings::current);
            let (Ok(stream), Some((worker, assigned))) = (stream.into_std(), workers.least_busy()) else { continue };
            let served = async move {
                // The socket is the worker's from here on.
                let Ok(stream) = TcpStream::from_std(stream) else { return };
                match tls {
                    None => connection.serve(stream, Peer { address, certificate: None }).await,
                    Some(tls) => connection.serve_tls(stream, address, TlsAcceptor::from(tls)).await,
                }
                drop((place, assigned));
            };
            drain.tasks().spawn_on(served, &worker.runtime);
        }
    }
}

/// Serves one connection that no port has accepted.
pub async fn serve_stream<H, F>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    limits: Connections,
    drain: Drain,
    handle: H,
) where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Outgoing>> + Send + 'static,
{
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Connection { limits, drain, handle }.serve(stream, Peer { address, certificate: None }).await;
}

/// One connection and how it is served.
struct Connection<H> {
    limits: Connections,
    drain: Drain,
    handle: H,
}

impl<H, F> Connection<H>
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Outgoing>> + Send + 'static,
{
    async fn serve_tls(self, stream: TcpStream, address: SocketAddr, acceptor: TlsAcceptor) {
        let stream = match timeout(self.limits.header_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%address, %error, "a TLS handshake failed"),
            Err(_) => return debug!(%address, "a TLS handshake took too long"),
        };
        let certificates = stream.get_ref().1.peer_certificates();
        let certificate =
            certificates.and_then(|chain| chain.first()).map(|first| Arc::new(first.clone().into_owned()));
        self.serve(stream, Peer { address, certificate }).await;
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // Its clock would run on idle connections, too.
            .header_read_timeout(None)
            .max_buf_size(self.limits.header_bytes.max(8192))
            .half_close(false)
            .pipeline_flush(false);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(self.limits.header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(1000)
            .keep_alive_interval(self.limits.idle)
            .keep_alive_timeout(Duration::from_secs(20));
        let (handle, requests) = (self.handle, Requests::default());
        let limits = patience::Limits { head: self.limits.header_timeout, idle: self.limits.idle };
        let stream = Patient::new(stream, limits, requests.clone());
        let service = service_fn(move |request| {
            let (under_way, response) = (requests.begin(), handle(request, peer.clone()));
            async move { Ok::<_, Infallible>(response.await.map(|body| Counted { body, _under_way: under_way })) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            // Nothing is gained by drawing lots for who is asked first.
            biased;
            ended = connection.as_mut() => ended,
            () = self.drain.begun() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "a connection ended early");
        }
    }
}

/// A response body whose request is under way until it has ended.
struct Counted {
    body: Outgoing,
    _under_way: UnderWay,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
