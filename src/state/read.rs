//! Reading the log of a folder from its beginning: for reports, and for whoever does not believe the sums.
//!
//! Only reads, takes no lock, and may be done while a gateway writes: what it is just writing is left out.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::base::ids::AccountId;
use crate::state::line::{CostLine, Mark};
use crate::state::record::{Entry, Record};
use crate::state::segment::{self, Next, Segment};
use crate::state::slot::Slot;
use crate::state::trouble::Trouble;

/// All records of a folder of books, in order. Ends after the first error.
///
/// # Errors
/// When there is no log.
pub fn records(folder: &Path) -> Result<Records, Trouble> {
    let folder = folder.join("ledger");
    let numbers = segment::numbers(&folder)?.into();
    Ok(Records { folder, numbers, segment: None, next: 1, is_over: false })
}

/// See [`records`].
pub struct Records {
    folder: PathBuf,
    numbers: VecDeque<u32>,
    segment: Option<Segment>,
    /// The number of the record that comes next.
    next: u64,
    is_over: bool,
}

impl Iterator for Records {
    type Item = Result<Record, Trouble>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let step = self.step().transpose();
        self.is_over = !matches!(step, Some(Ok(_)));
        step
    }
}

impl Records {
    fn step(&mut self) -> Result<Option<Record>, Trouble> {
        loop {
            let Some(segment) = &mut self.segment else {
                let Some(number) = self.numbers.pop_front() else { return Ok(None) };
                self.open(number)?;
                continue;
            };
            match segment.next(self.next)? {
                Next::Record(placed) => {
                    self.next += 1;
                    return Ok(Some(placed.record));
                }
                Next::Torn(at) if !self.numbers.is_empty() => {
                    return Err(Trouble::torn_inside(&segment.path, at));
                }
                Next::End | Next::Torn(_) => self.segment = None,
            }
        }
    }

    fn open(&mut self, number: u32) -> Result<(), Trouble> {
        let Some((segment, first)) = Segment::read(&self.folder, number)? else {
            let path = segment::path(&self.folder, number);
            return if self.numbers.is_empty() { Ok(()) } else { Err(Trouble::damaged(&path, 0, "it has no header")) };
        };
        if first != self.next {
            let missing = segment::path(&self.folder, number.saturating_sub(1).max(1));
            return Err(Trouble::Missing { path: missing });
        }
        self.segment = Some(segment);
        Ok(())
    }
}

/// What was spent, by account and slot, summed from the log alone.
///
/// # Errors
/// When the log cannot be read to its end.
pub fn spent(folder: &Path) -> Result<BTreeMap<(AccountId, Slot), i128>, Trouble> {
    let mut spent = BTreeMap::new();
    for record in records(folder)? {
        for booking in record?.entry.booked() {
            *spent.entry((booking.account.clone(), booking.slot)).or_default() += i128::from(booking.amount.0);
        }
    }
    spent.retain(|_, spent| *spent != 0);
    Ok(spent)
}

/// What a report has a row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Key,
    Team,
    User,
    Policy,
    Model,
    Target,
    Provider,
}

/// A row of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub lines: u64,
    /// Nano-USD.
    pub cost: i128,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Lines whose cost is not certain: estimated, unpriced or assumed.
    pub uncertain: u64,
}

/// Sums the lines from `since` until before `until`, by what they name; those that do not name it are under
/// the empty name.
///
/// # Errors
/// When the log cannot be read to its end.
pub fn report(folder: &Path, by: By, since: Timestamp, until: Timestamp) -> Result<BTreeMap<String, Row>, Trouble> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for record in records(folder)? {
        let Entry::Settled { lines, .. } = record?.entry else { continue };
        for line in lines.iter().filter(|line| since <= line.at && line.at < until) {
            rows.entry(by.name(line).to_owned()).or_default().add(line);
        }
    }
    Ok(rows)
}

impl By {
    fn name(self, line: &CostLine) -> &str {
        let name = match self {
            Self::Key => line.key.as_ref().map(|key| key.as_str()),
            Self::Team => line.team.as_deref(),
            Self::User => line.user.as_deref(),
            Self::Policy => line.policy.as_ref().map(|policy| policy.as_str()),
            Self::Model => Some(&*line.model),
            Self::Target => line.target.as_ref().map(|target| target.as_str()),
            Self::Provider => line.provider.as_ref().map(|provider| provider.as_str()),
        };
        name.unwrap_or_default()
    }
}

impl Row {
    fn add(&mut self, line: &CostLine) {
        let is_uncertain = |mark: &Mark| matches!(mark, Mark::Estimated | Mark::Unpriced | Mark::Assumed);
        self.lines += 1;
        self.cost += i128::from(line.cost.0);
        self.input_tokens = self.input_tokens.saturating_add(line.usage.input());
        self.output_tokens = self.output_tokens.saturating_add(line.usage.output());
        self.uncertain += u64::from(line.marks.iter().any(is_uncertain));
    }
}
