//! `tidegate test`: run the tests of policies.

mod json;
mod junit;
mod report;
pub(super) mod show;
mod watch;

use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::Report;

use crate::policy::Ink;
use crate::rehearsal::{Coverage, Mutants, Order, Run};

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
    /// Show what of the configurations no test has reached: policies, steps, conditions, routes, fallbacks
    #[arg(long)]
    coverage: bool,
    /// Change each setting of the configurations in turn, and show the changes that no test notices; a line with a
    /// comment `# untested: WHY` is excused
    #[arg(long)]
    mutants: bool,
    /// Print the results, and the rest that was asked for, as JSON
    #[arg(long)]
    json: bool,
    /// Write the results to a file as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Run again whenever a test or a configuration changes
    #[arg(long)]
    watch: bool,
    /// Run in random order, or in the one that this number gave before
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "")]
    shuffle: Option<String>,
    /// How many tests run at a time [default: the number of cores]
    #[arg(short = 'j', long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,
}

pub fn run(args: &Args) -> ExitCode {
    let order = match args.shuffle.as_deref().map(seed) {
        None => Order::Written,
        Some(Ok(seed)) => Order::Shuffled(seed),
        Some(Err(message)) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let run = Run { filter: args.filter.clone(), order, threads };
    if args.watch {
        return watch::run(args, &run);
    }
    once(args, &run).0
}

fn seed(written: &str) -> Result<u64, String> {
    match written {
        "" => Ok(fastrand::u64(..1_000_000)),
        number => number.parse().map_err(|_| format!("`{number}` is not a number to shuffle by")),
    }
}

/// Runs the tests once. Also gives the files that decided on the outcome.
fn once(args: &Args, run: &Run) -> (ExitCode, Vec<PathBuf>) {
    let report = Report::make(&test_files(args), run, ink());
    let code = match tell(args, run, &report) {
        Ok(()) => report.exit_code(),
        Err(error) => {
            // If it is that nobody reads any more, nobody reads this either.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    };
    (code, report.files())
}

fn tell(args: &Args, run: &Run, report: &Report) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let more = More {
        coverage: args.coverage.then(|| report.coverage()),
        mutants: args.mutants.then(|| report.mutants(run.threads)),
    };
    let told = match args.json {
        true => writeln!(out, "{:#}", json::of(report, run.order, &more)),
        false => show::report(&mut out, report, run.order, ink()).and_then(|()| show::more(&mut out, &more)),
    };
    told.map_err(|error| format!("the results cannot be printed: {error}"))?;
    match &args.junit {
        Some(path) => junit::write(report, path).map_err(|error| format!("cannot write `{}`: {error}", path.display())),
        None => Ok(()),
    }
}

/// What is told besides how each test came out, if it was asked for.
pub(super) struct More {
    coverage: Option<Vec<Coverage>>,
    mutants: Option<Vec<Mutants>>,
}

fn ink() -> Ink {
    if io::stdout().is_terminal() { Ink::Colour } else { Ink::Plain }
}

fn test_files(args: &Args) -> Vec<PathBuf> {
    let usual = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() { usual.as_slice() } else { args.paths.as_slice() };
    let mut files = Vec::new();
    paths.iter().for_each(|path| find(path, &mut files));
    files
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
