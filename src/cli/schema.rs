//! `tidegate schema`: the JSON Schema of the files, for editors.

use std::io::Write as _;
use std::process::ExitCode;

use crate::policy::schema;

/// Print the JSON Schema of the configuration files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the schema of policy files instead of gateway files
    #[arg(long)]
    policy: bool,
}

pub fn run(args: Args) -> ExitCode {
    let schema = if args.policy { schema::policy() } else { schema::gateway() };
    match writeln!(std::io::stdout().lock(), "{schema:#}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}
