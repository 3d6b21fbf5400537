//! A fast upstream that speaks OpenAI chat, whatever it is asked.
//!
//! Its answers are rendered once; a request costs it two reads and a write. What it answers is set between
//! cells, not read from requests, so that no subject pays for a knob in the body.

use std::cell::Cell;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::http::{self, Body};

/// What stands before the nanoseconds in a paced chunk, and how many digits they have.
pub const STAMP: &[u8] = b"t=";
pub const STAMP_DIGITS: usize = 20;

/// How every request is answered.
#[derive(Clone)]
pub enum Manner {
    /// One answer of about 700 bytes.
    Whole(Bytes),
    /// A stream, written as fast as it is taken.
    Burst(Bytes),
    /// A stream with a pause before each chunk.
    Paced { chunks: usize, pause: Duration },
    /// A stream that stays open after its first chunk.
    Held,
}

pub struct Mock {
    address: SocketAddr,
    manner: Arc<RwLock<Manner>>,
}

impl Mock {
    /// Starts serving on a thread of its own, which ends with the process. `epoch` is what stamps count from.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(epoch: Instant) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let manner = Arc::new(RwLock::new(Manner::whole()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&manner);
        std::thread::Builder::new().name("mock".into()).spawn(move || {
            if let Err(error) = LocalSet::new().block_on(&runtime, serve(listener, shared, epoch)) {
                eprintln!("the mock has stopped: {error}");
            }
        })?;
        Ok(Self { address, manner })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on every request is answered like this.
    pub fn set(&self, manner: Manner) {
        *self.manner.write().unwrap_or_else(std::sync::PoisonError::into_inner) = manner;
    }
}

impl Manner {
    pub fn whole() -> Self {
        let body = whole_body();
        let mut wire = head("application/json", &format!("content-length: {}", body.len()));
        wire.extend_from_slice(body.as_bytes());
        Self::Whole(wire.into())
    }

    pub fn burst(chunks: usize) -> Self {
        let mut wire = stream_head();
        for n in 0..chunks {
            put_chunk(&mut wire, delta(&format!(" tok{}", n % 10)).as_bytes());
        }
        put_ending(&mut wire, chunks);
        Self::Burst(wire.into())
    }
}

/// The answer that is given whole.
pub fn whole_body() -> String {
    let text = "The tide comes in twice a day, and the gate decides what may pass. ".repeat(6);
    format!(
        concat!(
            r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1767225600,"model":"bench-model","#,
            r#""choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"#,
            r#""logprobs":null,"finish_reason":"stop"}}],"#,
            r#""usage":{{"prompt_tokens":70,"completion_tokens":90,"total_tokens":160}}}}"#
        ),
        text = text.trim_end()
    )
}

async fn serve(listener: std::net::TcpListener, manner: Arc<RwLock<Manner>>, epoch: Instant) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let streams = Rc::new(Cell::new(0));
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mut connection = Connection { socket, epoch, streams: Rc::clone(&streams), buffer: Vec::new() };
        let manner = Arc::clone(&manner);
        // A subject that hangs up is none of the mock's business.
        tokio::task::spawn_local(async move { connection.run(&manner).await });
    }
}

struct Connection {
    socket: TcpStream,
    epoch: Instant,
    /// How many paced streams have begun, to spread them over the pause.
    streams: Rc<Cell<u32>>,
    buffer: Vec<u8>,
}

impl Connection {
    async fn run(&mut self, manner: &RwLock<Manner>) -> io::Result<()> {
        while self.read_request().await? {
            let manner = manner.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            match manner {
                Manner::Whole(wire) | Manner::Burst(wire) => self.socket.write_all(&wire).await?,
                Manner::Paced { chunks, pause } => self.pace(chunks, pause).await?,
                Manner::Held => return self.hold().await,
            }
        }
        Ok(())
    }

    /// Reads a request and forgets it; false if there is no further one.
    async fn read_request(&mut self) -> io::Result<bool> {
        let end = loop {
            if let Some(end) = http::head_end(&self.buffer) {
                break end;
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Ok(false);
            }
        };
        let mut body = Body::of(self.buffer.get(..end).unwrap_or_default())?;
        self.buffer.drain(..end);
        loop {
            let taken = body.take(&self.buffer, |_| {})?;
            self.buffer.drain(..taken);
            if body.is_done() {
                return Ok(true);
            }
            self.buffer.reserve(64 * 1024);
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Ok(false);
            }
        }
    }

    async fn pace(&mut self, chunks: usize, pause: Duration) -> io::Result<()> {
        let nth = self.streams.get();
        self.streams.set(nth.wrapping_add(1));
        self.socket.write_all(&stream_head()).await?;
        // Streams that begin together would otherwise all speak at the same moment.
        tokio::time::sleep(pause * (nth % 16) / 16).await;
        let mut ticks = tokio::time::interval(pause);
        let mut wire = Vec::with_capacity(1024);
        for _ in 0..chunks {
            ticks.tick().await;
            wire.clear();
            let mark = String::from_utf8_lossy(STAMP);
            let text = format!(" {mark}{:0width$}", self.epoch.elapsed().as_nanos(), width = STAMP_DIGITS);
            put_chunk(&mut wire, delta(&text).as_bytes());
            self.socket.write_all(&wire).await?;
        }
        wire.clear();
        put_ending(&mut wire, chunks);
        self.socket.write_all(&wire).await
    }

    async fn hold(&mut self) -> io::Result<()> {
        let mut wire = stream_head();
        put_chunk(&mut wire, delta(" one").as_bytes());
        self.socket.write_all(&wire).await?;
        // Ends when the other side does.
        self.socket.read_buf(&mut self.buffer).await.map(|_| ())
    }
}

fn head(kind: &str, framing: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-type: {kind}\r\n\
         x-request-id: req_bench\r\n{framing}\r\n\r\n"
    )
    .into_bytes()
}

fn stream_head() -> Vec<u8> {
    head("text/event-stream; charset=utf-8", "transfer-encoding: chunked")
}

fn put_chunk(wire: &mut Vec<u8>, payload: &[u8]) {
    // Writing to a vector cannot fail.
    let _ = write!(wire, "{:x}\r\n", payload.len());
    wire.extend_from_slice(payload);
    wire.extend_from_slice(b"\r\n");
}

fn put_ending(wire: &mut Vec<u8>, chunks: usize) {
    put_chunk(wire, event(r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#, "null").as_bytes());
    let total = chunks + 70;
    let usage = format!(r#"{{"prompt_tokens":70,"completion_tokens":{chunks},"total_tokens":{total}}}"#);
    put_chunk(wire, event("[]", &usage).as_bytes());
    put_chunk(wire, b"data: [DONE]\n\n");
    wire.extend_from_slice(b"0\r\n\r\n");
}

fn delta(text: &str) -> String {
    let choice = format!(r#"[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}]"#);
    event(&choice, "null")
}

fn event(choices: &str, usage: &str) -> String {
    format!(
        concat!(
            r#"data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"#,
            r#""model":"bench-model","service_tier":"default","system_fingerprint":"fp_bench","#,
            r#""choices":{choices},"usage":{usage}}}"#,
            "\n\n"
        ),
        choices = choices,
        usage = usage
    )
}
