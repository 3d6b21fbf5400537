use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::future::poll_immediate;
use http::{Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_rustls::HttpsConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::provider::tls;
use rustls::RootCertStore;

const SOON: Duration = Duration::from_secs(20);

fn wire(http2_only: bool, roots: RootCertStore) -> Wire<HttpsConnector<HttpConnector>> {
    let alpn: &[&[u8]] = if http2_only { &[b"h2"] } else { &[b"h2", b"http/1.1"] };
    let protocol = if http2_only { Protocol::Http2 } else { Protocol::Negotiated };
    Wire::new(HttpsConnector::from((tcp(), tls::client(roots, alpn).unwrap())), protocol)
}

fn plain() -> Wire<HttpsConnector<HttpConnector>> {
    wire(false, RootCertStore::empty())
}

fn post(url: &str, body: &'static str) -> Request<Body> {
    let uri: Uri = url.parse().unwrap();
    Request::post(uri).body(Body::Full(Bytes::from_static(body.as_bytes()))).unwrap()
}

async fn text(response: Response<ReplyBody>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A server that answers each request with its connection's number, the HTTP version and the body.
struct Server {
    address: SocketAddr,
}

impl Server {
    async fn start(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for connection in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                match &tls {
                    Some(tls) => {
                        let accepting = tls.accept(tcp);
                        tokio::spawn(async move {
                            if let Ok(stream) = accepting.await {
                                serve(connection, TokioIo::new(stream)).await;
                            }
                        });
                    }
                    None => drop(tokio::spawn(serve(connection, TokioIo::new(tcp)))),
                }
            }
        });
        Self { address }
    }

    fn url(&self) -> String {
        format!("http://{}/v1/x", self.address)
    }
}

async fn serve<I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static>(connection: usize, io: I) {
    let service = service_fn(move |request: Request<Incoming>| async move {
        let version = if request.version() == Version::HTTP_2 { "h2" } else { "h1" };
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let answer = format!("{connection} {version} {}", String::from_utf8_lossy(&body));
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
    });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
}

async fn ask<C: Connector>(wire: &Wire<C>, url: &str, body: &'static str) -> String {
    text(wire.send(post(url, body), Hop::within(SOON)).await.unwrap()).await
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(None).await;
    let wire = plain();
    assert_eq!(ask(&wire, &server.url(), "a").await, "0 h1 a");
    assert_eq!(ask(&wire, &server.url(), "b").await, "0 h1 b");
}

#[tokio::test]
async fn http2_is_spoken_without_tls_when_known_beforehand() {
    let server = Server::start(None).await;
    let wire = wire(true, RootCertStore::empty());
    let url = server.url();
    let (first, second) = tokio::join!(ask(&wire, &url, "a"), ask(&wire, &url, "b"));
    assert_eq!((first.as_str(), second.as_str()), ("0 h2 a", "0 h2 b"));
}

fn certified() -> (tokio_rustls::TlsAcceptor, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Arc::new(config).into(), certified.cert.pem())
}

#[tokio::test]
async fn a_certificate_is_trusted_only_with_its_ca() {
    let (acceptor, pem) = certified();
    let server = Server::start(Some(acceptor)).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let roots = tls::with_ca(&RootCertStore::empty(), pem.as_bytes()).unwrap();
    assert!(ask(&wire(false, roots), &url, "a").await.ends_with(" h2 a"));
    let stranger = plain().send(post(&url, "a"), Hop::within(SOON)).await.unwrap_err();
    assert!(matches!(&stranger, TransportError::Connect(why) if why.contains("certificate")), "{stranger}");
}

#[tokio::test]
async fn a_refused_connection_is_one_that_never_was() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = plain().send(post(&url, "a"), Hop::within(SOON)).await.unwrap_err();
    assert!(matches!(&error, TransportError::Connect(why) if why.contains("refused")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_is_a_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let error = plain().send(post(&url, "a"), Hop::within(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(error, TransportError::ConnectTimeout);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_broken_and_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        read_request(&mut tcp).await;
        drop(tcp);
        listener
    });
    let error = plain().send(post(&url, "a"), Hop::within(SOON)).await.unwrap_err();
    assert!(matches!(error, TransportError::Broken(_)), "{error}");
    let listener = server.await.unwrap();
    assert!(poll_immediate(Box::pin(listener.accept())).await.is_none(), "a second connection was made");
}

#[tokio::test]
async fn a_pooled_connection_that_died_is_replaced_without_a_word() {
    for ask_for in [post, streamed] {
        let (url, is_closed) = forgetful_server().await;
        let wire = plain();
        let ask = async |body| text(wire.send(ask_for(&url, body), Hop::within(SOON)).await.unwrap()).await;
        assert_eq!(ask("a").await, "first");
        is_closed.await.unwrap();
        assert_eq!(ask("b").await, "second");
    }
}

/// A server that closes its first connection after one answer, and tells when it has.
async fn forgetful_server() -> (String, oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (closed, is_closed) = oneshot::channel();
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        answer_once(&mut first, "first").await;
        drop(first);
        closed.send(()).unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        answer_once(&mut second, "second").await;
    });
    (url, is_closed)
}

#[tokio::test]
async fn a_dropped_request_is_seen_by_the_server() {
    let (url, mut seen) = watching_server().await;
    let wire = plain();
    let mut request = wire.send(post(&url, "a"), Hop::within(SOON));
    tokio::select! {
        _ = &mut request => panic!("the server never answers"),
        event = seen.recv() => assert_eq!(event, Some("request")),
    }
    drop(request);
    assert_eq!(seen.recv().await, Some("closed"));
}

#[tokio::test]
async fn a_dropped_answer_is_seen_by_the_server_and_its_connection_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        read_request(&mut tcp).await;
        tcp.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n").await.unwrap();
        assert!(matches!(tcp.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    });
    let wire = plain();
    let mut response = wire.send(post(&url, "a"), Hop::within(SOON)).await.unwrap();
    let first = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "hi");
    drop(response);
    server.await.unwrap();
    assert!(wire.line(&url.parse().unwrap()).unwrap().take(Mover::Task).is_none());
}

#[tokio::test]
async fn a_body_may_be_a_stream() {
    let server = Server::start(None).await;
    let chunks = ["a", "b"].map(|chunk| Ok(http_body::Frame::data(Bytes::from(chunk))));
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(chunks));
    let request = Request::post(server.url()).body(Body::Stream(BodyExt::boxed_unsync(body))).unwrap();
    assert_eq!(text(plain().send(request, Hop::within(SOON)).await.unwrap()).await, "0 h1 ab");
}

#[tokio::test]
async fn a_full_http2_connection_is_joined_by_another() {
    let server = Server::start(None).await;
    let wire = wire(true, RootCertStore::empty());
    assert_eq!(ask(&wire, &server.url(), "a").await, "0 h2 a");
    let line = wire.line(&server.url().parse().unwrap()).unwrap();
    let seats: Vec<_> = std::iter::from_fn(|| line.take(Mover::Task)).collect();
    assert_eq!(seats.len(), 100);
    assert_eq!(ask(&wire, &server.url(), "b").await, "1 h2 b");
    drop(seats);
    assert_eq!(ask(&wire, &server.url(), "c").await, "0 h2 c");
}

#[tokio::test]
async fn an_answer_that_was_not_read_to_its_end_does_not_hold_up_the_next() {
    let server = Server::start(None).await;
    let wire = plain();
    let unread = wire.send(post(&server.url(), "a"), Hop::within(SOON)).await.unwrap();
    assert_eq!(ask(&wire, &server.url(), "b").await, "1 h1 b");
    drop(unread);
    assert!(ask(&wire, &server.url(), "c").await.starts_with("1 h1"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_is_closed_before_others_would() {
    let (here, mut there) = tokio::io::duplex(1024);
    let line = Arc::new(Line::to(&"http://somewhere/".parse().unwrap(), Protocol::Negotiated).unwrap());
    line.add(connection::Open::Http1(connection::Http1::over(TokioIo::new(here), Mover::Task).await.unwrap()))
        .give_back();
    tokio::time::sleep(Duration::from_secs(49)).await;
    assert!(poll_immediate(Box::pin(there.read_u8())).await.is_none());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(there.read_u8().await.is_err());
}

/// Reads a request whose body is one byte, or until the client is gone.
async fn read_request(tcp: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\na") && !read.ends_with(b"\r\n\r\nb") {
        if tcp.read_buf(&mut read).await.unwrap() == 0 {
            return;
        }
    }
}

async fn answer_once(tcp: &mut TcpStream, body: &str) {
    read_request(tcp).await;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    tcp.write_all(answer.as_bytes()).await.unwrap();
}

/// A server that never answers and tells what it sees.
async fn watching_server() -> (String, mpsc::Receiver<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, seen) = mpsc::channel(2);
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        read_request(&mut tcp).await;
        tell.send("request").await.unwrap();
        assert!(matches!(tcp.read(&mut [0; 8]).await, Ok(0) | Err(_)));
        tell.send("closed").await.unwrap();
    });
    (url, seen)
}

/// The same request, whose answer is asked for as a stream.
fn streamed(url: &str, body: &'static str) -> Request<Body> {
    let mut request = post(url, body);
    request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static("text/event-stream"));
    request
}

#[tokio::test]
async fn streams_and_whole_answers_have_connections_of_their_own_and_use_them_again() {
    let server = Server::start(None).await;
    let wire = plain();
    let stream = async |body| text(wire.send(streamed(&server.url(), body), Hop::within(SOON)).await.unwrap()).await;
    assert_eq!(stream("a").await, "0 h1 a");
    assert_eq!(ask(&wire, &server.url(), "b").await, "1 h1 b");
    assert_eq!(stream("c").await, "0 h1 c");
    assert_eq!(ask(&wire, &server.url(), "d").await, "1 h1 d");
}
