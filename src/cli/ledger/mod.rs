//! `tidegate ledger`: reading the books of what was spent.
//!
//! It only reads and takes no lock, so it may be used while a gateway writes; what that is just writing is left out.
//! Amounts are whole nano-USD from the log to the page; none is ever a float.
//!
//! It answers from the log alone, and never from the sums that are kept beside it.

mod cells;
mod complaint;
mod export;
mod period;
mod recost;
mod reprice;
mod sum;
#[cfg(test)]
mod tests;
mod usd;
mod verify;

pub use usd::usd;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use complaint::Failure;

/// Read the books of what was spent: check them, sum them up, export them, price them anew.
///
/// Nothing is ever changed, and a gateway may be writing meanwhile. Exits with 0 if all is well, with 1 if the ledger
/// is damaged, with 2 if it cannot be read or the command was wrong.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The folder of the books, as in `state: { dir: … }`
    #[arg(long, value_name = "FOLDER", default_value = ".tidegate", global = true)]
    dir: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Verify(verify::Args),
    Sum(sum::Args),
    Export(export::Args),
    Recost(recost::Args),
}

/// What a command came to that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Sound,
    Damaged,
}

pub fn run(args: &Args) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    args.perform(&mut out, &mut io::stderr().lock())
}

impl Args {
    /// Results go to `out`, so that they can be piped; what is wrong goes to `aside`.
    fn perform(&self, out: &mut dyn Write, aside: &mut dyn Write) -> ExitCode {
        match self.answer(out, aside) {
            Ok(Verdict::Sound) => ExitCode::SUCCESS,
            Ok(Verdict::Damaged) => ExitCode::from(1),
            Err(Failure::Unwritten(error)) if is_closed(&error) => ExitCode::SUCCESS,
            Err(failure) => {
                // If this cannot be written either, the exit code is all there is to say.
                let _ = failure.complaints().iter().try_for_each(|complaint| write!(aside, "{complaint}"));
                failure.exit_code()
            }
        }
    }

    fn answer(&self, out: &mut dyn Write, aside: &mut dyn Write) -> Result<Verdict, Failure> {
        let verdict = match &self.action {
            Action::Verify(args) => args.perform(&self.dir, out, aside),
            Action::Sum(args) => args.perform(&self.dir, out),
            Action::Export(args) => args.perform(&self.dir, out),
            Action::Recost(args) => args.perform(&self.dir, out),
        }?;
        match out.flush() {
            Err(error) if !is_closed(&error) => Err(error.into()),
            _ => Ok(verdict),
        }
    }
}

/// Whether it is only that whoever reads has seen enough: `tidegate ledger export --csv | head`.
fn is_closed(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
