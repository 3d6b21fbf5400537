//! `tidegate ledger export`: the lines of the bill, for other programs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Verdict;
use super::cells;
use super::complaint::{Complaint, Failure};
use super::period::PeriodArgs;
use crate::state::read;
use crate::state::{CostLine, Trouble};

/// Write the lines of the bill, one for each attempt, for spreadsheets and other programs.
///
/// They come in the order in which they were booked. In CSV (RFC 4180), costs are US dollars, and text that a
/// spreadsheet would take for a formula begins with a `'`. As JSON they are as in the ledger, with costs in nano-dollars.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("format").required(true))]
pub struct Args {
    /// As CSV with a head, into a file or, with `-` or nothing, to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", group = "format")]
    csv: Option<PathBuf>,
    /// As JSON, one object a line
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", group = "format")]
    jsonl: Option<PathBuf>,
    #[command(flatten)]
    period: PeriodArgs,
}

impl Args {
    pub fn perform(&self, folder: &Path, out: &mut dyn Write) -> Result<Verdict, Failure> {
        // Before a file is made or overwritten.
        let lines = read::lines(folder, self.period.period()?)?;
        if let Some(path) = &self.csv {
            to(path, out, |out| csv(lines, out))?;
        } else if let Some(path) = &self.jsonl {
            to(path, out, |out| jsonl(lines, out))?;
        }
        Ok(Verdict::Sound)
    }
}

/// Writes to a file, or to `out` if it is `-`.
fn to(
    path: &Path,
    out: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if path.as_os_str() == "-" {
        return write(out).map_err(|failure| incomplete(failure, "standard output"));
    }
    let shown = path.display().to_string();
    let unusable = |error: io::Error| Complaint {
        what: format!("it cannot be written: {error}"),
        place: Some(shown.clone()),
        help: "name a file in a folder that is there and may be written to".to_owned(),
    };
    let mut file = BufWriter::new(File::create(path).map_err(unusable)?);
    let written = write(&mut file).and_then(|()| Ok(file.flush()?));
    written.map_err(|failure| match failure {
        Failure::Unwritten(error) => unusable(error).into(),
        other => incomplete(other, &shown),
    })
}

/// Says that what is there ends where the damage is.
fn incomplete(failure: Failure, place: &str) -> Failure {
    match failure {
        Failure::Damaged(mut complaint) => {
            complaint.help = format!("{}; {place} has only what comes before", complaint.help);
            Failure::Damaged(complaint)
        }
        other => other,
    }
}

type Line = Result<CostLine, Trouble>;

fn csv(lines: impl Iterator<Item = Line>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    table.write_record(cells::heads()).map_err(unwritten)?;
    for line in lines {
        table.write_record(cells::of(&line?)).map_err(unwritten)?;
    }
    Ok(table.flush()?)
}

/// The error beneath, whose kind tells whether anybody still reads.
fn unwritten(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn jsonl(lines: impl Iterator<Item = Line>, out: &mut dyn Write) -> Result<(), Failure> {
    for line in lines {
        serde_json::to_writer(&mut *out, &line?).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
