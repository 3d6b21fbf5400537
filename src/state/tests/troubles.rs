//! Folders and disks that do not play along.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use crate::state::contract::{claim, hold, leg, noon, settlement, standing};
use crate::state::tests::open;
use crate::state::{Claim, Denied, Durability, Embedded, Ledger, Options, Trouble, read, verify};

fn refusal(folder: &Path) -> String {
    Embedded::open(folder, &Options::default(), noon(0)).err().unwrap().to_string()
}

#[tokio::test]
async fn a_folder_is_for_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let said = refusal(folder.path());
    assert!(said.contains("is in use by another process"), "{said}");
    ledger.close();
    open(folder.path()).close();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let said = refusal(&file.join("state"));
    assert!(said.contains("file/state` cannot be used") && said.contains("may write to"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    assert!(matches!(
        Embedded::open(Path::new("/proc/self"), &Options::default(), noon(0)).err(),
        Some(Trouble::Folder { .. })
    ));
}

#[tokio::test]
async fn a_full_disk_refuses_claims_and_keeps_settlements() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let (before, during) = (hold(), hold());
    ledger.reserve(claim(before, [leg("a", 100, 40)])).await.unwrap();

    ledger.is_full.store(true, Ordering::SeqCst);
    let denied = ledger.reserve(claim(during, [leg("a", 100, 30)])).await.unwrap_err();
    assert!(matches!(&denied, Denied::Unavailable(why) if why.0.contains("cannot be written")), "{denied}");
    assert_eq!(standing(&ledger, "a").await, (0, 40), "what could not be promised is given back");
    ledger.settle(settlement(before, 15));
    assert_eq!(standing(&ledger, "a").await, (15, 0));
    assert!(ledger.flush().await.is_err());
    let soon = Claim { durability: Durability::Soon, ..claim(hold(), [leg("a", 100, 1)]) };
    assert!(matches!(ledger.reserve(soon).await, Err(Denied::Unavailable(_))));

    ledger.is_full.store(false, Ordering::SeqCst);
    // The first tries what is left over, the second what has come since.
    let _ = ledger.flush().await;
    ledger.flush().await.unwrap();
    ledger.reserve(claim(hold(), [leg("a", 100, 85)])).await.unwrap();
    ledger.close();
    let report = verify::verify(folder.path()).unwrap();
    assert!(report.faults.is_empty() && report.torn.is_none(), "{report:?}");
    assert_eq!(read::spent(folder.path()).unwrap().into_values().sum::<i128>(), 15);
}

#[tokio::test]
async fn a_process_that_dies_with_a_full_disk_has_lied_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let before = hold();
    ledger.reserve(claim(before, [leg("a", 100, 40)])).await.unwrap();
    ledger.is_full.store(true, Ordering::SeqCst);
    ledger.settle(settlement(before, 15));
    assert!(ledger.flush().await.is_err());
    ledger.kill();
    assert_eq!(standing(&open(folder.path()), "a").await, (40, 0), "all that was set aside is assumed");
}

/// Unmounts when it goes.
struct Mount<'a>(&'a Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_disk_that_is_really_full_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder.path()).output();
    if !mount.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: this user may not mount a tmpfs");
        return;
    }
    let _mount = Mount(folder.path());
    let ledger = open(folder.path());
    let mut promised = 0;
    let denied = loop {
        match ledger.reserve(claim(hold(), [leg("a", i64::MAX, 1)])).await {
            Ok(_) => promised += 1,
            Err(denied) => break denied,
        }
        if promised == 10 {
            fs::write(folder.path().join("ballast"), vec![1; 4 << 20]).unwrap_err();
        }
    };
    assert!(matches!(denied, Denied::Unavailable(_)), "{denied}");
    assert!(promised >= 10);

    fs::remove_file(folder.path().join("ballast")).unwrap();
    let _ = ledger.flush().await;
    ledger.flush().await.unwrap();
    ledger.reserve(claim(hold(), [leg("a", i64::MAX, 1)])).await.unwrap();
    ledger.kill();
    let report = verify::verify(folder.path()).unwrap();
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!(report.open, promised + 1, "{report:?}");
}
