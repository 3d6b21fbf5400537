//! The command line.

mod admin;
pub mod cache;
pub mod check;
pub mod demo;
pub mod embedder;
pub mod explain;
pub mod key;
pub mod ledger;
pub mod plugin;
pub mod redact;
pub mod schema;
pub mod serve;
mod table;
pub mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::rehearsal::golden;
use crate::steps::plugin::trial;

/// A policy-driven gateway for large-language-model traffic.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(serve::ServeArgs),
    /// Run the whole thing on this machine with a simulated provider; needs no key
    Demo(demo::DemoArgs),
    /// Check policy files without running them
    Check(check::Args),
    /// Run the tests of policies
    Test(test::Args),
    /// Run a policy's redaction over files, or over standard input
    Redact(redact::Args),
    /// Print the JSON Schema of the policy files, for editors
    Schema(schema::Args),
    /// Explain a problem by its code, a type of finding, what became of a request, or what would
    Explain(explain::Args),
    /// Make, list and revoke the virtual keys of callers
    Key(key::KeyArgs),
    Ledger(ledger::Args),
    Cache(cache::Args),
    Embedder(embedder::Args),
    Plugin(plugin::Args),
}

/// Runs the command line.
///
/// Exit codes: 0 all is well; 1 the files have errors, or the ledger has; 2 wrong usage, or a file that cannot be read or
/// written; 3 the port is taken; 4 requests were cut off because draining took too long.
pub fn run() -> ExitCode {
    trial::play_with(golden::trial);
    match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Check(args) => check::run(args),
        Command::Test(args) => test::run(&args),
        Command::Redact(args) => redact::run(&args),
        Command::Schema(args) => schema::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Cache(args) => cache::run(&args),
        Command::Embedder(args) => embedder::run(&args),
        Command::Ledger(args) => ledger::run(&args),
        Command::Plugin(args) => plugin::run(&args),
        Command::Key(args) => match key::run(args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("error: {message}");
                ExitCode::from(2)
            }
        },
    }
}
