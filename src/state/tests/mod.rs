//! The promises of the ledger, held against each store, each crash and a naive model.

mod crashes;
mod damage;
mod model;
mod troubles;

use std::path::Path;

use tempfile::TempDir;

use super::contract::{keeps_the_contract, noon};
use super::{Embedded, Ledger, Memory, Options};

pub(super) fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, &Options::default(), noon(0)).unwrap()
}

#[test]
fn what_is_made_of_a_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    drop(open(&folder));
    let mode = |name: &str| std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(["", "ledger", "sums"].map(mode), [0o700; 3]);
}

mod in_memory {
    use super::*;

    keeps_the_contract!(((), Box::new(Memory::default()) as Box<dyn Ledger>));
}

mod in_a_folder {
    use super::*;

    fn fresh() -> (TempDir, Box<dyn Ledger>) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Box::new(open(folder.path()));
        (folder, ledger)
    }

    keeps_the_contract!(fresh());
}
