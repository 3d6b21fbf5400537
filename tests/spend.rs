//! What the program has spent is there after it was killed, and never more than its budget.

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
use tidegate::state::record::Entry;
use tidegate::state::{read, verify};

/// A dollar for a million tokens in, and ten for a million out.
const GATEWAY: &str = "version: 1
callers: { anonymous: true }
state: { dir: state }
providers: { sim: { kind: simulator, price: { in: 1, out: 10 } } }
budgets: { all: { per: policy, usd: 0.20, window: total, mode: strict, max_output: 100 } }
policies:
- policy: p
  steps: [{ budget: [all] }]
  route: sim
";
const CAP: i128 = 200_000_000;

struct Running {
    child: Child,
    address: String,
    admin: String,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
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

    fn kill(&self) {
        assert!(Command::new("kill").args(["-KILL", &self.child.id().to_string()]).status().unwrap().success());
    }

    fn wait(mut self) {
        self.child.wait().unwrap();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks until it is told to stop or nobody is there any more; notes the id of each answer.
fn ask_on(address: &str, answered: &Mutex<HashSet<String>>, refused: &AtomicUsize, is_over: &AtomicBool) {
    let body = r#"{"model":"chat","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}"#;
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else { return };
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let mut answer = String::new();
        if stream.write_all((head + body).as_bytes()).is_err() || stream.read_to_string(&mut answer).is_err() {
            continue;
        }
        let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: "));
        match (answer.get(..12), id) {
            (Some("HTTP/1.1 200"), Some(id)) => drop(answered.lock().unwrap().insert(id.trim().to_owned())),
            (Some("HTTP/1.1 402"), _) => drop(refused.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

/// Kills a gateway under load so many times, and looks into its ledger each time.
fn survives(kills: usize) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY).unwrap();
    let (answered, refused) = (Mutex::new(HashSet::new()), AtomicUsize::new(0));
    for round in 0..kills {
        let running = Running::start(folder.path());
        let before = answered.lock().unwrap().len() + refused.load(Ordering::Relaxed);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| ask_on(&running.address, &answered, &refused, &is_over));
            }
            while answered.lock().unwrap().len() + refused.load(Ordering::Relaxed) < before + 20 {
                std::thread::yield_now();
            }
            running.kill();
            is_over.store(true, Ordering::Relaxed);
        });
        running.wait();
        agrees(&folder.path().join("state"), &answered.lock().unwrap(), round);
    }
    // What the last one left open, the next one closes.
    let last = Running::start(folder.path());
    last.kill();
    last.wait();
    let report = verify::verify(&folder.path().join("state")).unwrap();
    assert_eq!((report.open, report.faults.len()), (0, 0), "{report:?}");
}

/// The log is sound, every answer is in it, and no more is spent or held than there is.
fn agrees(state: &Path, answered: &HashSet<String>, round: usize) {
    let report = verify::verify(state).unwrap();
    assert!(report.faults.is_empty(), "round {round}: {:?}", report.faults);
    let entries: Vec<Entry> = read::records(state).unwrap().map(|record| record.unwrap().entry).collect();
    let known: HashSet<String> = entries.iter().map(|entry| entry.hold().request.to_string()).collect();
    let lost: Vec<_> = answered.difference(&known).collect();
    assert!(lost.is_empty(), "round {round}: answers that the ledger does not know: {lost:?}");
    let spent: i128 = read::spent(state).unwrap().values().sum();
    let ended: HashSet<String> = entries
        .iter()
        .filter(|entry| !matches!(entry, Entry::Reserved { .. }))
        .map(|entry| entry.hold().to_string())
        .collect();
    let held: i128 = entries.iter().filter(|entry| !ended.contains(&entry.hold().to_string())).map(held_by).sum();
    assert!(spent + held <= CAP, "round {round}: {spent} spent and {held} held of {CAP}");
}

fn held_by(entry: &Entry) -> i128 {
    let Entry::Reserved { legs, .. } = entry else { return 0 };
    legs.iter().map(|leg| i128::from(leg.amount.0)).sum()
}

/// Two thousand streams at once, over twenty connections.
async fn flood(address: &str) -> (usize, usize) {
    let mut streams = Vec::new();
    for _ in 0..20 {
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

#[tokio::test]
async fn two_thousand_streams_at_once_spend_no_more_than_there_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY).unwrap();
    let running = Running::start(folder.path());
    let (answered, refused) = flood(&running.address).await;
    assert!(answered > 100 && refused > 100 && answered + refused == 2_000, "{answered} answered, {refused} refused");
    let standing = get(&running.admin, "/budgets");
    let standing: serde_json::Value = serde_json::from_str(standing.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let account = &standing["accounts"][0];
    assert_eq!((&account["account"], &account["usd"], &account["held_usd"]), (&"all".into(), &0.2.into(), &0.into()));
    assert!(account["spent_usd"].as_f64().unwrap() > 0.01, "{standing}");
    // A stop in good order waits for the books.
    assert!(Command::new("kill").arg(running.child.id().to_string()).status().unwrap().success());
    running.wait();
    let state = folder.path().join("state");
    let spent: i128 = read::spent(&state).unwrap().values().sum();
    let lines: Vec<_> =
        read::records(&state).unwrap().flat_map(|record| record.unwrap().entry.lines().to_vec()).collect();
    let billed: i128 = lines.iter().map(|line| i128::from(line.cost.0)).sum();
    assert_eq!((lines.len(), verify::verify(&state).unwrap().open), (answered, 0));
    assert!(spent == billed && spent <= CAP, "{spent} spent, {billed} billed, of {CAP}");
}

#[test]
fn what_was_spent_is_there_after_the_program_was_killed() {
    survives(4);
}

#[test]
#[ignore = "takes a minute; the one above is its short form"]
fn what_was_spent_is_there_after_the_program_was_killed_thirty_times() {
    survives(30);
}
