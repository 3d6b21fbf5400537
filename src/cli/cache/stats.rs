//! `tidegate cache stats`: what is kept, and what that has come to.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;

use super::door::{self, Door};
use crate::cli::table::{Align, Table};
use crate::state::Answers as _;
use crate::state::answers::Record;

/// Show how many answers are kept for each policy, how often they were found, and what that saved
///
/// Of a running gateway the counts are since its start; of a folder there is only what is kept.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    door: Door,
    /// The gateway's JSON instead of a table
    #[arg(long, conflicts_with = "dir")]
    json: bool,
}

impl Args {
    pub fn perform(&self) -> Result<(), String> {
        let tables = match self.door.folder() {
            Some(folder) => of_folder(folder)?,
            None => {
                let told = self.door.ask("GET", "/cache")?;
                if self.json {
                    println!("{told}");
                    return Ok(());
                }
                [Some(of_gateway(&told)), similar(&told)].into_iter().flatten().collect()
            }
        };
        match write(&tables) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
            _ => Ok(()),
        }
    }
}

fn write(tables: &[Table]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (number, table) in tables.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        table.write(&mut out)?;
    }
    Ok(())
}

fn of_folder(folder: &Path) -> Result<Vec<Table>, String> {
    let (mut stock, mut standings) =
        door::open(folder, async |answers| Ok((answers.stock(&[]).await?, answers.standings()?)))?;
    stock.sort_by(|one, other| one.policy.as_str().cmp(other.policy.as_str()));
    let right = |head| (head, Align::Right);
    let mut table = Table::of([("POLICY", Align::Left), right("ANSWERS"), right("BYTES"), right("QUESTIONS")]);
    for stock in stock {
        let [bytes, questions] = [stock.bytes, stock.by_likeness].map(|count| count.unwrap_or_default().to_string());
        table.row([stock.policy.to_string(), stock.answers.to_string(), bytes, questions]);
    }
    standings.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut similar = similar_table();
    for (ground, standing) in &standings {
        let Record { tried, wrong } = standing.record;
        similar.row([
            ground.policy.to_string(),
            ground.shown(),
            standing.by.to_string(),
            tried.to_string(),
            wrong.to_string(),
            standing.shown_below(),
            given(standing.serves()),
        ]);
    }
    Ok([Some(table), (!standings.is_empty()).then_some(similar)].into_iter().flatten().collect())
}

fn of_gateway(told: &Value) -> Table {
    let right = |head| (head, Align::Right);
    let mut table = Table::of([
        ("POLICY", Align::Left),
        right("ANSWERS"),
        right("BYTES"),
        right("QUESTIONS"),
        right("HIT"),
        right("STALE"),
        right("SHARED"),
        right("MISS"),
        right("BYPASS"),
        right("FOUND"),
        ("SAVED USD", Align::Point),
        ("CHARGED USD", Align::Point),
    ]);
    for policy in told.get("policies").and_then(Value::as_array).into_iter().flatten() {
        let said = |name: &str| policy.get(name);
        let count =
            |result: &str| said("since_start").and_then(|counts| counts.get(result)?.as_u64()).unwrap_or_default();
        let found = count("hit") + count("stale") + count("shared");
        let looked = found + count("miss") + count("refresh");
        let share = match looked {
            0 => "-".to_owned(),
            looked => format!("{:.1} %", found as f64 * 100.0 / looked as f64),
        };
        let number =
            |name: &str| said(name).and_then(Value::as_u64).map_or_else(|| "-".to_owned(), |number| number.to_string());
        let text = |name: &str| said(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let counts = ["hit", "stale", "shared", "miss", "bypass"].map(|result| count(result).to_string());
        let first = [text("policy"), number("answers"), number("bytes"), number("questions")];
        table.row(first.into_iter().chain(counts).chain([share, text("saved_usd"), text("charged_usd")]));
    }
    table
}

/// How answers to similar questions have fared, by those who share them; `None` if there were none.
fn similar(told: &Value) -> Option<Table> {
    let mut table = similar_table();
    let mut is_empty = true;
    for policy in told.get("policies").and_then(Value::as_array).into_iter().flatten() {
        for known in policy.get("similar").and_then(Value::as_array).into_iter().flatten() {
            let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let count = |name: &str| known.get(name).and_then(Value::as_u64).unwrap_or_default().to_string();
            table.row([
                text(policy, "policy"),
                text(known, "scope"),
                text(known, "by"),
                count("tried"),
                count("wrong"),
                text(known, "wrong_below"),
                given(known.get("gives").and_then(Value::as_bool) == Some(true)),
            ]);
            is_empty = false;
        }
    }
    (!is_empty).then_some(table)
}

fn similar_table() -> Table {
    let right = |head| (head, Align::Right);
    Table::of([
        ("SIMILAR", Align::Left),
        ("SHARED BY", Align::Left),
        ("EMBEDDED BY", Align::Left),
        right("TRIED"),
        right("WRONG"),
        right("BELOW"),
        ("GIVEN", Align::Left),
    ])
}

fn given(gives: bool) -> String {
    if gives { "yes" } else { "not yet" }.to_owned()
}
