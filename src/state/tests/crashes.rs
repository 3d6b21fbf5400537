//! What is there after the process has died.

use std::fs;
use std::path::Path;

use crate::state::contract::{claim, hold, leg, line, noon, settlement, standing};
use crate::state::log::Log;
use crate::state::record::{Booking, Entry};
use crate::state::segment::{self, HEADER};
use crate::state::tests::open;
use crate::state::{Claim, Durability, Ledger, Options, Settlement, Slot, read, verify};

/// Writes batches of so many records each; gives where each record ends.
fn write_batches(folder: &Path, sizes: &[usize]) -> Vec<usize> {
    let mut log = Log::open(folder, u64::MAX, None, |_, _| ()).unwrap();
    let mut ends = Vec::new();
    for size in sizes {
        let before = fs::metadata(segment::path(folder, 1)).unwrap().len() as usize;
        let entries: Vec<_> = (0..*size).map(|_| settled()).collect();
        let mut bytes = Vec::new();
        ends.extend(
            entries
                .iter()
                .zip(ends.len() as u64 + 1..)
                .map(|(entry, n)| {
                    crate::state::record::encode(n, entry, &mut bytes).unwrap();
                    before + bytes.len()
                })
                .collect::<Vec<_>>(),
        );
        log.append(entries.iter()).unwrap();
    }
    ends
}

fn settled() -> Entry {
    let booked = vec![Booking {
        account: crate::base::ids::AccountId::new("a"),
        slot: Slot(1),
        amount: crate::base::money::Nanos(1),
    }];
    let hold = hold();
    Entry::Settled { hold, at: noon(0), booked, lines: vec![line(hold, 1)] }
}

/// How many records a log has when it is opened, and once more when one was added and it is opened again.
fn reopened(folder: &Path) -> (usize, usize) {
    let count = |entries: &[Entry]| {
        let mut count = 0;
        let mut log = Log::open(folder, u64::MAX, None, |_, _| count += 1).unwrap();
        log.append(entries.iter()).unwrap();
        count
    };
    (count(&[settled()]), count(&[]))
}

#[test]
fn a_crash_at_any_byte_keeps_every_record_before_it() {
    let (source, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ends = write_batches(source.path(), &[1, 3, 2]);
    let bytes = fs::read(segment::path(source.path(), 1)).unwrap();
    assert_eq!(ends.last(), Some(&bytes.len()));
    for length in 0..=bytes.len() {
        fs::write(segment::path(copy.path(), 1), &bytes[..length]).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(reopened(copy.path()), (whole, whole + 1), "cut at byte {length}");
    }
}

#[test]
fn zeros_after_the_last_record_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    write_batches(folder.path(), &[2]);
    let path = segment::path(folder.path(), 1);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, [bytes, vec![0; 5000]].concat()).unwrap();
    assert_eq!(reopened(folder.path()), (2, 3));
}

#[test]
fn a_hole_in_the_last_batch_is_cut_off_with_what_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write_batches(folder.path(), &[2, 3]);
    let path = segment::path(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[ends[1]..ends[2]].fill(0);
    fs::write(&path, bytes).unwrap();
    assert_eq!(reopened(folder.path()), (2, 3));
}

#[test]
fn a_header_that_was_never_finished_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    write_batches(folder.path(), &[2]);
    fs::write(segment::path(folder.path(), 2), vec![0; HEADER]).unwrap();
    assert_eq!(reopened(folder.path()), (2, 3));
}

#[tokio::test]
async fn what_was_safe_survives_and_what_is_still_held_is_assumed_spent() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let (settled, held) = (hold(), hold());
    ledger.reserve(claim(settled, [leg("a", 100, 40)])).await.unwrap();
    ledger.settle(settlement(settled, 10));
    ledger.reserve(claim(held, [leg("a", 100, 30)])).await.unwrap();
    ledger.kill();

    let ledger = open(folder.path());
    assert_eq!(standing(&ledger, "a").await, (40, 0));
    ledger.settle(settlement(held, 5));
    assert_eq!(standing(&ledger, "a").await, (15, 0), "its real cost counts, if it comes after all");
    ledger.close();
    assert_eq!(standing(&open(folder.path()), "a").await, (15, 0));
}

#[tokio::test]
async fn what_was_assumed_is_still_replaced_after_another_start() {
    let folder = tempfile::tempdir().unwrap();
    let held = hold();
    let ledger = open(folder.path());
    ledger.reserve(claim(held, [leg("a", 100, 30)])).await.unwrap();
    ledger.kill();
    open(folder.path()).close();
    let ledger = open(folder.path());
    assert_eq!(standing(&ledger, "a").await, (30, 0));
    ledger.settle(settlement(held, 5));
    assert_eq!(standing(&ledger, "a").await, (5, 0));
}

#[tokio::test]
async fn closing_writes_what_was_promised_for_soon() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let held = hold();
    ledger.reserve(Claim { durability: Durability::Soon, ..claim(held, [leg("a", 100, 30)]) }).await.unwrap();
    ledger.settle(settlement(held, 20));
    ledger.close();
    assert_eq!(standing(&open(folder.path()), "a").await, (20, 0));
}

#[tokio::test]
async fn a_log_of_many_segments_is_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { rotate_at: 200, ..Options::default() };
    for _ in 0..3 {
        let ledger = super::Embedded::open(folder.path(), &options, noon(0)).unwrap();
        for _ in 0..5 {
            let hold = hold();
            ledger.reserve(claim(hold, [leg("a", 1000, 10)])).await.unwrap();
            ledger.settle(Settlement { at: noon(0), ..settlement(hold, 1) });
            ledger.flush().await.unwrap();
        }
        ledger.close();
    }
    let report = verify::verify(folder.path()).unwrap();
    assert!(report.faults.is_empty() && report.segments > 10, "{report:?}");
    assert_eq!((report.records, report.open, report.assumed), (30, 0, 0));
    assert_eq!(read::spent(folder.path()).unwrap().into_values().collect::<Vec<_>>(), [15]);
    fs::remove_dir_all(folder.path().join("sums")).unwrap();
    assert_eq!(standing(&open(folder.path()), "a").await, (15, 0));
}
