//! `tidegate ledger sum`: what was spent, by whom or on what.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::{Map, Value, json};

use super::Verdict;
use super::complaint::{Complaint, Failure};
use super::period::PeriodArgs;
use super::usd::{share, usd};
use crate::cli::table::{Align, Table};
use crate::state::report::{self, By, Question, Report, Row};

/// Sum up what was spent, the largest sum first.
///
/// One row for each combination of what `--by` names, and the total. Costs are US dollars, exact to the last digit.
/// ESTIMATED is the share of a cost that no provider has reported: tokens were counted by the gateway, or what was set
/// aside had to do. UNPRICED counts attempts at models without a price, which are in no cost.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to sum up by; several, separated by commas, give a row for each combination
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "model")]
    by: Vec<By>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Print the sums as JSON; costs are strings, since numbers of many programs are not exact
    #[arg(long)]
    json: bool,
}

impl ValueEnum for By {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl Args {
    pub fn perform(&self, folder: &Path, out: &mut dyn Write) -> Result<Verdict, Failure> {
        self.check()?;
        let period = self.period.period()?;
        let question = Question { by: self.by.clone(), period, zone: self.period.zone.clone() };
        let report = report::report(folder, &question)?;
        match self.json {
            true => writeln!(out, "{:#}", as_json(&question, &report))?,
            false => show(&question, &report, out)?,
        }
        Ok(Verdict::Sound)
    }

    fn check(&self) -> Result<(), Complaint> {
        let mut seen = BTreeSet::new();
        match self.by.iter().find(|by| !seen.insert(by.name())) {
            None => Ok(()),
            Some(twice) => Err(Complaint {
                what: format!("`--by` names `{}` twice", twice.name()),
                place: None,
                help: "name each once".to_owned(),
            }),
        }
    }
}

fn largest_first(report: &Report) -> Vec<(&Vec<Option<String>>, &Row)> {
    let mut rows: Vec<_> = report.rows.iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse((row.cost, row.requests())));
    rows
}

fn show(question: &Question, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let names = question.by.iter().map(|by| (by.name().to_uppercase(), Align::Left));
    let sums = SUMS.map(|(head, align)| (head.to_owned(), align));
    let mut table = Table::of(names.chain(sums));
    for (names, row) in largest_first(report) {
        let names = names.iter().map(|name| name.clone().unwrap_or_else(|| "-".to_owned()));
        table.row(names.chain(cells(row)));
    }
    let blank = question.by.iter().skip(1).map(|_| String::new());
    table.row(std::iter::once("total".to_owned()).chain(blank).chain(cells(&report.total)));
    table.write(out)?;
    if report.total.unpriced > 0 {
        writeln!(out, "{} had no price, and what they cost is not known", attempts(report.total.unpriced))?;
    }
    if report.assumed.holds > 0 {
        let (holds, cost) = (attempts(report.assumed.holds), usd(report.assumed.cost));
        writeln!(out, "{holds} ended without word: budgets count the {cost} set aside for them, and no row does")?;
    }
    Ok(())
}

const SUMS: [(&str, Align); 6] = [
    ("REQUESTS", Align::Right),
    ("TOKENS IN", Align::Right),
    ("TOKENS OUT", Align::Right),
    ("COST USD", Align::Point),
    ("ESTIMATED", Align::Right),
    ("UNPRICED", Align::Right),
];

fn cells(row: &Row) -> [String; SUMS.len()] {
    [
        row.requests().to_string(),
        row.input_tokens.to_string(),
        row.output_tokens.to_string(),
        usd(row.cost),
        share(row.estimated, row.cost),
        row.unpriced.to_string(),
    ]
}

fn attempts(count: u64) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

fn as_json(question: &Question, report: &Report) -> Value {
    let rows = largest_first(report).into_iter().map(|(names, row)| {
        let names = question.by.iter().zip(names).map(|(by, name)| (by.name().to_owned(), json!(name)));
        Value::Object(names.chain(sums(row)).collect())
    });
    json!({
        "rows": rows.collect::<Vec<_>>(),
        "total": sums(&report.total),
        "assumed": { "attempts": report.assumed.holds, "cost_usd": usd(report.assumed.cost) },
    })
}

fn sums(row: &Row) -> Map<String, Value> {
    let fields = [
        ("requests", json!(row.requests())),
        ("attempts", json!(row.lines)),
        ("input_tokens", json!(row.input_tokens)),
        ("output_tokens", json!(row.output_tokens)),
        ("cost_usd", json!(usd(row.cost))),
        ("estimated_usd", json!(usd(row.estimated))),
        ("unpriced_attempts", json!(row.unpriced)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
