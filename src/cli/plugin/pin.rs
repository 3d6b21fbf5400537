//! `tidegate plugin pin`: the hashes of plugins into policy files, so that no other component than these is run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::project::rendered;
use crate::policy::{Named, Pins};
use crate::wasm::{Limits, Manifest};

/// Write the SHA-256 of each plugin into the policy files that name it; every other byte of them stays.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Policy or gateway files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; exit with 1 if a hash is missing or is not that of the component
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    let mut code = ExitCode::SUCCESS;
    for file in &args.files {
        let pins = Pins::read(file).map_err(|(problems, sources)| rendered(&problems, &sources))?;
        if pins.plugins.is_empty() {
            return Err(format!("`{}` names no plugin: a step is `- plugin: {{ wasm: FILE.wasm }}`", file.display()));
        }
        let hashes = pins.plugins.iter().map(hash).collect::<Result<Vec<_>, _>>()?;
        let stale = pins.plugins.iter().zip(&hashes).filter(|(plugin, hash)| plugin.sha256.as_ref() != Some(hash));
        let stale: Vec<_> = stale.collect();
        if args.check {
            for (plugin, _) in &stale {
                println!("{}: `{}` is not pinned to what it is", file.display(), plugin.wasm);
                code = ExitCode::from(1);
            }
            continue;
        }
        let changes: Vec<_> = hashes.iter().cloned().map(Some).collect();
        if !stale.is_empty() {
            let written = pins.write(&pins.with(&changes));
            written.map_err(|error| format!("cannot write `{}`: {error}", file.display()))?;
        }
        for (plugin, hash) in pins.plugins.iter().zip(&hashes) {
            let was = match &plugin.sha256 {
                Some(old) if old == hash => ", as it was",
                Some(_) => ", and not what it was",
                None => "",
            };
            println!("{}: `{}` is {hash}{was}", file.display(), plugin.wasm);
        }
    }
    Ok(code)
}

/// The hash of a component that is a plugin: nothing else is worth pinning.
fn hash(plugin: &Named) -> Result<String, String> {
    manifest(&plugin.path).map(|manifest| manifest.sha256)
}

/// What a component says of itself.
///
/// # Errors
/// Why it can be no plugin, and what mends that.
pub fn manifest(path: &Path) -> Result<Manifest, String> {
    let bytes = read(path)?;
    Manifest::read(&bytes, &Limits::MOST).map_err(|unfit| unfit_message(path, &unfit))
}

pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| {
        let help = if error.kind() == std::io::ErrorKind::NotFound { "; `tidegate plugin build` makes it" } else { "" };
        format!("cannot read `{}`: {error}{help}", path.display())
    })
}

pub fn unfit_message(path: &Path, unfit: &crate::wasm::Unfit) -> String {
    let help = unfit.help.as_ref().map(|help| format!("\n  {help}")).unwrap_or_default();
    format!("`{}` cannot be a plugin: {unfit}{help}", path.display())
}
