//! A provider scripted to the byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What an upstream does with one request, step by step.
pub type Script = Vec<Act>;

#[derive(Debug, Clone)]
pub enum Act {
    /// Writes these bytes, and flushes.
    Write(Vec<u8>),
    Wait(Duration),
    /// Says nothing more and keeps the connection.
    Stall,
    /// Ends the connection.
    Close,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

/// Serves scripts on a port of this machine: the first request gets the first, and so on; the last is
/// repeated.
pub struct FakeUpstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    /// Acts of all scripts that are done.
    acts: Arc<AtomicUsize>,
    hang_ups: watch::Receiver<usize>,
}

impl FakeUpstream {
    pub async fn start(scripts: Vec<Script>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (hang_up, hang_ups) = watch::channel(0);
        let acts = Arc::new(AtomicUsize::new(0));
        let (noted, scripts, done) = (Arc::clone(&received), Arc::new(scripts), Arc::clone(&acts));
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (noted, scripts, hang_up) = (Arc::clone(&noted), Arc::clone(&scripts), hang_up.clone());
                let done = Arc::clone(&done);
                tokio::spawn(async move {
                    if serve(stream, &noted, &scripts, &done).await.is_err() {
                        hang_up.send_modify(|count| *count += 1);
                    }
                });
            }
        });
        Self { address, received, acts, hang_ups }
    }

    /// An upstream that always answers 200 with this JSON.
    pub async fn answering(body: &str) -> Self {
        Self::start(vec![whole(200, body)]).await
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// How many acts of all scripts are done.
    pub fn acts_done(&self) -> usize {
        self.acts.load(Ordering::Relaxed)
    }

    /// Waits until the gateway has hung up in the middle of so many scripts.
    pub async fn hung_up_on(&mut self, times: usize) {
        let seen = tokio::time::timeout(Duration::from_secs(10), self.hang_ups.wait_for(|count| *count >= times)).await;
        seen.expect("the gateway did not hang up").unwrap();
    }
}

/// Serves requests on one connection. An error means that the gateway hung up in the middle of a script.
async fn serve(
    mut stream: TcpStream,
    noted: &Mutex<Vec<Received>>,
    scripts: &[Script],
    done: &AtomicUsize,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut noted = noted.lock().unwrap();
            noted.push(request);
            noted.len() - 1
        };
        let script = scripts.get(number).or(scripts.last()).unwrap();
        for act in script {
            match act {
                Act::Write(bytes) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await?;
                }
                Act::Wait(time) => patiently(&mut stream, tokio::time::sleep(*time)).await?,
                Act::Stall => patiently(&mut stream, std::future::pending::<()>()).await?,
                Act::Close => return Ok(()),
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Waits for `what`, and fails if the other end goes away first.
async fn patiently(stream: &mut TcpStream, what: impl Future<Output = ()>) -> std::io::Result<()> {
    let mut byte = [0];
    tokio::select! {
        () = what => Ok(()),
        read = stream.read(&mut byte) => match read {
            Ok(0) | Err(_) => Err(std::io::ErrorKind::ConnectionAborted.into()),
            Ok(_) => panic!("the gateway sent more than its request"),
        },
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut received = Received { head, body: bytes[head_end..].to_vec() };
    let length: usize = received.header("content-length").map_or(0, |length| length.parse().unwrap());
    let chunked = received.header("transfer-encoding").is_some();
    while received.body.len() < length || (chunked && !received.body.ends_with(b"0\r\n\r\n")) {
        if stream.read_buf(&mut received.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(received)
}

/// A whole JSON answer.
pub fn whole(status: u16, body: &str) -> Script {
    whole_with(status, "", body)
}

/// A whole JSON answer with further header lines, each ended by `\r\n`.
pub fn whole_with(status: u16, headers: &str, body: &str) -> Script {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n");
    vec![Act::Write([head.as_bytes(), body.as_bytes()].concat())]
}

pub mod sse {
    //! Streams, frame by frame.

    use super::{Act, Script};

    pub fn head() -> Act {
        Act::Write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec())
    }

    /// Bytes of the stream, as one HTTP chunk.
    pub fn bytes(bytes: &[u8]) -> Act {
        Act::Write([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
    }

    pub fn data(data: &str) -> Act {
        bytes(format!("data: {data}\n\n").as_bytes())
    }

    /// The orderly end of the body.
    pub fn end() -> Act {
        Act::Write(b"0\r\n\r\n".to_vec())
    }

    /// A complete stream of these frames' data.
    pub fn stream(frames: &[String]) -> Script {
        let mut script = vec![head()];
        script.extend(frames.iter().map(|frame| data(frame)));
        script.push(end());
        script
    }

    /// The first `kept` frames of a stream, and then this.
    pub fn broken_off(frames: &[String], kept: usize, then: Act) -> Script {
        let mut script = vec![head()];
        script.extend(frames.iter().take(kept).map(|frame| data(frame)));
        script.push(then);
        script
    }
}
