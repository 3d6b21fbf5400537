//! Arize Phoenix, and what it makes of the gateway's traces: `tests/phoenix/run` does it.
//!
//! Only if `TIDEGATE_PHOENIX=1` says so: the first run installs Phoenix from PyPI, some 700 MB, which stay in
//! `TIDEGATE_PHOENIX_VENV` or below the target folder.

use std::path::Path;
use std::process::Command;

#[test]
fn phoenix_shows_trees_models_tokens_and_conversations_and_no_secret() {
    if std::env::var_os("TIDEGATE_PHOENIX").is_none() {
        println!("not checked: TIDEGATE_PHOENIX is not set");
        return;
    }
    let mut run = Command::new("bash");
    run.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/phoenix/run"));
    run.env("TIDEGATE_BIN", env!("CARGO_BIN_EXE_tidegate"));
    if std::env::var_os("TIDEGATE_PHOENIX_VENV").is_none() {
        run.env("TIDEGATE_PHOENIX_VENV", Path::new(env!("CARGO_TARGET_TMPDIR")).join("phoenix-venv"));
    }

    let checked = run.output().unwrap();

    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}\n{}", String::from_utf8_lossy(&checked.stderr));
    println!("{said}");
}
