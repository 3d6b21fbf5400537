//! `tidegate cache`: what the answers that are kept come to, and whether questions in other words may share one.

mod day;
mod door;
mod eval;
mod forget;
mod pairs;
mod sight;
mod stats;
mod tally;

use std::process::ExitCode;

/// Look into the answers that are kept, and into when questions share one
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Stats(stats::Args),
    Forget(forget::Args),
    Eval(eval::Args),
    Day(day::Args),
}

pub fn run(args: &Args) -> ExitCode {
    let done = match &args.action {
        Action::Stats(args) => args.perform().map(|()| ExitCode::SUCCESS),
        Action::Forget(args) => args.perform().map(|()| ExitCode::SUCCESS),
        Action::Eval(args) => args.perform().map(|()| ExitCode::SUCCESS),
        Action::Day(args) => args.perform(),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
