//! `tidegate test`: run the tests of policies.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::policy::Ink;
use crate::rehearsal::{Outcome, Suite};

/// Run the tests of policies: `*.test.yaml`, offline and in no time.
///
/// Exits with 0 if all pass, with 1 if one fails, with 2 if a file cannot be used or there is no test.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Test files, or folders in which they are looked for [default: .]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run only the tests whose name holds this
    #[arg(short = 'k', value_name = "FILTER", default_value = "")]
    filter: String,
}

pub fn run(args: &Args) -> ExitCode {
    let usual = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() { usual.as_slice() } else { args.paths.as_slice() };
    let mut files = Vec::new();
    paths.iter().for_each(|path| find(path, &mut files));
    match report(&files, &args.filter) {
        Ok(code) => code,
        // Nobody reads any more.
        Err(_) => ExitCode::from(2),
    }
}

fn report(files: &[PathBuf], filter: &str) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let ink = if out.is_terminal() { Ink::Colour } else { Ink::Plain };
    let (mut passed, mut failed, mut unusable) = (0, 0, 0);
    for file in files {
        let suite = match Suite::read(file, ink) {
            Ok(suite) => suite,
            Err(report) => {
                unusable += 1;
                write!(out, "{report}")?;
                continue;
            }
        };
        for outcome in suite.names().filter(|name| name.contains(filter)).filter_map(|name| suite.play(name)) {
            if outcome.failures.is_empty() {
                passed += 1;
            } else {
                failed += 1;
                show(&mut out, &suite.path, &outcome)?;
            }
        }
    }
    if passed + failed + unusable == 0 {
        writeln!(out, "there is no test here; tests are in files named `*.test.yaml`")?;
    } else {
        writeln!(out, "{passed} passed, {failed} failed")?;
    }
    Ok(match (unusable, failed, passed) {
        (0, 0, 1..) => ExitCode::SUCCESS,
        (0, 1.., _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}

fn show(out: &mut impl Write, path: &Path, outcome: &Outcome) -> io::Result<()> {
    writeln!(out, "{}: {}: FAILED", path.display(), outcome.name)?;
    for failure in &outcome.failures {
        writeln!(out, "  {}", failure.field)?;
        writeln!(out, "    expected  {}", failure.expected)?;
        writeln!(out, "    found     {}", failure.found)?;
    }
    for line in &outcome.trail {
        writeln!(out, "  | {line}")?;
    }
    writeln!(out)
}

/// Test files at a path: the file itself, or all in a folder and below.
fn find(path: &Path, files: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        return files.push(path.to_owned());
    }
    let mut entries: Vec<_> = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if entry.path().is_dir() && !is_link && !name.starts_with('.') && name != "target" {
            find(&entry.path(), files);
        } else if name.ends_with(".test.yaml") || name.ends_with(".test.yml") {
            files.push(entry.path());
        }
    }
}
