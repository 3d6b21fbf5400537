//! `tidegate ledger`, the program itself, on books that a ledger has written.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tidegate::base::ids::RequestId;
use tidegate::base::money::Nanos;
use tidegate::state::{CostLine, Counts, Embedded, HoldId, Ledger, Options, Priced, Settlement};

/// Books of a request of ten dollars and one of a nano-dollar, each in a batch of its own, in the usual place.
#[tokio::main(flavor = "current_thread")]
async fn books(folder: &Path) {
    let now = "2026-11-22T10:00:00Z".parse().unwrap();
    let ledger = Embedded::open(&folder.join(".tidegate"), &Options::default(), now).unwrap();
    for (team, cost) in [("support", 1), ("search", 10_000_000_000)] {
        let hold = HoldId { request: RequestId::fresh(1_795_341_600_000), attempt: 0 };
        let line = CostLine {
            request: hold.request,
            attempt: hold.attempt,
            at: now,
            key: None,
            team: Some(team.into()),
            user: None,
            policy: None,
            model: "chat".into(),
            target: None,
            provider: None,
            priced: Some(Priced { model: "gpt-4.1".into(), since: "2026-01-01".parse().unwrap() }),
            usage: Counts { text_in: Some(10), out: Some(2), ..Counts::default() },
            cost: Nanos(cost),
            marks: Vec::new(),
        };
        ledger.settle(Settlement { hold, at: now, lines: vec![line] });
        ledger.flush().await.unwrap();
    }
    ledger.close();
}

fn run(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg("ledger").args(words).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn sound_books_are_verified_summed_exported_and_priced_again() {
    let folder = tempfile::tempdir().unwrap();
    books(folder.path());

    let verified = run(folder.path(), &["verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
    assert!(text(&verified.stdout).ends_with("the ledger is sound\n"));

    let summed = text(&run(folder.path(), &["sum", "--by", "team"]).stdout);
    let rows: Vec<Vec<&str>> = summed.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["search", "1", "10", "2", "10.00", "0", "0"]);
    assert_eq!(rows[3], ["total", "2", "20", "4", "10.000000001", "0", "0"]);

    assert_eq!(text(&run(folder.path(), &["export", "--csv"]).stdout).lines().count(), 3);
    let recost = text(&run(folder.path(), &["recost"]).stdout);
    assert!(recost.contains("gpt-4.1") && recost.contains("total"), "{recost}");
}

#[test]
fn damage_is_named_by_its_place_and_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    books(folder.path());
    let segment = folder.path().join(".tidegate/ledger/0001.log");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    fs::write(&segment, bytes).unwrap();

    for words in [&["verify"][..], &["sum"], &["export", "--jsonl", "-"], &["recost"]] {
        let said = run(folder.path(), words);
        let aside = text(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{words:?}: {aside}");
        assert!(aside.contains("--> .tidegate/ledger/0001.log, byte 24\n   = help: restore"), "{words:?}: {aside}");
    }
}

#[test]
fn what_cannot_be_read_or_understood_is_told_by_another_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["verify"]).status.code(), Some(2));
    books(folder.path());
    for words in [&["sum", "--tz", "Nowhere"][..], &["sum", "--since", "soon"], &["sum", "--by", "colour"], &["export"]]
    {
        let said = run(folder.path(), words);
        assert_eq!(said.status.code(), Some(2), "{words:?}");
        assert!(text(&said.stderr).starts_with("error: "), "{words:?}: {}", text(&said.stderr));
    }
}
