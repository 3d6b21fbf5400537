//! The decision log of the program itself: what it says to those who ask, and what of it survives.

#[path = "support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::time::Duration;

use support::running::{Running, ask, ask_on};
use tempfile::TempDir;

const GATEWAY: &str = "version: 1\ncallers: { anonymous: true }\ntelemetry: { decisions: { dir: kept } }\n\
                       providers: { sim: { kind: simulator } }\npolicies: [{ policy: first, route: sim }]\n";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY).unwrap();
    folder
}

fn explain(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("explain").args(words).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn a_request_is_explained_by_the_gateway_that_runs_and_by_the_folder_of_one_that_does_not() {
    let folder = folder();
    let running = Running::start(folder.path());
    let answer = ask(&running.address, "chat").unwrap();
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().trim();
    let by_port = explain(folder.path(), &[id, "--admin", &running.admin]);
    assert!(by_port.status.success(), "{}", text(&by_port));
    let told = text(&by_port);
    for words in [&format!("{id}: 200 ok"), "policy first", "chat of chat", "1. sim", "answered by sim"] {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    running.stop();
    running.wait();
    let by_folder = explain(folder.path(), &[id, "--decisions", "kept"]);
    assert_eq!(text(&by_folder), told);
    let json = explain(folder.path(), &[id, "--decisions", "kept", "--json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&json.stdout).unwrap()["request_id"], id);
    let unknown = explain(folder.path(), &["req_00000000000000000000000000", "--decisions", "kept"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown).contains("no decision about"), "{}", text(&unknown));
}

#[test]
fn a_gateway_that_is_killed_loses_no_more_than_its_last_decisions_and_the_next_goes_on() {
    let folder = folder();
    let running = Running::start(folder.path());
    let (answered, refused, is_over) = (Mutex::new(HashSet::new()), AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|threads| {
        threads.spawn(|| ask_on(&running.address, &answered, &refused, &is_over));
        while answered.lock().unwrap().len() < 50 {
            thread::sleep(Duration::from_millis(5));
        }
        let early = answered.lock().unwrap().clone();
        // What is told of is on disk within a moment, also while others come.
        while recorded(folder.path()).intersection(&early).count() < early.len() {
            thread::sleep(Duration::from_millis(20));
        }
        running.kill();
    });
    let kept = recorded(folder.path());
    let next = Running::start(folder.path());
    ask(&next.address, "chat").unwrap();
    next.stop();
    next.wait();
    let after = recorded(folder.path());
    assert!(after.is_superset(&kept) && after.len() == kept.len() + 1, "{} after {}", after.len(), kept.len());
}

#[test]
fn a_process_that_is_told_not_to_trace_tells_no_collector_and_records_all_the_same() {
    let [traces, metrics] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let url = |collector: &TcpListener| format!("\"http://{}\"", collector.local_addr().unwrap());
    let section = format!("telemetry: {{ otlp: {}, metrics: {},", url(&traces), url(&metrics));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY.replace("telemetry: {", &section)).unwrap();
    [&traces, &metrics].iter().for_each(|collector| collector.set_nonblocking(true).unwrap());
    for (disabled, is_told) in [("TRUE", false), ("false", true)] {
        let running = Running::start_told(folder.path(), ("OTEL_SDK_DISABLED", disabled));
        ask(&running.address, "chat").unwrap();
        // The last of both is told by a process that stops.
        running.stop();
        running.wait();
        let told = [&traces, &metrics].map(|collector| collector.accept().is_ok());
        assert_eq!(told, [is_told; 2], "OTEL_SDK_DISABLED={disabled}");
    }
    assert_eq!(recorded(folder.path()).len(), 2);
}

/// The ids of all requests that have a record.
fn recorded(folder: &Path) -> HashSet<String> {
    let files = std::fs::read_dir(folder.join("kept")).into_iter().flatten().map(|file| file.unwrap().path());
    let texts = files.map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned());
    let lines: Vec<String> = texts.flat_map(|text| text.lines().map(ToOwned::to_owned).collect::<Vec<_>>()).collect();
    let records = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    records.filter_map(|record| Some(record["request_id"].as_str()?.to_owned())).collect()
}
