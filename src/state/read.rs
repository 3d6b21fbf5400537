//! Reading the log of a folder from its beginning: for [reports](super::report), and for whoever does not believe the sums.
//!
//! Only reads, takes no lock, and may be done while a gateway writes: what it is just writing is left out.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::base::ids::AccountId;
use crate::state::line::CostLine;
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

/// A span of time: from its beginning until before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub since: Timestamp,
    pub until: Timestamp,
}

impl Period {
    pub const EVER: Self = Self { since: Timestamp::MIN, until: Timestamp::MAX };

    pub fn has(&self, time: Timestamp) -> bool {
        self.since <= time && time < self.until
    }
}

/// The lines of the bill whose time is in `period`, in the order they were written. Ends after the first error.
///
/// # Errors
/// When there is no log.
pub fn lines(
    folder: &Path,
    period: Period,
) -> Result<impl Iterator<Item = Result<CostLine, Trouble>> + use<>, Trouble> {
    let of_record = |record: Result<Record, Trouble>| match record.map(|record| record.entry) {
        Ok(Entry::Settled { lines, .. }) => lines.into_iter().map(Ok).collect(),
        Ok(_) => Vec::new(),
        Err(trouble) => vec![Err(trouble)],
    };
    let is_asked_for = move |line: &Result<CostLine, Trouble>| line.as_ref().map_or(true, |line| period.has(line.at));
    Ok(records(folder)?.flat_map(of_record).filter(is_asked_for))
}
