//! The stock SDKs of OpenAI and Anthropic against a running gateway: `tests/sdk/run` does it, and this
//! makes it part of `cargo test`.
//!
//! Where there is no python3, nothing is checked. `TIDEGATE_SKIP_SDK=1` leaves it out as well: the first
//! run installs the SDKs from PyPI, and there may be no way to it.

use std::path::Path;
use std::process::Command;

#[test]
fn the_stock_sdks_work_with_upstreams_of_every_dialect() {
    if std::env::var_os("TIDEGATE_SKIP_SDK").is_some() {
        println!("not checked: TIDEGATE_SKIP_SDK is set");
        return;
    }
    if !Command::new("python3").arg("--version").output().is_ok_and(|python| python.status.success()) {
        println!("not checked: there is no python3");
        return;
    }
    let mut run = Command::new("bash");
    run.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/run"));
    run.env("TIDEGATE_BIN", env!("CARGO_BIN_EXE_tidegate"));
    if std::env::var_os("TIDEGATE_SDK_VENV").is_none() {
        run.env("TIDEGATE_SDK_VENV", Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk-venv"));
    }

    let checked = run.output().unwrap();

    assert!(
        checked.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}
