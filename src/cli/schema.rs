//! `tidegate schema`: the JSON Schema of the files, for editors.

use std::io::Write as _;
use std::process::ExitCode;

use crate::policy::schema;
use crate::rehearsal;

/// Print the JSON Schema of the configuration files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the schema of policy files instead of gateway files
    #[arg(long)]
    policy: bool,
    /// Print the schema of test files
    #[arg(long, conflicts_with = "policy")]
    tests: bool,
    /// Print the schema of the cases of plugins
    #[arg(long, conflicts_with_all = ["policy", "tests"])]
    cases: bool,
}

pub fn run(args: Args) -> ExitCode {
    let schema = match args {
        Args { cases: true, .. } => rehearsal::golden::schema(),
        Args { tests: true, .. } => rehearsal::schema(),
        Args { policy: true, .. } => schema::policy(),
        Args { .. } => schema::gateway(),
    };
    match writeln!(std::io::stdout().lock(), "{schema:#}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}
