//! Cases as a condition: a component that does not pass them is not put in charge.

use std::path::PathBuf;

use super::Golden;
use crate::policy::Ink;
use crate::wasm::Engine;

/// Plays files of cases, as far as the first that does not come out as it should.
///
/// # Errors
/// That case and what came of it, or why a file cannot be used.
pub fn trial(wasm: &[u8], files: &[PathBuf]) -> Result<(), String> {
    // Cases have a runtime of their own, and a thread that serves has one already.
    let played = std::thread::scope(|scope| scope.spawn(|| play(wasm, files)).join());
    played.unwrap_or_else(|_| Err("its cases broke off".into()))
}

fn play(wasm: &[u8], files: &[PathBuf]) -> Result<(), String> {
    for path in files {
        let golden = Golden::read(path, Ink::Plain)?;
        let verdicts = golden.play(Engine::of_process()?, wasm, "").map_err(|unfit| unfit.reason)?;
        for verdict in verdicts {
            let Some(failure) = verdict.failures.first() else { continue };
            let (name, place) = (&verdict.name, format!("{}:{}", path.display(), verdict.line));
            let (field, relation) = (&failure.field, failure.relation.name());
            let (expected, found) = (&failure.expected, &failure.found);
            return Err(format!(
                "it does not pass its case \"{name}\" ({place}): {field} {relation} {expected} was expected, and it was \
                 {found}"
            ));
        }
    }
    Ok(())
}
