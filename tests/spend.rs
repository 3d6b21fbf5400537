//! What the program has spent is there after it was killed, and never more than its budget.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidegate::state::record::Entry;
use tidegate::state::{read, verify};

use support::running::{Running, ask_on, flood, get};

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
    assert_eq!((&account["account"], &account["usd"], &account["held_usd"]), (&"all".into(), &0.2.into(), &0.into()));
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

#[test]
fn what_was_spent_is_there_after_the_program_was_killed() {
    survives(4);
}

#[test]
#[ignore = "takes a minute; the one above is its short form"]
fn what_was_spent_is_there_after_the_program_was_killed_thirty_times() {
    survives(30);
}
