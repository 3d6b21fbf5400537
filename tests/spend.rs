//! What the program has spent is there after it was killed, and never more than its budget.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidegate::state::record::Entry;
use tidegate::state::{read, verify};

use support::running::{Running, ask, ask_on, flood, get};

mod support;

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
        agrees(&folder.path().join("state"), &answered.lock().unwrap(), CAP, &format!("round {round}"));
    }
    // What the last one left open, the next one closes.
    let last = Running::start(folder.path());
    last.kill();
    last.wait();
    let report = verify::verify(&folder.path().join("state")).unwrap();
    assert_eq!((report.open, report.faults.len()), (0, 0), "{report:?}");
}

/// The log is sound, every answer is in it, and no more is spent or held than there is.
fn agrees(state: &Path, answered: &HashSet<String>, cap: i128, when: &str) {
    let report = verify::verify(state).unwrap();
    assert!(report.faults.is_empty(), "{when}: {:?}", report.faults);
    let entries: Vec<Entry> = read::records(state).unwrap().map(|record| record.unwrap().entry).collect();
    let known: HashSet<String> = entries.iter().map(|entry| entry.hold().request.to_string()).collect();
    let lost: Vec<_> = answered.difference(&known).collect();
    assert!(lost.is_empty(), "{when}: answers that the ledger does not know: {lost:?}");
    let spent: i128 = read::spent(state).unwrap().values().sum();
    let ended: HashSet<String> = entries
        .iter()
        .filter(|entry| !matches!(entry, Entry::Reserved { .. }))
        .map(|entry| entry.hold().to_string())
        .collect();
    let held: i128 = entries.iter().filter(|entry| !ended.contains(&entry.hold().to_string())).map(held_by).sum();
    assert!(spent + held <= cap, "{when}: {spent} spent and {held} held of {cap}");
}

fn held_by(entry: &Entry) -> i128 {
    let Entry::Reserved { legs, .. } = entry else { return 0 };
    legs.iter().map(|leg| i128::from(leg.amount.0)).sum()
}

#[tokio::test]
async fn two_thousand_streams_at_once_spend_no_more_than_there_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY).unwrap();
    let running = Running::start(folder.path());
    let (answered, refused) = flood(&[&running.address]).await;
    assert!(answered > 100 && refused > 100 && answered + refused == 2_000, "{answered} answered, {refused} refused");
    let standing = get(&running.admin, "/budgets");
    let standing: serde_json::Value = serde_json::from_str(standing.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let account = &standing["accounts"][0];
    assert_eq!((&account["account"], &account["usd"], &account["held_usd"]), (&"all/p".into(), &0.2.into(), &0.into()));
    assert!(account["spent_usd"].as_f64().unwrap() > 0.01, "{standing}");
    // A stop in good order waits for the books.
    running.stop();
    running.wait();
    let state = folder.path().join("state");
    let spent: i128 = read::spent(&state).unwrap().values().sum();
    let lines: Vec<_> =
        read::records(&state).unwrap().flat_map(|record| record.unwrap().entry.lines().to_vec()).collect();
    let billed: i128 = lines.iter().map(|line| i128::from(line.cost.0)).sum();
    assert_eq!((lines.len(), verify::verify(&state).unwrap().open), (answered, 0));
    assert!(spent == billed && spent <= CAP, "{spent} spent, {billed} billed, of {CAP}");
}

/// Asks until the gateway says something else than that it has an answer; how many there were, and what it said then.
fn ask_until_refused(address: &str) -> (HashSet<String>, String) {
    let mut answered = HashSet::new();
    loop {
        let answer = ask(address, "chat").unwrap();
        let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().trim().to_owned();
        match answer.starts_with("HTTP/1.1 200") {
            true => answered.insert(id),
            false => return (answered, answer),
        };
    }
}

#[test]
fn a_disk_that_is_full_refuses_what_it_cannot_keep_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY.replace("0.20", "20")).unwrap();
    let running = Running::start_on_a_small_disk(folder.path(), 64);
    let (answered, refusal) = ask_until_refused(&running.address);
    assert!(refusal.starts_with("HTTP/1.1 503") && refusal.contains("budget_unavailable"), "{refusal}");
    assert!(answered.len() > 10, "only {} answers", answered.len());
    running.kill();
    running.wait();
    let roomy = Running::start(folder.path());
    assert!(ask(&roomy.address, "chat").unwrap().starts_with("HTTP/1.1 200"));
    roomy.stop();
    roomy.wait();
    agrees(&folder.path().join("state"), &answered, 20_000_000_000, "a full disk");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), GATEWAY).unwrap();
    std::fs::write(folder.path().join("state"), "a file where a folder should be").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let ended = command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(2) && said.contains("state"), "{:?}: {said}", ended.status);
}

/// The body of the one request that comes.
fn posted(listener: &TcpListener) -> serde_json::Value {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.to_lowercase().strip_prefix("content-length:") {
            Some(value) => length = value.trim().parse().unwrap(),
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_budget_that_runs_low_is_told_of_once_in_its_window() {
    let (folder, listener) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let hook = format!("alerts: {{ webhook: \"http://{}/low\" }}\n", listener.local_addr().unwrap());
    let gateway = GATEWAY.replace("mode: strict", "warn_at: 0.1%, mode: strict") + &hook;
    std::fs::write(folder.path().join("tidegate.yaml"), gateway).unwrap();
    let running = Running::start(folder.path());
    for _ in 0..5 {
        assert!(ask(&running.address, "chat").unwrap().contains("x-tidegate-budget-warning: all"));
    }
    let told = posted(&listener);
    assert_eq!((&told["event"], &told["account"], &told["usd"]), (&"budget_low".into(), &"all/p".into(), &0.2.into()));
    let metrics = get(&running.admin, "/metrics");
    assert!(metrics.contains("tidegate_budget_warnings{budget=\"all\"} 1\n"), "{metrics}");
    assert!(metrics.contains("tidegate_budget_remaining_usd{budget=\"all\",scope=\"p\"} 0.1"), "{metrics}");
    assert!(metrics.contains("tidegate_reservations_open 0\n"), "{metrics}");
    let synced = metrics.lines().find_map(|line| line.strip_prefix("tidegate_ledger_fsync_seconds_count ")).unwrap();
    assert!(synced.trim().parse::<u64>().unwrap() > 0, "the disk was never waited for: {metrics}");
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
