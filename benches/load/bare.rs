//! A proxy that is hyper and nothing else: what a gateway in Rust could cost at the least.
//!
//! It compares the caller's key, reads the model and the stream flag out of the body, and passes the same bytes
//! on, head and body, in both directions. One thread for each processor, as in Tidegate.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The key every caller shows.
pub const KEY: &str = "sk-the-one-key-that-the-bare-proxy-takes-for-a-caller";

type Body = UnsyncBoxBody<Bytes, hyper::Error>;
type Upstream = Client<HttpConnector, Full<Bytes>>;

#[derive(serde::Deserialize)]
struct Asked<'a> {
    model: &'a str,
    #[serde(default)]
    stream: bool,
}

/// Serves until it is killed.
///
/// # Errors
/// When the address cannot be had.
pub fn run(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let workers: Vec<_> = (0..threads).map(|_| std::thread::spawn(move || work(listen, upstream))).collect();
    workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Ok(())))
}

fn work(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(listen)?;
        serve(socket.listen(4096)?, upstream).await
    })
}

async fn serve(listener: TcpListener, upstream: SocketAddr) -> io::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, client.clone(), upstream));
    }
}

async fn connection(stream: TcpStream, client: Upstream, upstream: SocketAddr) {
    // A peer that hangs up is none of our business.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let client = client.clone();
        async move { Ok::<_, Infallible>(forward(request, &client, upstream).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn forward(request: Request<Incoming>, client: &Upstream, upstream: SocketAddr) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let key = head.headers.get(AUTHORIZATION).and_then(|key| key.to_str().ok()?.strip_prefix("Bearer "));
    if key != Some(KEY) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let Ok(body) = body.collect().await else { return refusal(StatusCode::BAD_REQUEST) };
    let body = body.to_bytes();
    let is_chat = serde_json::from_slice::<Asked<'_>>(&body).is_ok_and(|asked| !asked.model.is_empty() | asked.stream);
    let uri = format!("http://{upstream}{}", head.uri.path()).parse::<Uri>();
    let (true, Ok(uri)) = (is_chat, uri) else { return refusal(StatusCode::BAD_REQUEST) };
    head.uri = uri;
    head.headers.remove(HOST);
    let answer = match client.request(Request::from_parts(head, Full::new(body))).await {
        Ok(answer) => answer,
        Err(_) => return refusal(StatusCode::BAD_GATEWAY),
    };
    let (mut head, body) = answer.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
    Response::from_parts(head, body.boxed_unsync())
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}
