//! `tidegate ledger verify`: is every record there, and whole?

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::complaint::{Complaint, Failure};
use super::{Verdict, is_closed};
use crate::state::Trouble;
use crate::state::verify::{self, Report};

/// Check every checksum and number, and that each hold ends once.
///
/// Reads all segments, and goes on behind damage. Exits with 0 if the ledger is sound, with 1 if it has faults, with 2
/// if it cannot be read. A torn tail is no fault: a crash has left it, and it is cut off at the next start, or a gateway
/// is just writing it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn perform(&self, folder: &Path, out: &mut dyn Write, aside: &mut dyn Write) -> Result<Verdict, Failure> {
        let report = verify::verify(folder)?;
        let told = match self.json {
            true => writeln!(out, "{:#}", as_json(&report)),
            false => show(&report, out, aside),
        };
        match told {
            // The verdict holds whether or not anybody reads to the end.
            Err(error) if !is_closed(&error) => return Err(error.into()),
            _ => {}
        }
        Ok(if report.faults.is_empty() { Verdict::Sound } else { Verdict::Damaged })
    }
}

fn show(report: &Report, out: &mut dyn Write, aside: &mut dyn Write) -> io::Result<()> {
    for fault in &report.faults {
        writeln!(aside, "{}", Complaint::from(fault))?;
    }
    writeln!(out, "segments    {}", report.segments)?;
    writeln!(out, "records     {}", report.records)?;
    writeln!(out, "open holds  {}", note(report.open, "requests under way, or cut off by a crash"))?;
    writeln!(out, "assumed     {}", note(report.assumed, "holds booked in full, for want of word of them"))?;
    match report.torn {
        None => writeln!(out, "torn tail   none")?,
        Some(offset) => writeln!(out, "torn tail   from byte {offset} of the last segment on; this is no fault")?,
    }
    match report.faults.len() {
        0 => writeln!(out, "the ledger is sound"),
        1 => writeln!(out, "the ledger is damaged: 1 fault"),
        faults => writeln!(out, "the ledger is damaged: {faults} faults"),
    }
}

fn note(count: usize, what: &str) -> String {
    if count == 0 { "0".to_owned() } else { format!("{count} ({what})") }
}

fn as_json(report: &Report) -> Value {
    json!({
        "ok": report.faults.is_empty(),
        "segments": report.segments,
        "records": report.records,
        "open_holds": report.open,
        "assumed": report.assumed,
        "torn_tail": report.torn,
        "faults": report.faults.iter().map(fault_as_json).collect::<Vec<_>>(),
    })
}

fn fault_as_json(fault: &Trouble) -> Value {
    let (path, offset) = match fault {
        Trouble::Damaged { path, offset, .. } => (path, Some(offset)),
        Trouble::Folder { path, .. }
        | Trouble::Locked { path }
        | Trouble::Io { path, .. }
        | Trouble::Newer { path, .. }
        | Trouble::Missing { path } => (path, None),
    };
    let complaint = Complaint::from(fault);
    json!({
        "segment": path.display().to_string(),
        "offset": offset,
        "message": complaint.what,
        "help": complaint.help,
    })
}
