//! The providers of a test, each played from its script over an in-memory connection.

use std::collections::HashMap;
use std::future::ready;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::document::{CutDoc, Ending, ReplyDoc};
use super::golden::ServerDoc;
use super::guard::PlayedGuard;
use super::reply::{self, Pieces};
use crate::base::ids::TargetName;
use crate::dialect::Dialect;
use crate::policy::Table;
use crate::provider::{Stage, TransportError};

/// Bytes that may be on their way.
pub(super) const PIPE: usize = 64 * 1024;

/// Who plays what, and what they were sent.
#[derive(Default)]
pub struct Play {
    scripts: HashMap<TargetName, Vec<ReplyDoc>>,
    dialects: OnceLock<HashMap<TargetName, &'static dyn Dialect>>,
    guards: OnceLock<HashMap<TargetName, PlayedGuard>>,
    /// By what plugins call.
    servers: OnceLock<HashMap<TargetName, ServerDoc>>,
    scenes: Arc<Mutex<Vec<Scene>>>,
}

/// A connection to a provider, and what came of it.
#[derive(Debug, Clone)]
pub struct Scene {
    pub target: TargetName,
    /// What the provider was sent, once it was.
    pub received: Option<Received>,
    /// Why the script could not be played as it is written.
    pub complaint: Option<String>,
    /// The gateway hung up before the provider had said all that its script has.
    pub is_cancelled: bool,
}

/// A request as a provider got it.
#[derive(Debug, Clone, Default)]
pub struct Received {
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

    /// Tells the stage who plays the guards outside.
    pub fn guarded_by(&self, guards: HashMap<TargetName, PlayedGuard>) {
        let _ = self.guards.set(guards);
    }

    /// Tells the stage who answers what plugins call.
    pub fn served_by(&self, servers: &Table<ServerDoc>) {
        let named = servers.0.iter().map(|(name, server)| (TargetName::new(&name.value), server.clone()));
        let _ = self.servers.set(named.collect());
    }

    /// All there was so far, in the order in which it began.
    pub fn scenes(&self) -> Vec<Scene> {
        lock(&self.scenes).clone()
    }
}

impl Stage for Play {
    fn plays(&self, target: &TargetName) -> bool {
        self.scripts.contains_key(target)
    }

    fn connect(&self, target: &TargetName) -> BoxFuture<'static, Result<DuplexStream, TransportError>> {
        if let Some(guard) = self.guards.get().and_then(|guards| guards.get(target)) {
            return Box::pin(ready(Ok(guard.connect())));
        }
        if target.as_str().contains("://") {
            return Box::pin(ready(self.serve(target)));
        }
        let mut scenes = lock(&self.scenes);
        let nth = scenes.iter().filter(|scene| scene.target == *target).count();
        let script = self.scripts.get(target).and_then(|replies| replies.get(nth).or(replies.last()));
        let reply = script.cloned().unwrap_or_default();
        let dialect = self.dialects.get().and_then(|dialects| dialects.get(target)).copied();
        let number = scenes.len();
        scenes.push(Scene { target: target.clone(), received: None, complaint: None, is_cancelled: false });
        let scenes = Arc::clone(&self.scenes);
        Box::pin(async move {
            if reply.unreachable {
                std::future::pending::<()>().await;
            }
            if reply.refuse {
                return Err(TransportError::Connect("connection refused".into()));
            }
            let (here, stream) = duplex(PIPE);
            if let Some(dialect) = dialect {
                tokio::spawn(Player { stream, reply, dialect, scenes, number }.play());
            }
            Ok(here)
        })
    }
}

impl Play {
    /// A connection to a server that a plugin calls.
    fn serve(&self, target: &TargetName) -> Result<DuplexStream, TransportError> {
        let server = self.servers.get().and_then(|servers| servers.get(target)).cloned();
        let unknown = || TransportError::Connect("the test has no answer for it under `given.http`".into());
        let ServerDoc { status, body } = server.ok_or_else(unknown)?;
        let number = {
            let mut scenes = lock(&self.scenes);
            scenes.push(Scene { target: target.clone(), received: None, complaint: None, is_cancelled: false });
            scenes.len() - 1
        };
        let (here, mut there) = duplex(PIPE);
        let scenes = Arc::clone(&self.scenes);
        tokio::spawn(async move {
            let Ok(received) = read_request(&mut there).await else { return };
            if let Some(scene) = lock(&scenes).get_mut(number) {
                scene.received = Some(received);
            }
            let body = body.as_ref().map(reply::text_of).unwrap_or_default();
            let head = format!("HTTP/1.1 {status} Played\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            // The gateway may have hung up, which it may.
            let _ = there.write_all(head.as_bytes()).await;
        });
        Ok(here)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever plays a provider for one connection.
struct Player {
    stream: DuplexStream,
    reply: ReplyDoc,
    dialect: &'static dyn Dialect,
    scenes: Arc<Mutex<Vec<Scene>>>,
    /// Which of the scenes is its own.
    number: usize,
}

impl Player {
    async fn play(mut self) {
        if self.answer().await.is_err() {
            self.note(|scene| scene.is_cancelled = true);
        }
    }

    fn note(&self, change: impl FnOnce(&mut Scene)) {
        if let Some(scene) = lock(&self.scenes).get_mut(self.number) {
            change(scene);
        }
    }

    /// An error means that the gateway has hung up, which it may.
    async fn answer(&mut self) -> io::Result<()> {
        let received = read_request(&mut self.stream).await?;
        let Pieces { content_type, pieces } = self.render(&received.body);
        self.note(|scene| scene.received = Some(received));
        if self.reply.error_after.is_some() && content_type != reply::EVENT_STREAM {
            self.complain("it was to fail in the middle of a stream, and no stream was asked for".to_owned());
        }
        if let Some(delay) = self.reply.delay {
            self.pause(delay.0).await?;
        }
        if let Some(raw) = &self.reply.raw {
            return self.stream.write_all(raw.as_bytes()).await;
        }
        self.stream.write_all(head_of(&self.reply, content_type).as_bytes()).await?;
        match self.reply.headers_then {
            Some(Ending::Stall) => return self.stall().await,
            Some(Ending::Cut) => return Ok(()),
            None => {}
        }
        self.body(pieces).await
    }

    fn complain(&self, why: String) {
        self.note(|scene| scene.complaint = Some(why));
    }

    fn render(&self, body: &[u8]) -> Pieces {
        let scene = lock(&self.scenes).get(self.number).map(|scene| scene.target.clone());
        let target = scene.as_ref().map_or("", TargetName::as_str);
        reply::render(&self.reply, target, self.dialect, body)
    }

    async fn body(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        let (stall, cut) = (self.reply.stall_after, self.reply.cut_after);
        let count = [stall, cut].into_iter().flatten().min().unwrap_or(pieces.len());
        if count > pieces.len() {
            self.complain(format!("it was to end after {count} events, and has {}", pieces.len()));
        }
        let mut pieces: Vec<Bytes> = pieces.into_iter().take(count).collect();
        let is_cut_short = match &self.reply.cut {
            Some(cut) => shorten(&mut pieces, &cut.value),
            None => false,
        };
        if self.reply.cut.is_some() && !is_cut_short {
            self.complain("the text at which it was to be cut is not in it".to_owned());
        }
        for piece in pieces {
            self.write(piece).await?;
        }
        match (stall, cut.is_some() || is_cut_short) {
            (Some(_), false) => self.stall().await,
            (_, true) => Ok(()),
            (None, false) => self.stream.write_all(b"0\r\n\r\n").await,
        }
    }

    /// Writes a piece of the body as chunks of the transfer coding.
    async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        let how = self.reply.stream.clone().unwrap_or_default();
        let size = how.chunk_bytes.map_or(piece.len(), std::num::NonZeroUsize::get).max(1);
        for chunk in piece.chunks(size) {
            self.stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
            self.stream.write_all(chunk).await?;
            self.stream.write_all(b"\r\n").await?;
            if let Some(pause) = how.pause {
                self.pause(pause.0).await?;
            }
        }
        Ok(())
    }

    /// Says nothing for so long, unless the gateway hangs up before.
    async fn pause(&mut self, time: Duration) -> io::Result<()> {
        timeout(time, self.stall()).await.unwrap_or(Ok(()))
    }

    /// Says nothing more until the gateway hangs up.
    async fn stall(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 1024]).await? > 0 {}
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// Leaves out what comes behind the cut. False if the place is not there.
fn shorten(pieces: &mut Vec<Bytes>, cut: &CutDoc) -> bool {
    let whole: Vec<u8> = pieces.concat();
    let (CutDoc::Before(text) | CutDoc::Inside(text) | CutDoc::After(text)) = cut;
    let Some(at) = memchr::memmem::find(&whole, text.as_bytes()) else { return false };
    let mut left = match cut {
        CutDoc::Before(_) => at,
        CutDoc::Inside(_) => at + 1,
        CutDoc::After(_) => at + text.len(),
    };
    for piece in pieces {
        piece.truncate(left);
        left -= piece.len();
    }
    true
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

pub(super) async fn read_request(stream: &mut DuplexStream) -> io::Result<Received> {
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
    Ok(Received { head, body })
}
