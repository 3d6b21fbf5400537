#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use tidegate::policy::{self, Environment};

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // What a file imports is on this machine's disk, and none of our business.
    if data.windows(6).any(|word| word == b"import") {
        return;
    }
    let path: PathBuf = FOLDER.path().join("tidegate.yaml");
    std::fs::write(&path, data).unwrap();
    let loaded = policy::load(&[path], &Environment::of([], FOLDER.path()));
    assert_eq!(loaded.config.is_none(), loaded.has_errors());
    let _ = loaded.report(&loaded.problems);
    let _ = policy::print(&loaded);
});
