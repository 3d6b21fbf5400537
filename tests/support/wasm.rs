//! Builds the plugin of tests and benches, `tests/plugins/probe`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds it for these hooks (`request,response,stream`), in a folder of its own below `target`.
pub fn probe(hooks: &str, target: &Path) -> PathBuf {
    let target = target.join("probe");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins/probe/Cargo.toml");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-wasip2", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .env("PROBE_HOOKS", hooks)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the probe cannot be built");
    let path = target.join(format!("probe-{}.wasm", hooks.replace(',', "-")));
    // Others may be reading the one that is there.
    let draft = target.join(format!("{}.{}", std::process::id(), hooks.len()));
    std::fs::copy(target.join("wasm32-wasip2/release/probe.wasm"), &draft).expect("it is there");
    std::fs::rename(draft, &path).expect("it can be put there");
    path
}
