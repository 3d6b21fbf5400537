//! `tidegate plugin`: what the author of a plugin needs, from an empty folder to a policy.

mod build;
mod inspect;
mod kit;
mod new;
mod pin;
mod project;
mod run;
mod test;

use std::process::ExitCode;

use clap::Subcommand;

/// Make, build, test and look at Wasm plugins
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Args),
    Build(build::Args),
    Test(test::Args),
    Inspect(inspect::Args),
    Run(run::Args),
    Pin(pin::Args),
}

/// Runs a command.
///
/// Exit codes: 0 all is well; 1 the plugin, or a test of it, is not; 2 wrong usage, or something is missing on this machine.
pub fn run(args: &Args) -> ExitCode {
    let done = match &args.command {
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args),
        Command::Test(args) => test::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Run(args) => run::run(args),
        Command::Pin(args) => pin::run(args),
    };
    done.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::from(2)
    })
}
