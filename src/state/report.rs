//! What was spent, summed from the lines of the bill by what they name.
//!
//! Sums are exact, in nano-USD. What a line does not name it is summed under `None` of.
//!
//! A hold that was booked in full for want of word has no line, and so is in no row: a [`Report`] counts it apart.
//! Which requests were seen is kept in memory, so a report of many millions of requests takes its gigabyte.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::ids::RequestId;
use crate::state::claim::HoldId;
use crate::state::line::{CostLine, Mark};
use crate::state::read::{self, Period};
use crate::state::record::Entry;
use crate::state::trouble::Trouble;

/// What a report has rows for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Team,
    User,
    Key,
    Policy,
    Model,
    Target,
    Provider,
    Day,
    Month,
}

/// What a report is asked for: one row for each combination of `by` in the period, with days and months as they
/// are in `zone`.
#[derive(Debug, Clone)]
pub struct Question {
    pub by: Vec<By>,
    pub period: Period,
    pub zone: TimeZone,
}

/// The answer to a [`Question`].
#[derive(Debug, Default)]
pub struct Report {
    /// By what each line names, in the order that was asked for.
    pub rows: BTreeMap<Vec<Option<String>>, Row>,
    pub total: Row,
    pub assumed: Assumed,
}

/// A sum of lines.
#[derive(Debug, Default)]
pub struct Row {
    requests: HashSet<RequestId>,
    /// One for each attempt that cost something or might have.
    pub lines: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Nano-USD.
    pub cost: i128,
    /// The part of the cost, in nano-USD, that nobody reported: it was counted or assumed here.
    pub estimated: i128,
    /// Lines without a price. Nothing of them is in the cost.
    pub unpriced: u64,
}

/// Holds that nobody has given word of since they were booked in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assumed {
    pub holds: u64,
    /// Nano-USD: of each hold, what the budget that set aside the most counts.
    pub cost: i128,
}

/// Sums up the log of a folder of books.
///
/// # Errors
/// When there is none, or it cannot be read to its end.
pub fn report(folder: &Path, question: &Question) -> Result<Report, Trouble> {
    let mut report = Report::default();
    let mut lapsed: HashMap<HoldId, (Timestamp, i128)> = HashMap::new();
    for record in read::records(folder)? {
        match record?.entry {
            Entry::Reserved { .. } => {}
            Entry::Lapsed { hold, at, booked } => {
                let most = booked.iter().map(|booking| i128::from(booking.amount.0)).max();
                lapsed.insert(hold, (at, most.unwrap_or_default()));
            }
            Entry::Settled { hold, lines, .. } => {
                lapsed.remove(&hold);
                lines.iter().filter(|line| question.period.has(line.at)).for_each(|line| report.add(question, line));
            }
        }
    }
    for (_, cost) in lapsed.into_values().filter(|(at, _)| question.period.has(*at)) {
        report.assumed.holds += 1;
        report.assumed.cost += cost;
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, question: &Question, line: &CostLine) {
        let names = question.by.iter().map(|by| by.of(line, &question.zone)).collect();
        self.rows.entry(names).or_default().add(line);
        self.total.add(line);
    }
}

impl By {
    pub const ALL: &[Self] = &[
        Self::Team,
        Self::User,
        Self::Key,
        Self::Policy,
        Self::Model,
        Self::Target,
        Self::Provider,
        Self::Day,
        Self::Month,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::User => "user",
            Self::Key => "key",
            Self::Policy => "policy",
            Self::Model => "model",
            Self::Target => "target",
            Self::Provider => "provider",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    fn of(self, line: &CostLine, zone: &TimeZone) -> Option<String> {
        let date = |format: &str| Some(line.at.to_zoned(zone.clone()).strftime(format).to_string());
        let name = match self {
            Self::Team => line.team.as_deref(),
            Self::User => line.user.as_deref(),
            Self::Key => line.key.as_ref().map(|key| key.as_str()),
            Self::Policy => line.policy.as_ref().map(|policy| policy.as_str()),
            Self::Model => Some(&*line.model),
            Self::Target => line.target.as_ref().map(|target| target.as_str()),
            Self::Provider => line.provider.as_ref().map(|provider| provider.as_str()),
            Self::Day => return date("%Y-%m-%d"),
            Self::Month => return date("%Y-%m"),
        };
        name.map(str::to_owned)
    }
}

impl Row {
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    fn add(&mut self, line: &CostLine) {
        let has = |mark| line.marks.contains(&mark);
        let cost = i128::from(line.cost.0);
        self.requests.insert(line.request);
        self.lines += 1;
        self.input_tokens = self.input_tokens.saturating_add(line.usage.input());
        self.output_tokens = self.output_tokens.saturating_add(line.usage.output());
        self.cost += cost;
        self.estimated += if has(Mark::Estimated) || has(Mark::Assumed) { cost } else { 0 };
        self.unpriced += u64::from(has(Mark::Unpriced));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::contract::{claim, hold, leg, line, noon};
    use crate::state::tests::open;
    use crate::state::{Ledger, Settlement};

    fn asked(by: &[By]) -> Question {
        Question { by: by.to_vec(), period: Period::EVER, zone: TimeZone::UTC }
    }

    /// Books of lines that no budget covers.
    fn books(lines: impl IntoIterator<Item = CostLine>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        for line in lines {
            let hold = HoldId { request: line.request, attempt: line.attempt };
            ledger.settle(Settlement { hold, at: line.at, lines: vec![line] });
        }
        ledger.close();
        folder
    }

    fn named(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn attempts_of_one_request_are_lines_of_it() {
        let first = hold();
        let second = HoldId { attempt: 1, ..first };
        let other = CostLine { team: None, ..line(hold(), 5) };
        let report = report(books([line(first, 1), line(second, 2), other]).path(), &asked(&[By::Team])).unwrap();
        let search = &report.rows[&vec![named("search")]];
        assert_eq!((search.requests(), search.lines, search.cost), (1, 2, 3));
        assert_eq!((search.input_tokens, search.output_tokens), (24, 6));
        assert_eq!(report.rows[&vec![None]].cost, 5);
        assert_eq!((report.total.requests(), report.total.cost), (2, 8));
    }

    #[test]
    fn a_period_has_its_beginning_and_not_its_end() {
        let at = |hours| CostLine { at: noon(hours), ..line(hold(), 1 << hours) };
        let folder = books([at(0), at(1), at(2)]);
        let period = Period { since: noon(1), until: noon(2) };
        let report = report(folder.path(), &Question { period, ..asked(&[]) }).unwrap();
        assert_eq!(report.total.cost, 2);
    }

    #[test]
    fn a_day_is_that_of_the_zone() {
        let late = CostLine { at: "2026-03-31T22:30:00Z".parse().unwrap(), ..line(hold(), 1) };
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let question = Question { zone, ..asked(&[By::Month, By::Day]) };
        let report = report(books([late]).path(), &question).unwrap();
        assert_eq!(report.rows.keys().next(), Some(&vec![named("2026-04"), named("2026-04-01")]));
    }

    #[test]
    fn what_was_not_reported_and_what_had_no_price_is_told_apart() {
        let marked = |mark, cost| CostLine { marks: vec![mark, Mark::Cut], ..line(hold(), cost) };
        let lines = [line(hold(), 1), marked(Mark::Estimated, 2), marked(Mark::Assumed, 4), marked(Mark::Unpriced, 0)];
        let total = report(books(lines).path(), &asked(&[])).unwrap().total;
        assert_eq!((total.cost, total.estimated, total.unpriced), (7, 6, 1));
    }

    #[test]
    fn sums_do_not_end_where_amounts_do() {
        let lines = [line(hold(), i64::MAX), line(hold(), i64::MAX)];
        assert_eq!(report(books(lines).path(), &asked(&[])).unwrap().total.cost, 2 * i128::from(i64::MAX));
    }

    #[tokio::test]
    async fn a_hold_without_word_is_no_line_and_is_counted_apart_until_word_comes() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let (silent, late) = (hold(), hold());
        ledger.reserve(claim(silent, [leg("a", 1000, 10), leg("b", 1000, 30)])).await.unwrap();
        ledger.reserve(claim(late, [leg("a", 1000, 10)])).await.unwrap();
        ledger.lapse(noon(1));
        ledger.settle(Settlement { hold: late, at: noon(2), lines: vec![line(late, 4)] });
        ledger.close();
        let report = report(folder.path(), &asked(&[])).unwrap();
        assert_eq!((report.total.cost, report.assumed), (4, Assumed { holds: 1, cost: 30 }));
    }
}
