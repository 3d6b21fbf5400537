//! `tidegate plugin test`: the cases of a plugin, in the sandbox it runs in.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::pin::{read, unfit_message};
use super::project::Project;
use crate::cli::test::show;
use crate::policy::Ink;
use crate::rehearsal::Outcome;
use crate::rehearsal::golden::{Golden, Verdict};
use crate::wasm::{Engine, Report};

/// Run the cases of plugins: `cases/*.yaml` in their folders, with the limits of the real thing and everything outside
/// played.
///
/// Exits with 0 if all pass, with 1 if one fails, with 2 if a file cannot be used or there is no case.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of plugins [default: .]
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Run only the cases whose name holds this
    #[arg(short = 'k', value_name = "FILTER", default_value = "")]
    filter: String,
    /// Show what each case took
    #[arg(short, long)]
    verbose: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    let here = [PathBuf::from(".")];
    let (mut passed, mut failed) = (0_usize, 0_usize);
    let mut out = io::stdout().lock();
    let ink = if io::stdout().is_terminal() { Ink::Colour } else { Ink::Plain };
    for folder in if args.folders.is_empty() { &here[..] } else { &args.folders } {
        let project = Project::read(folder)?;
        let wasm = read(&project.wasm())?;
        for path in case_files(&project.folder)? {
            let golden = Golden::read(&path, ink)?;
            let played = golden.play(Engine::of_process()?, &wasm, &args.filter);
            let verdicts = played.map_err(|unfit| unfit_message(&project.wasm(), &unfit))?;
            for verdict in verdicts {
                let is_passed = verdict.failures.is_empty();
                *(if is_passed { &mut passed } else { &mut failed }) += 1;
                if args.verbose || !is_passed {
                    tell(&mut out, &path, verdict, ink).map_err(|error| error.to_string())?;
                }
            }
        }
    }
    writeln!(out, "{passed} passed, {failed} failed").map_err(|error| error.to_string())?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The files of cases in a plugin's folder.
///
/// # Errors
/// When there are none.
pub fn case_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cases = folder.join("cases");
    let entries = std::fs::read_dir(&cases).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    files.sort();
    match files.is_empty() {
        true => Err(format!("there are no cases in `{}`; they are files named `*.yaml`", cases.display())),
        false => Ok(files),
    }
}

fn tell(out: &mut impl Write, path: &Path, verdict: Verdict, ink: Ink) -> io::Result<()> {
    let Verdict { name, line, failures, report, log } = verdict;
    let place = format!("{}:{line}", path.display());
    if failures.is_empty() {
        return writeln!(out, "{place}: {name}: ok ({})", costs(report));
    }
    writeln!(out, "{place}: {name}: FAILED")?;
    let outcome = Outcome { name, line, failures, trail: log, ..Outcome::default() };
    writeln!(out, "{}", show::failures(&outcome, ink))
}

/// What a call took, in a few words.
fn costs(report: Report) -> String {
    let millis = report.took.as_secs_f64() * 1e3;
    format!("{millis:.2} ms, {} KiB, {} host calls", report.memory.div_ceil(1024), report.host_calls)
}
