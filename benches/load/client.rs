//! A closed loop: each connection asks, reads the whole answer, and asks again.
//!
//! It runs on the calling thread. It counts what arrives within a window that begins after a warm-up;
//! what fails is counted apart and never passes for an answer.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use crate::http::{self, Body};
use crate::mock::{STAMP, STAMP_DIGITS};

/// How many bytes of an answer that is none are shown.
const QUOTED: usize = 200;

/// What is asked, of whom, by how many at once.
pub struct Load {
    pub to: SocketAddr,
    pub request: Bytes,
    pub connections: usize,
    pub warm_up: Duration,
    pub window: Duration,
    /// What the stamps in paced chunks count from.
    pub epoch: Instant,
}

/// What happened within the window.
#[derive(Default)]
pub struct Tally {
    pub answers: u64,
    /// Events of streams.
    pub events: u64,
    /// Nanoseconds from asking to the answer's last byte.
    pub latencies: Vec<u64>,
    /// Nanoseconds that stamped chunks were on their way.
    pub delays: Vec<u64>,
    pub failed: u64,
    pub first_failure: Option<String>,
    newlines: u64,
}

/// A tally, and what `probe` said as the window opened and as it closed.
pub struct Measured<T> {
    pub tally: Tally,
    pub opened: T,
    pub closed: T,
    pub took: Duration,
}

impl Load {
    /// Drives the load and probes something at both ends of the window.
    ///
    /// # Errors
    /// When the probe fails.
    pub async fn drive<T>(&self, mut probe: impl FnMut() -> io::Result<T>) -> io::Result<Measured<T>> {
        let tally = Rc::new(RefCell::new(Tally::default()));
        let local = LocalSet::new();
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            let (to, request, tally) = (self.to, self.request.clone(), Rc::clone(&tally));
            connections.spawn_local_on(keep_asking(to, request, tally, self.epoch), &local);
        }
        local
            .run_until(async {
                tokio::time::sleep(self.warm_up).await;
                tally.take();
                let (opened, began) = (probe()?, Instant::now());
                tokio::time::sleep(self.window).await;
                let (closed, took) = (probe()?, began.elapsed());
                let mut tally = tally.take();
                tally.events = tally.newlines / 2;
                Ok(Measured { tally, opened, closed, took })
            })
            .await
    }
}

/// Asks once and gives the answer's body.
///
/// # Errors
/// When there is no answer, or it is not a 200.
pub async fn ask(to: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut asker = Asker { socket: connect(to).await?, buffer: Vec::new() };
    let mut body = Vec::new();
    match asker.ask(request, |piece| body.extend_from_slice(piece)).await? {
        200 => Ok(body),
        status => Err(http::wrong(format!("status {status}: {}", String::from_utf8_lossy(&body)))),
    }
}

/// Asks for a stream, reads its first bytes and leaves it open.
///
/// # Errors
/// When no stream begins.
pub async fn open(to: SocketAddr, request: &[u8]) -> io::Result<TcpStream> {
    let mut asker = Asker { socket: connect(to).await?, buffer: Vec::new() };
    asker.socket.write_all(request).await?;
    while memmem::find(&asker.buffer, b"data: ").is_none() {
        asker.more().await?;
    }
    match http::status(&asker.buffer) {
        Some(200) => Ok(asker.socket),
        _ => Err(http::wrong(String::from_utf8_lossy(&asker.buffer).into_owned())),
    }
}

async fn keep_asking(to: SocketAddr, request: Bytes, tally: Rc<RefCell<Tally>>, epoch: Instant) {
    loop {
        let Err(error) = ask_on_one_connection(to, &request, &tally, epoch).await else { continue };
        tally.borrow_mut().fail(&error);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn ask_on_one_connection(
    to: SocketAddr,
    request: &[u8],
    tally: &RefCell<Tally>,
    epoch: Instant,
) -> io::Result<()> {
    let mut asker = Asker { socket: connect(to).await?, buffer: Vec::new() };
    loop {
        let asked = Instant::now();
        let mut beginning = Vec::new();
        let see = |piece: &[u8]| {
            beginning.extend(piece.iter().take(QUOTED - beginning.len()));
            tally.borrow_mut().see(piece, epoch);
        };
        let status = asker.ask(request, see).await?;
        if status != 200 {
            return Err(http::wrong(format!("status {status}: {}", String::from_utf8_lossy(&beginning))));
        }
        let mut tally = tally.borrow_mut();
        tally.answers += 1;
        tally.latencies.push(nanos(asked.elapsed()));
    }
}

async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(to).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

struct Asker {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Asker {
    async fn ask(&mut self, request: &[u8], mut payload: impl FnMut(&[u8])) -> io::Result<u16> {
        self.socket.write_all(request).await?;
        let end = loop {
            match http::head_end(&self.buffer) {
                Some(end) => break end,
                None => self.more().await?,
            }
        };
        let head = self.buffer.get(..end).unwrap_or_default();
        let status = http::status(head).ok_or_else(|| http::wrong("an answer without a status"))?;
        let mut body = Body::of(head)?;
        self.buffer.drain(..end);
        loop {
            let taken = body.take(&self.buffer, &mut payload)?;
            self.buffer.drain(..taken);
            if body.is_done() {
                return Ok(status);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        self.buffer.reserve(64 * 1024);
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err(http::wrong("the connection was closed in the middle of an answer")),
            _ => Ok(()),
        }
    }
}

impl Tally {
    fn fail(&mut self, error: &io::Error) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }

    /// Takes note of a piece of a body.
    fn see(&mut self, piece: &[u8], epoch: Instant) {
        // Every event has two newlines, and whole answers have none.
        self.newlines += memchr::memchr_iter(b'\n', piece).count() as u64;
        let Some(at) = memmem::find(piece, STAMP).map(|at| at + STAMP.len()) else { return };
        let digits = piece.get(at..at + STAMP_DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(sent) = digits.and_then(|digits| digits.parse::<u64>().ok()) {
            self.delays.push(nanos(epoch.elapsed()).saturating_sub(sent));
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
