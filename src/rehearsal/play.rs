//! The providers of a test, each played from its script over an in-memory connection.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use futures_core::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::document::{Ending, ReplyDoc};
use super::reply::{self, Pieces};
use crate::base::ids::TargetName;
use crate::dialect::Dialect;
use crate::provider::{Stage, TransportError};

/// Bytes that may be on their way.
const PIPE: usize = 64 * 1024;

/// Who plays what, and what they were sent.
#[derive(Default)]
pub struct Play {
    scripts: HashMap<TargetName, Vec<ReplyDoc>>,
    dialects: OnceLock<HashMap<TargetName, &'static dyn Dialect>>,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A request as a provider got it.
#[derive(Debug, Clone)]
pub struct Received {
    pub target: TargetName,
    pub head: String,
    pub body: Vec<u8>,
}

impl Play {
    pub fn new(scripts: HashMap<TargetName, Vec<ReplyDoc>>) -> Self {
        Self { scripts, ..Self::default() }
    }

    /// Tells the players what each target speaks.
    pub fn cast(&self, dialects: HashMap<TargetName, &'static dyn Dialect>) {
        let _ = self.dialects.set(dialects);
    }

    pub fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }
}

impl Stage for Play {
    fn plays(&self, target: &TargetName) -> bool {
        self.scripts.contains_key(target)
    }

    fn connect(&self, target: &TargetName) -> BoxFuture<'static, Result<DuplexStream, TransportError>> {
        let nth = lock(&self.received).iter().filter(|received| received.target == *target).count();
        let script = self.scripts.get(target).and_then(|replies| replies.get(nth).or(replies.last()));
        let reply = script.cloned().unwrap_or_default();
        let dialect = self.dialects.get().and_then(|dialects| dialects.get(target)).copied();
        let (target, received) = (target.clone(), Arc::clone(&self.received));
        Box::pin(async move {
            if reply.refuse {
                lock(&received).push(Received { target, head: String::new(), body: Vec::new() });
                return Err(TransportError::Connect("connection refused".into()));
            }
            let (here, there) = duplex(PIPE);
            if let Some(dialect) = dialect {
                // An error means that the gateway has hung up, which it may.
                tokio::spawn(async move { play(there, target, &reply, dialect, &received).await });
            }
            Ok(here)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn play(
    mut stream: DuplexStream,
    target: TargetName,
    reply: &ReplyDoc,
    dialect: &'static dyn Dialect,
    received: &Mutex<Vec<Received>>,
) -> io::Result<()> {
    let (head, body) = read_request(&mut stream).await?;
    lock(received).push(Received { target: target.clone(), head, body: body.clone() });
    if let Some(delay) = reply.delay {
        tokio::time::sleep(delay.0).await;
    }
    let Pieces { content_type, pieces } = reply::render(reply, target.as_str(), dialect, &body);
    stream.write_all(head_of(reply, content_type).as_bytes()).await?;
    match reply.headers_then {
        Some(Ending::Stall) => return stall(&mut stream).await,
        Some(Ending::Cut) => return Ok(()),
        None => {}
    }
    let count = [reply.stall_after, reply.cut_after].into_iter().flatten().min().unwrap_or(pieces.len());
    for piece in pieces.into_iter().take(count) {
        write(&mut stream, reply, piece).await?;
    }
    match (reply.stall_after, reply.cut_after) {
        (Some(_), _) => stall(&mut stream).await,
        (None, Some(_)) => Ok(()),
        (None, None) => stream.write_all(b"0\r\n\r\n").await,
    }
}

/// Writes a piece of the body as chunks of the transfer coding.
async fn write(stream: &mut DuplexStream, reply: &ReplyDoc, piece: Bytes) -> io::Result<()> {
    let how = reply.stream.clone().unwrap_or_default();
    let size = how.chunk_bytes.map_or(piece.len(), std::num::NonZeroUsize::get).max(1);
    for chunk in piece.chunks(size) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
        stream.write_all(chunk).await?;
        stream.write_all(b"\r\n").await?;
        if let Some(pause) = how.pause {
            tokio::time::sleep(pause.0).await;
        }
    }
    Ok(())
}

fn head_of(reply: &ReplyDoc, content_type: &str) -> String {
    let mut head = format!("HTTP/1.1 {} Scripted\r\ntransfer-encoding: chunked\r\n", reply.status.unwrap_or(200));
    if !reply.headers.0.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        head.push_str(&format!("content-type: {content_type}\r\n"));
    }
    for (name, value) in reply.headers.0.iter().map(|(name, value)| (name.value.as_str(), value)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(wait) = &reply.retry_after {
        head.push_str(&format!("retry-after: {wait}\r\n"));
    }
    head + "\r\n"
}

/// Says nothing more until the gateway hangs up.
async fn stall(stream: &mut DuplexStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

async fn read_request(stream: &mut DuplexStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    while body.len() < length.unwrap_or(0) {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((head, body))
}
