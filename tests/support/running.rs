//! The program itself, running, and ways to keep it busy.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

pub struct Running {
    pub child: Child,
    pub address: String,
    pub admin: String,
}

impl Running {
    pub fn start(folder: &Path) -> Self {
        Self::begin(folder, Command::new(PROGRAM))
    }

    /// The same with a variable in its environment.
    pub fn start_told(folder: &Path, variable: (&str, &str)) -> Self {
        let mut command = Command::new(PROGRAM);
        command.env(variable.0, variable.1);
        Self::begin(folder, command)
    }

    /// The same, where no file may grow beyond so many half kilobytes: for writers, the disk is full then.
    pub fn start_on_a_small_disk(folder: &Path, blocks: usize) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!(r#"trap "" XFSZ; ulimit -f {blocks}; exec "$0" "$@""#)).arg(PROGRAM);
        Self::begin(folder, shell)
    }

    fn begin(folder: &Path, mut command: Command) -> Self {
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--no-access-log"]);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let (address, admin) = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the gateway did not start:\n{seen}");
            seen.push_str(&line);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "ready" {
                let field = |name: &str| event[name].as_str().unwrap().to_owned();
                break (field("listen"), field("admin"));
            }
        };
        // The pipe must not fill.
        std::thread::spawn(move || log.read_to_string(&mut String::new()));
        Self { child, address, admin }
    }

    pub fn kill(&self) {
        assert!(Command::new("kill").args(["-KILL", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Asks it to end in good order.
    pub fn stop(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    pub fn wait(mut self) {
        self.child.wait().unwrap();
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

impl Drop for Running {
    fn drop(&mut self) {
        // A test that has failed leaves no process behind; one that has ended is not harmed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks a model once; the whole answer, or as much of it as there was.
pub fn ask(address: &str, model: &str) -> std::io::Result<String> {
    ask_this(address, model, "hello")
}

/// The same with words of one's own, which need no escapes.
pub fn ask_this(address: &str, model: &str, text: &str) -> std::io::Result<String> {
    let body = format!(r#"{{"model":"{model}","max_tokens":100,"messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let mut stream = TcpStream::connect(address)?;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks until it is told to stop or nobody is there any more; notes the id of each answer.
pub fn ask_on(address: &str, answered: &Mutex<HashSet<String>>, refused: &AtomicUsize, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let answer = match ask(address, "chat") {
            Ok(answer) => answer,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return,
            Err(_) => continue,
        };
        let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: "));
        match (answer.get(..12), id) {
            (Some("HTTP/1.1 200"), Some(id)) => drop(answered.lock().unwrap().insert(id.trim().to_owned())),
            (Some("HTTP/1.1 402"), _) => drop(refused.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

/// Two thousand streams at once, over twenty connections to these gateways in turn. How many were answered, and how
/// many refused.
pub async fn flood(addresses: &[&str]) -> (usize, usize) {
    let mut streams = Vec::new();
    for address in addresses.iter().cycle().take(20) {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..100 {
            let mut sender: http2::SendRequest<Full<Bytes>> = sender.clone();
            let request = Request::post(format!("http://{address}/v1/chat/completions"));
            let request = request.header("content-type", "application/json").body(STREAMED.into()).unwrap();
            streams.push(tokio::spawn(async move {
                sender.ready().await.unwrap();
                let answer = sender.send_request(request).await.unwrap();
                let status = answer.status().as_u16();
                answer.into_body().collect().await.unwrap();
                status
            }));
        }
    }
    let (mut answered, mut refused) = (0, 0);
    for stream in streams {
        match stream.await.unwrap() {
            200 => answered += 1,
            402 => refused += 1,
            other => panic!("status {other}"),
        }
    }
    (answered, refused)
}

const STREAMED: &str =
    r#"{"model":"chat","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hello"}]}"#;
