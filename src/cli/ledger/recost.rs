//! `tidegate ledger recost`: what requests would have cost by the prices known now.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Verdict;
use super::complaint::{Complaint, Failure};
use super::period::PeriodArgs;
use super::reprice::{Unknown, reprice};
use super::usd::{difference, usd};
use crate::cli::table::{Align, Table};
use crate::pricing::{Mistake, PriceList};
use crate::state::CostLine;
use crate::state::read;

/// Price the lines of the bill anew, and show the differences.
///
/// For when a price was wrong: what was booked stands beside what the same usage costs by the prices that come with this
/// version, with price files over them. Nothing is changed. Each attempt is priced as on its day, by the row that it names; what
/// cannot be priced again is listed with the reason. Discounts and prices in a gateway file are not known here, and
/// show as a difference.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Price files, each laid over those before it
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<PathBuf>,
    #[command(flatten)]
    period: PeriodArgs,
}

/// What was booked, and what it comes to now.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    attempts: u64,
    booked: i128,
    now: i128,
}

#[derive(Debug, Default)]
struct Recost {
    models: BTreeMap<Arc<str>, Change>,
    total: Change,
    /// What could not be priced again, by model; of these there is no `now`.
    left: BTreeMap<(Arc<str>, Unknown), Change>,
}

impl Args {
    pub fn perform(&self, folder: &Path, out: &mut dyn Write) -> Result<Verdict, Failure> {
        let list = price_list(&self.prices)?;
        let mut recost = Recost::default();
        for line in read::lines(folder, self.period.period()?)? {
            recost.add(&list, &line?);
        }
        recost.show(out)?;
        Ok(Verdict::Sound)
    }
}

/// The list of this version with files over it.
fn price_list(files: &[PathBuf]) -> Result<PriceList, Failure> {
    let mut list = PriceList::embedded().clone();
    let mut complaints = Vec::new();
    for path in files {
        match read_prices(path) {
            Ok(over) => list = list.overlay(over),
            Err(wrong) => complaints.extend(wrong),
        }
    }
    if complaints.is_empty() { Ok(list) } else { Err(Failure::Unusable(complaints)) }
}

fn read_prices(path: &Path) -> Result<PriceList, Vec<Complaint>> {
    let file = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        let what = format!("the prices cannot be read: {error}");
        vec![Complaint { what, place: Some(file.to_string()), help: "name a price file".to_owned() }]
    })?;
    let complaint = |Mistake { line, column, message }: Mistake| Complaint {
        what: message,
        place: Some(if line == 0 { file.to_string() } else { format!("{file}:{line}:{column}") }),
        help: "a price file is written like `prices: { files: … }` of a gateway file names one".to_owned(),
    };
    PriceList::read(&text).map_err(|mistakes| mistakes.into_iter().map(complaint).collect())
}

impl Recost {
    fn add(&mut self, list: &PriceList, line: &CostLine) {
        let model = line.priced.as_ref().map_or(&line.model, |priced| &priced.model);
        match reprice(list, line) {
            Ok(now) => {
                let change = Change { attempts: 1, booked: line.cost.0.into(), now: now.0.into() };
                self.models.entry(Arc::clone(model)).or_default().add(change);
                self.total.add(change);
            }
            Err(why) => {
                let change = Change { attempts: 1, booked: line.cost.0.into(), now: 0 };
                self.left.entry((Arc::clone(model), why)).or_default().add(change);
            }
        }
    }

    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut models: Vec<_> = self.models.iter().collect();
        models.sort_by_key(|(_, change)| Reverse((change.difference().unsigned_abs(), change.booked)));
        let mut table = Table::of(CHANGES);
        for (model, change) in models {
            table.row(change.cells(model));
        }
        table.row(self.total.cells("total"));
        table.write(out)?;
        if self.left.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nnot priced again:")?;
        let mut table = Table::of(LEFT);
        for ((model, why), change) in &self.left {
            table.row([model.to_string(), change.attempts.to_string(), usd(change.booked), why.to_string()]);
        }
        table.write(out)
    }
}

impl Change {
    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.booked += other.booked;
        self.now += other.now;
    }

    fn difference(&self) -> i128 {
        self.now - self.booked
    }

    fn cells(&self, name: &str) -> [String; CHANGES.len()] {
        let (booked, now) = (usd(self.booked), usd(self.now));
        [name.to_owned(), self.attempts.to_string(), booked, now, difference(self.difference())]
    }
}

const CHANGES: [(&str, Align); 5] = [
    ("MODEL", Align::Left),
    ("ATTEMPTS", Align::Right),
    ("BOOKED USD", Align::Point),
    ("NOW USD", Align::Point),
    ("DIFFERENCE", Align::Point),
];

const LEFT: [(&str, Align); 4] =
    [("MODEL", Align::Left), ("ATTEMPTS", Align::Right), ("BOOKED USD", Align::Point), ("WHY", Align::Left)];
