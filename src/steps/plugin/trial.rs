//! The cases that a component must pass before it is run on anybody's request.
//!
//! Cases belong to the tools of authors, which are built on all of this: who can play them comes forward when the process
//! starts. Where nobody has, a policy that names cases does not load.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};

/// Plays files of cases against the bytes of a component; the first case that does not come out as it should, and why.
pub type Play = fn(&[u8], &[PathBuf]) -> Result<(), String>;

static PLAY: OnceLock<Play> = OnceLock::new();
/// What has passed, so that a load which changes something else does not play it again.
static PASSED: Mutex<BTreeSet<[u8; 32]>> = Mutex::new(BTreeSet::new());
const MOST_REMEMBERED: usize = 1_000;

/// Has cases played by `play` from now on. Whoever came first stays.
pub fn play_with(play: Play) {
    let _ = PLAY.set(play);
}

/// # Errors
/// The case that the component does not pass, or why it cannot be told.
pub fn pass(wasm: &[u8], cases: &[PathBuf]) -> Result<(), String> {
    if cases.is_empty() {
        return Ok(());
    }
    let play = PLAY.get().ok_or("its `cases` cannot be played in this process")?;
    let trial = of(wasm, cases)?;
    let passed = || PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if passed().contains(&trial) {
        return Ok(());
    }
    play(wasm, cases)?;
    let mut passed = passed();
    if passed.len() >= MOST_REMEMBERED {
        passed.clear();
    }
    passed.insert(trial);
    Ok(())
}

/// What tells a trial from others: the component, and what the cases say.
fn of(wasm: &[u8], cases: &[PathBuf]) -> Result<[u8; 32], String> {
    let mut hasher = Sha256::new_with_prefix(Sha256::digest(wasm));
    for path in cases {
        let text = std::fs::read(path).map_err(|error| format!("its cases `{}`: {error}", path.display()))?;
        hasher.update(Sha256::digest(text));
    }
    Ok(hasher.finalize().into())
}
