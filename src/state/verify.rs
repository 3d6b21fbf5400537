//! Checking a log from end to end: every checksum, every number, and that each hold ends once.
//!
//! Only looks. Unlike a start, which needs no more than the newest records, it reads everything, and it goes
//! on behind damage to tell how much there is.

use std::collections::HashMap;
use std::path::Path;

use crate::state::claim::HoldId;
use crate::state::record::Entry;
use crate::state::segment::{self, Next, Segment};
use crate::state::trouble::Trouble;

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub segments: usize,
    pub records: u64,
    /// Requests under way, or cut off by a crash.
    pub open: usize,
    /// Holds booked in full, for want of word of them.
    pub assumed: usize,
    /// Bytes at the very end that are no record: a crash left them, or a gateway is just writing them.
    pub torn: Option<u64>,
    /// In the order of the log. None: all is well.
    pub faults: Vec<Trouble>,
}

/// Checks the log of a folder of books.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn verify(folder: &Path) -> Result<Report, Trouble> {
    let folder = folder.join("ledger");
    let numbers = segment::numbers(&folder)?;
    let mut check = Check { next: 1, ..Check::default() };
    for number in 1..=numbers.last().copied().unwrap_or_default() {
        if numbers.contains(&number) {
            check.segment(&folder, number, Some(&number) == numbers.last())?;
        } else {
            check.report.faults.push(Trouble::Missing { path: segment::path(&folder, number) });
        }
    }
    check.report.segments = numbers.len();
    check.report.open = check.holds.values().filter(|state| **state == State::Open).count();
    check.report.assumed = check.holds.values().filter(|state| **state == State::Assumed).count();
    Ok(check.report)
}

#[derive(Default)]
struct Check {
    report: Report,
    next: u64,
    /// Those that are settled are forgotten, or a long log would not fit into memory.
    holds: HashMap<HoldId, State>,
}

#[derive(PartialEq)]
enum State {
    Open,
    Assumed,
}

impl Check {
    fn segment(&mut self, folder: &Path, number: u32, is_last: bool) -> Result<(), Trouble> {
        let path = segment::path(folder, number);
        let opened = match Segment::read(folder, number) {
            Err(fault @ Trouble::Damaged { .. }) => {
                self.report.faults.push(fault);
                return Ok(());
            }
            opened => opened?,
        };
        let Some((mut segment, first)) = opened else {
            if !is_last {
                self.report.faults.push(Trouble::damaged(&path, 0, "it has no header"));
            }
            return Ok(());
        };
        if first != self.next {
            let why = format!("it begins with record {first}, and record {} should come next", self.next);
            self.report.faults.push(Trouble::damaged(&path, 0, why));
            self.next = first;
        }
        self.frames(&mut segment, is_last);
        Ok(())
    }

    fn frames(&mut self, segment: &mut Segment, is_last: bool) {
        loop {
            match segment.next(self.next) {
                Ok(Next::Record(placed)) => {
                    self.next += 1;
                    self.report.records += 1;
                    if let Err(why) = self.entry(&placed.record.entry) {
                        let fault = Trouble::Damaged { path: segment.path.clone(), offset: placed.began, why };
                        self.report.faults.push(fault);
                    }
                }
                Ok(Next::Torn(at)) if is_last => {
                    self.report.torn = Some(at);
                    return;
                }
                Ok(Next::Torn(at)) => {
                    self.report.faults.push(Trouble::torn_inside(&segment.path, at));
                    return;
                }
                Ok(Next::End) => return,
                Err(fault) => {
                    self.report.faults.push(fault);
                    let Some(n) = segment.skip() else { return };
                    self.next = n;
                }
            }
        }
    }

    /// Whether a fact can follow those before it.
    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        let hold = entry.hold();
        match entry {
            Entry::Reserved { .. } => match self.holds.insert(hold, State::Open) {
                None => Ok(()),
                Some(_) => Err(format!("hold `{hold}` is reserved a second time")),
            },
            Entry::Lapsed { .. } => match self.holds.insert(hold, State::Assumed) {
                Some(State::Open) => Ok(()),
                _ => Err(format!("hold `{hold}` lapses, and is not open")),
            },
            Entry::Settled { booked, .. } => match self.holds.remove(&hold) {
                None if !booked.is_empty() => Err(format!("hold `{hold}` is settled, and is not open")),
                _ => Ok(()),
            },
        }
    }
}
