//! Files that are not as they were left.

use std::fs;
use std::path::{Path, PathBuf};

use crate::state::contract::{claim, hold, leg, noon, settlement, standing};
use crate::state::segment;
use crate::state::tests::open;
use crate::state::{Embedded, Ledger, Options, Trouble, read, verify};

/// Books with twenty requests of one nano each, every one in a batch of its own.
async fn twenty_requests() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    for _ in 0..20 {
        let hold = hold();
        ledger.reserve(claim(hold, [leg("a", 1000, 10)])).await.unwrap();
        ledger.settle(settlement(hold, 1));
    }
    ledger.close();
    folder
}

fn broken_sums(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().contains("sums.broken-")).collect()
}

fn refusal(folder: &Path) -> Trouble {
    Embedded::open(folder, &Options::default(), noon(0)).err().unwrap()
}

fn overwrite(folder: &Path, with: &[u8]) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            overwrite(&entry.path(), with);
        } else {
            fs::write(entry.path(), with).unwrap();
        }
    }
}

#[tokio::test]
async fn sums_full_of_rubbish_are_moved_aside_and_made_anew() {
    let folder = twenty_requests().await;
    overwrite(&folder.path().join("sums"), &[0xa5; 3000]);
    let ledger = open(folder.path());
    assert_eq!(standing(&ledger, "a").await, (20, 0));
    assert_eq!(broken_sums(folder.path()).len(), 1);
    ledger.close();
    assert_eq!(standing(&open(folder.path()), "a").await, (20, 0));
    assert_eq!(broken_sums(folder.path()).len(), 1, "the new ones are good");
}

#[tokio::test]
async fn sums_with_one_flipped_bit_are_never_believed() {
    let folder = twenty_requests().await;
    let db = folder.path().join("sums/db");
    let whole = fs::read(&db).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for place in (0..used).step_by(used / 40 + 1) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        fs::write(&db, bytes).unwrap();
        let ledger = open(folder.path());
        assert_eq!(standing(&ledger, "a").await, (20, 0), "bit flipped in byte {place}");
        ledger.close();
    }
}

#[tokio::test]
async fn sums_that_know_more_than_the_log_are_not_its_sums() {
    let folder = twenty_requests().await;
    let path = segment::path(&folder.path().join("ledger"), 1);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let ledger = open(folder.path());
    assert_eq!(broken_sums(folder.path()).len(), 1);
    assert_eq!(standing(&ledger, "a").await, (29, 0), "the last hold is open in the log, so its ten are assumed");
}

#[tokio::test]
async fn sums_that_were_deleted_are_made_anew() {
    let folder = twenty_requests().await;
    fs::remove_dir_all(folder.path().join("sums")).unwrap();
    assert_eq!(standing(&open(folder.path()), "a").await, (20, 0));
    assert!(broken_sums(folder.path()).is_empty());
}

#[tokio::test]
async fn a_damaged_record_is_named_and_nothing_is_cut_off() {
    let folder = twenty_requests().await;
    fs::remove_dir_all(folder.path().join("sums")).unwrap();
    let path = segment::path(&folder.path().join("ledger"), 1);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let Trouble::Damaged { path: named, offset, why } = refusal(folder.path()) else { panic!("another trouble") };
    assert_eq!(named, path);
    assert!((offset as usize) < middle && middle - (offset as usize) < 1000);
    assert!(why.contains("whole records come after"), "{why}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing was changed");

    let report = verify::verify(folder.path()).unwrap();
    assert!(report.records >= 39, "{report:?}");
    assert!(matches!(report.faults[0], Trouble::Damaged { offset: place, .. } if place == offset), "{report:?}");
    assert!(read::spent(folder.path()).is_err());
}

#[tokio::test]
async fn a_damaged_length_does_not_pass_for_a_torn_end() {
    let folder = twenty_requests().await;
    fs::remove_dir_all(folder.path().join("sums")).unwrap();
    let path = segment::path(&folder.path().join("ledger"), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[segment::HEADER + 3] = 0x7f;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(refusal(folder.path()), Trouble::Damaged { offset: 24, .. }));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_missing_segment_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Embedded::open(folder.path(), &Options { rotate_at: 100, ..Options::default() }, noon(0)).unwrap();
    for _ in 0..4 {
        ledger.reserve(claim(hold(), [leg("a", 1000, 10)])).await.unwrap();
    }
    ledger.close();
    let second = segment::path(&folder.path().join("ledger"), 2);
    fs::remove_file(&second).unwrap();
    fs::remove_dir_all(folder.path().join("sums")).unwrap();
    assert!(matches!(refusal(folder.path()), Trouble::Missing { path } if path == second));
    let report = verify::verify(folder.path()).unwrap();
    assert!(matches!(&report.faults[0], Trouble::Missing { path } if *path == second), "{report:?}");
}

#[tokio::test]
async fn a_log_of_a_newer_version_is_left_alone() {
    let folder = twenty_requests().await;
    fs::remove_dir_all(folder.path().join("sums")).unwrap();
    let path = segment::path(&folder.path().join("ledger"), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(refusal(folder.path()), Trouble::Newer { found: 2, known: 1, .. }));
}

#[tokio::test]
async fn sums_that_lost_a_single_key_are_not_believed() {
    let folder = twenty_requests().await;
    let db = sled::open(folder.path().join("sums")).unwrap();
    let lost = db.scan_prefix("s").keys().next().unwrap().unwrap();
    db.remove(lost).unwrap();
    drop(db);
    assert_eq!(standing(&open(folder.path()), "a").await, (20, 0));
    assert_eq!(broken_sums(folder.path()).len(), 1);
}
