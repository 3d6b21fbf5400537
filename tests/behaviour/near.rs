//! Answers to questions in other words, found by a model in the gateway's own process.
#![cfg(feature = "local-embedder")]

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use notify::Watcher as _;
use notify::event::{AccessKind, AccessMode};
use serde_json::{Value, json};
use tidegate::embedding::Local;

use crate::decisions::told;
use crate::support::tiny::Tiny;
use crate::support::{Answered, FakeUpstream, House, completion};

const PATH: &str = "/v1/chat/completions";
const WAYS: [&str; 2] = ["How do I select page {} of the photo?", "How do I choose page {} of the photograph?"];

fn asking(way: usize, page: usize) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": WAYS[way].replace("{}", &page.to_string())}]})
}

/// A gateway whose model lies in a folder beside its file.
fn gateway_file(upstream: &str, sha256: &str, embedder: &str) -> String {
    format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{upstream}\", price: {{ in: 1, out: 2 }} }}\nembedders:\n  \
         near: {{ kind: local, dir: tiny, sha256: \"{sha256}\"{embedder} }}\npolicies:\n  - policy: p\n    steps: [ cache: \
         {{ canonical: true, similar: {{ by: near, at_least: 0.5, timeout: 5s, false_hits_at_most: 21%, check: 0% }} }} ]\n    \
         route: up\n"
    )
}

/// What there is before a gateway starts: the model must be there then.
async fn house(upstream: &FakeUpstream) -> House {
    let text = |bytes: Vec<u8>| bytes.into_iter().map(char::from).collect::<String>();
    let house = House::with("providers: { up: { kind: simulator } }\npolicies: [{ policy: p, route: up }]").await;
    let pin = Tiny::install(&house.path("tiny")).to_string();
    house.write("tidegate.yaml", &gateway_file(&upstream.url(), &pin, ", threads: 2"));
    assert!(house.reloader.reload(&house.gateway), "{}", text(std::fs::read(house.path("tidegate.yaml")).unwrap()));
    house
}

async fn ask(house: &House, way: usize, page: usize) -> Answered {
    house.http.post(PATH, &asking(way, page)).await
}

#[tokio::test]
async fn a_model_in_the_process_finds_questions_in_other_words_and_its_hash_is_where_trust_is_earned() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let house = house(&upstream).await;
    for page in 10..25 {
        for way in 0..2 {
            assert_eq!(ask(&house, way, page).await.header("x-tidegate-cache"), "miss", "{way} {page}");
        }
    }
    ask(&house, 0, 99).await;
    let asked = upstream.count();
    let given = ask(&house, 1, 99).await;
    assert_eq!((given.header("x-tidegate-cache-tier"), upstream.count()), ("similar", asked));
    let likeness: f64 = given.header("x-tidegate-cache-similarity").parse().unwrap();
    assert!(likeness > 0.99 && likeness <= 1.0, "{likeness}");
    let told = house.admin.get("/cache").await.json();
    let by = told["policies"][0]["similar"][0]["by"].as_str().unwrap().to_owned();
    let pin = Tiny::new().files().pin().short();
    assert_eq!(by, format!("near {pin}"));
}

#[tokio::test]
async fn a_reload_keeps_the_model_that_is_at_work_and_one_that_became_another_keeps_the_old_files_in_charge() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let house = house(&upstream).await;
    let file = std::fs::read_to_string(house.path("tidegate.yaml")).unwrap();
    let revision = house.gateway.pin().revision.clone();
    std::fs::write(house.path("tiny/config.json"), "{}").unwrap();
    house.write("tidegate.yaml", &file.replace("check: 0%", "check: 1%"));
    assert!(!house.reloader.reload(&house.gateway), "the files are checked, whatever is at work");
    assert_eq!(house.gateway.pin().revision, revision);
    assert_eq!(ask(&house, 0, 1).await.status, 200);
    Tiny::install(&house.path("tiny"));
    house.write("tidegate.yaml", &file.replace("check: 0%", "check: 2%"));
    assert!(house.reloader.reload(&house.gateway));
}

#[tokio::test]
async fn a_model_that_is_late_costs_its_budget_of_time_and_is_left_alone_for_a_while() {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let house = house(&upstream).await;
    let file = std::fs::read_to_string(house.path("tidegate.yaml")).unwrap();
    let file = format!("telemetry: {{ decisions: {{ dir: kept }} }}\n{file}").replace("threads: 2", "threads: 1");
    house.write("tidegate.yaml", &file.replace("timeout: 5s", "timeout: 1ms"));
    assert!(house.reloader.reload(&house.gateway));
    let (pin, shelf) = (Tiny::new().files().pin(), &house.gateway.world().stores.embedders);
    let local = shelf.open(&house.path("tiny"), pin, NonZeroUsize::MIN).unwrap();
    let busy = Busy::keep(local);
    let mut noted = Vec::new();
    for page in 0..8 {
        let answer = ask(&house, 0, page).await;
        assert_eq!(
            (answer.status, answer.header("x-tidegate-cache"), answer.says().as_str()),
            (200, "miss", "by glue")
        );
        let decision = told(&house, &format!("/decisions/{}", answer.header("x-request-id"))).await;
        noted.push(decision["steps"][0]["notes"]["similar"].as_str().unwrap().to_owned());
    }
    let expected = [["late"; 5].as_slice(), ["not_embedded"; 3].as_slice()].concat();
    assert_eq!(noted, expected);
    let metrics = house.admin.get("/metrics").await;
    let events = "tidegate_cache_events_total{policy=\"p\",event=\"not_embedded\"} 8";
    assert!(metrics.text().contains(events), "{}", metrics.text());
    drop(busy);
    house.write("tidegate.yaml", &file);
    assert!(house.reloader.reload(&house.gateway));
    assert_eq!(ask(&house, 0, 9).await.header("x-tidegate-cache"), "miss");
    let known = house.admin.get("/cache").await.json();
    assert_eq!(known["policies"][0]["questions"], json!(1), "{known}");
}

/// Keeps a model busy with others' texts until it is dropped, and leaves room in its queue.
struct Busy(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Busy {
    fn keep(local: Arc<Local>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let (begun, has_begun) = mpsc::channel();
        let work = move || {
            let mut waiting = VecDeque::new();
            while !until.load(Ordering::Relaxed) {
                while waiting.len() < 200 {
                    waiting.push_back(local.embed(&"page of the photo ".repeat(9)).unwrap());
                }
                // Nobody listens any more after the first time.
                let _ = begun.send(());
                drop(waiting.pop_front().map(tokio::sync::oneshot::Receiver::blocking_recv));
            }
        };
        let thread = std::thread::spawn(work);
        has_begun.recv().unwrap();
        Self(is_over, Some(thread))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}

/// How often a file of the model was opened.
struct Openings {
    folder: PathBuf,
    heard: mpsc::Receiver<notify::Result<notify::Event>>,
    _watcher: notify::RecommendedWatcher,
}

impl Openings {
    fn of(folder: PathBuf) -> Self {
        let (tell, heard) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(tell).unwrap();
        watcher.watch(&folder, notify::RecursiveMode::NonRecursive).unwrap();
        Self { folder, heard, _watcher: watcher }
    }

    /// Since it was asked before.
    fn of_weights(&self) -> usize {
        // What is heard of this one was the last.
        std::fs::write(self.folder.join("end"), "").unwrap();
        let mut count = 0;
        loop {
            let event = self.heard.recv_timeout(std::time::Duration::from_secs(20)).unwrap().unwrap();
            let is_of = |name: &str| event.paths.iter().any(|path| path.ends_with(name));
            match event.kind {
                notify::EventKind::Access(AccessKind::Open(_)) if is_of("model.safetensors") => count += 1,
                notify::EventKind::Access(AccessKind::Close(AccessMode::Write)) if is_of("end") => return count,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_start_reads_a_model_once_and_a_reload_only_if_its_files_were_changed() {
    let folder = tempfile::tempdir().unwrap();
    let pin = Tiny::install(&folder.path().join("tiny")).to_string();
    let openings = Openings::of(folder.path().join("tiny"));
    let file = gateway_file("http://127.0.0.1:9/v1", &pin, "")
        .replace("dir: tiny", &format!("dir: \"{}\"", folder.path().join("tiny").display()));
    let house = House::with(&file).await;
    assert_eq!(openings.of_weights(), 1);
    for (from, to) in [("check: 0%", "check: 1%"), ("sha256:", "threads: 2, sha256:")] {
        house.write("tidegate.yaml", &file.replace(from, to));
        assert!(house.reloader.reload(&house.gateway));
        assert_eq!(openings.of_weights(), 0, "{to}");
    }
    Tiny::install(&folder.path().join("tiny"));
    openings.of_weights();
    house.write("tidegate.yaml", &file);
    assert!(house.reloader.reload(&house.gateway));
    assert_eq!(openings.of_weights(), 1);
}

/// What `tidegate check` says of a gateway file in a folder.
fn checked(folder: &Path, file: &str) -> (bool, String) {
    std::fs::write(folder.join("tidegate.yaml"), format!("version: 1\ncallers: {{ anonymous: true }}\n{file}"))
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.args(["check", "-f", "tidegate.yaml"]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

#[test]
fn an_embedder_that_cannot_be_had_is_said_with_its_place_and_help() {
    let folder = tempfile::tempdir().unwrap();
    let pin = Tiny::install(&folder.path().join("tiny")).to_string();
    let good = gateway_file("http://127.0.0.1:9/v1", &pin, "");
    let (loads, said) = checked(folder.path(), &good);
    assert!(loads, "{said}");
    let other = "0".repeat(64);
    for (file, expected) in [
        (good.replace(&pin, &other), format!("if they are what you want, write `sha256: {pin}`")),
        (good.replace(&pin, "abc"), "this is no sha256".to_owned()),
        (good.replace("kind: local", "kind: remote"), "local".to_owned()),
        (good.replace("dir: tiny", "dir: tiny, threads: 65"), "65 threads are too many".to_owned()),
        (good.replace("dir: tiny", "folder: tiny"), "folder".to_owned()),
        (good.replace("near", "up"), "`up` is a target or provider as well".to_owned()),
        (good.replace("by: near", "by: up/small"), "nothing uses the embedder `near`".to_owned()),
        (good.replace("by: near", "by: neat"), "neat".to_owned()),
    ] {
        let (loads, said) = checked(folder.path(), &file);
        assert!(!loads && said.contains(&expected), "{expected}: {said}");
    }
    let (loads, said) = checked(folder.path(), &good.replace("dir: tiny", "dir: elsewhere"));
    assert!(loads && said.contains("is not checked") && said.contains("tidegate embedder install"), "{said}");
}
