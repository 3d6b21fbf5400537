//! Requests take as long, and the process as much memory, whatever a collector does.
//!
//! The bounds leave room for a machine that others use too: what they would not let pass is a request that waits for a
//! collector, and what waits for one growing without end. `TIDEGATE_CHAOS_REQUESTS=20000 cargo test --test chaos --
//! --nocapture` measures more thoroughly, and prints what it measures.

#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use support::running::{Running, get};

/// What a collector does with each connection.
type Manner = fn(TcpStream);

const MANNERS: [(&str, &str, Option<Manner>); 11] = [
    ("takes everything", "http", Some(|stream| answers(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))),
    ("hangs", "http", Some(|stream| hangs(&stream))),
    ("is not there", "http", None),
    ("says 400", "http", Some(|stream| answers(stream, "HTTP/1.1 400 X\r\ncontent-length: 0\r\n\r\n"))),
    (
        "says 429",
        "http",
        Some(|stream| answers(stream, "HTTP/1.1 429 X\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n")),
    ),
    ("says 500", "http", Some(|stream| answers(stream, "HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"))),
    ("reads slowly", "http", Some(reads_slowly)),
    (
        "hangs up in its answer",
        "http",
        Some(|stream| answers(stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")),
    ),
    ("is not there (gRPC)", "grpc", None),
    ("says nothing (gRPC)", "grpc", Some(|stream| hangs(&stream))),
    ("hears all and hangs (gRPC)", "grpc", Some(hears_and_hangs)),
];

#[test]
fn neither_latency_nor_memory_depends_on_what_a_collector_does() {
    let requests = std::env::var("TIDEGATE_CHAOS_REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000);
    let measured = MANNERS.map(|(name, protocol, manner)| {
        let measured = measure(protocol, manner, requests);
        println!("{name:28} {measured:?}");
        (name, measured)
    });
    let usual = &measured[0].1;
    for (name, found) in &measured[1..] {
        assert!(found.half < 3 * usual.half + Duration::from_millis(20), "{name}: {found:?} and not {usual:?}");
        assert!(found.most < 3 * usual.most + Duration::from_millis(300), "{name}: {found:?} and not {usual:?}");
        assert!(found.grown_kib < usual.grown_kib + 64 * 1024, "{name}: {found:?} and not {usual:?}");
    }
    assert_eq!(usual.dropped, 0);
    assert!(
        measured.iter().filter(|(_, found)| found.dropped > 0).count() >= 2,
        "nothing was lost, so nothing was tried"
    );
}

#[derive(Debug)]
struct Measured {
    /// Half of the requests took no longer, and 99 of 100.
    half: Duration,
    most: Duration,
    grown_kib: u64,
    /// Spans.
    dropped: u64,
}

fn measure(protocol: &str, manner: Option<Manner>, requests: usize) -> Measured {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    match manner {
        Some(manner) => drop(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || manner(stream));
            }
        })),
        None => drop(listener),
    }
    let folder = tempfile::tempdir().unwrap();
    let collector = format!("endpoint: \"http://{address}\", protocol: {protocol}, timeout: 2s");
    let yaml = format!(
        "version: 1\ncallers: {{ anonymous: true }}\n\
         telemetry: {{ otlp: {{ {collector} }}, metrics: {{ {collector}, interval: 1s }} }}\n\
         providers: {{ sim: {{ kind: simulator }} }}\npolicies: [{{ policy: first, route: sim }}]\n"
    );
    std::fs::write(folder.path().join("tidegate.yaml"), yaml).unwrap();
    let running = Running::start(folder.path());
    ask(&running.address, 100);
    let before = resident_kib(running.child.id());
    let mut took = thread::scope(|threads| {
        let asking: Vec<_> = (0..2).map(|_| threads.spawn(|| ask(&running.address, requests / 2))).collect();
        asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect::<Vec<_>>()
    });
    took.sort();
    let grown_kib = resident_kib(running.child.id()).saturating_sub(before);
    let metrics = get(&running.admin, "/metrics");
    let dropped = metrics.lines().filter(|line| line.starts_with("tidegate_otlp_spans_dropped_total"));
    let dropped = dropped.map(|line| line.rsplit(' ').next().unwrap().trim().parse::<u64>().unwrap()).sum();
    let at = |share: usize| took[took.len() * share / 100];
    Measured { half: at(50), most: at(99), grown_kib, dropped }
}

/// How long each of so many requests took, one after the other over one connection.
fn ask(address: &str, count: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"hello"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let one = |_| {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        read_answer(&mut answers);
        begun.elapsed()
    };
    (0..count).map(one).collect()
}

fn read_answer(answers: &mut impl BufRead) {
    let (mut length, mut line) = (0, String::new());
    answers.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    while line != "\r\n" {
        line.clear();
        answers.read_line(&mut line).unwrap();
        if let Some(said) = line.strip_prefix("content-length: ") {
            length = said.trim().parse().unwrap();
        }
    }
    std::io::copy(&mut answers.take(length), &mut std::io::sink()).unwrap();
}

/// The memory of a process that is in use.
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Says the same to every request, and hangs up.
fn answers(stream: TcpStream, answer: &str) {
    let mut requests = BufReader::new(&stream);
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        if requests.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = said.trim().parse().unwrap_or(0);
        }
    }
    let _ = std::io::copy(&mut requests.take(length), &mut std::io::sink());
    let _ = (&stream).write_all(answer.as_bytes());
}

/// The caller keeps the connection for as long.
fn hangs(_: &TcpStream) {
    thread::sleep(Duration::from_secs(600));
}

/// Shakes hands as HTTP/2 wants it, takes what it is sent, and never answers.
fn hears_and_hangs(mut stream: TcpStream) {
    let (settings, agreed) = ([0, 0, 0, 4, 0, 0, 0, 0, 0], [0, 0, 0, 4, 1, 0, 0, 0, 0]);
    let _ = stream.write_all(&[settings, agreed].concat());
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

fn reads_slowly(mut stream: TcpStream) {
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|read| read > 0) {
        thread::sleep(Duration::from_millis(20));
    }
}
