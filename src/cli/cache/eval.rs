//! `tidegate cache eval`: what each tier would do to pairs of questions of which it is known whether they ask the same.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::pairs::{self, Pair};
use super::sight::Sight;
use super::tally::Tally;
use crate::cli::table::{Align, Table};
use crate::steps::cache::canonical::canonical;
use crate::steps::cache::likeness::features::Features;

/// Measure on pairs of questions how often each tier of the cache would hit, and how often it would be wrong
///
/// A line is a JSON object: `{"a": "…", "b": "…", "same": true}`, with a `category` if there is one. Exits with 0 when
/// the pairs were measured, however they fared, and with 2 when they cannot be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pairs, one on a line; `-` is standard input
    #[arg(value_name = "PAIRS.jsonl")]
    pairs: PathBuf,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// The folder of a model in this process, whose likenesses count; without it the similar tier is measured as if its
    /// embedder found all questions alike
    #[arg(long, value_name = "DIR")]
    embedder: Option<PathBuf>,
    /// The least likeness, as `at_least` in a policy
    #[arg(long, value_name = "COSINE", requires = "embedder")]
    at_least: Option<f64>,
    /// Show each pair that the canonical or the similar tier would take for the same and that is not
    #[arg(long, conflicts_with = "json")]
    show_false: bool,
}

/// A way to find a stored answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tier {
    Exact,
    Canonical,
    /// By an embedder; or, if none is asked, as if it found all questions alike, by their words alone.
    Similar,
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Canonical => "canonical",
            Self::Similar => "similar",
        }
    }

    fn hits(self, pair: &Pair, sight: Option<&Sight>) -> bool {
        let is_exact = pair.a == pair.b;
        match self {
            Self::Exact => is_exact,
            Self::Canonical => is_exact || canonical(&pair.a).is_ok_and(|form| canonical(&pair.b) == Ok(form)),
            Self::Similar => {
                let similar = match (canonical(&pair.a), canonical(&pair.b)) {
                    (Ok(one), Ok(other)) if one == other => true,
                    (Ok(one), Ok(other)) => match sight {
                        Some(sight) => sight.takes(&one, &other),
                        None => Features::may_be_the_same(&one, &other),
                    },
                    _ => false,
                };
                is_exact || similar
            }
        }
    }
}

/// A row of the report: all pairs by a tier, and those of each category.
struct Row {
    tier: Tier,
    all: Tally,
    categories: BTreeMap<String, Tally>,
}

impl Row {
    fn of(tier: Tier, pairs: &[Pair], sight: Option<&Sight>) -> Self {
        let mut row = Self { tier, all: Tally::default(), categories: BTreeMap::new() };
        for pair in pairs {
            let hit = tier.hits(pair, sight);
            row.all.add(pair.same, hit);
            if let Some(category) = &pair.category {
                row.categories.entry(category.clone()).or_default().add(pair.same, hit);
            }
        }
        row
    }
}

impl Args {
    pub fn perform(&self) -> Result<(), String> {
        let pairs = pairs::read(&self.pairs)?;
        let sight = match &self.embedder {
            Some(folder) => Some(Sight::of(folder, &pairs, self.at_least)?),
            None => None,
        };
        let sight = sight.as_ref();
        let rows = [Tier::Exact, Tier::Canonical, Tier::Similar].map(|tier| Row::of(tier, &pairs, sight));
        let mut out = io::stdout().lock();
        let written = match self.json {
            true => writeln!(out, "{}", report(pairs.len(), &rows, sight)),
            false => tables(&rows, sight, &mut out).and_then(|()| self.wrong(&pairs, sight, &mut out)),
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn wrong(&self, pairs: &[Pair], sight: Option<&Sight>, out: &mut dyn Write) -> io::Result<()> {
        if !self.show_false {
            return Ok(());
        }
        let mut table = Table::of([("TAKEN FOR THE SAME", Align::Left), ("", Align::Left)]);
        for pair in pairs.iter().filter(|pair| !pair.same && Tier::Similar.hits(pair, sight)) {
            table.row([pair.a.clone(), pair.b.clone()]);
        }
        writeln!(out)?;
        table.write(out)
    }
}

fn tables(rows: &[Row], sight: Option<&Sight>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = table("TIER");
    for row in rows {
        table.row(cells(row.tier.name(), &row.all));
    }
    table.write(out)?;
    for row in rows.iter().filter(|row| !row.categories.is_empty()) {
        writeln!(out)?;
        let mut table = self::table(&row.tier.name().to_uppercase());
        for (category, tally) in &row.categories {
            table.row(cells(category, tally));
        }
        table.write(out)?;
    }
    writeln!(out, "\nsimilar: {}", found_by(sight))?;
    writeln!(out, "BELOW is the upper end of the 95 % interval of the false rate (Wilson)")
}

fn found_by(sight: Option<&Sight>) -> String {
    let Some(Sight { judge, model, .. }) = sight else {
        return "as if the embedder found all questions alike, so by their words alone".to_owned();
    };
    let by = match judge.score {
        Some(_) => "their words, or the score that is trained for it",
        None => "their words, for no score is trained for it",
    };
    format!("those alike from {} on to the model {}, by {by}", judge.least, model.short())
}

/// As it was said, and not as it is kept.
fn rounded(least: f32) -> f64 {
    (f64::from(least) * 10_000.0).round() / 10_000.0
}

fn table(head: &str) -> Table {
    let right = |head| (head, Align::Right);
    Table::of([
        (head, Align::Left),
        right("SAME"),
        right("HITS"),
        right("HIT RATE"),
        right("DIFFERENT"),
        right("FALSE"),
        right("FALSE RATE"),
        right("BELOW"),
    ])
}

fn cells(name: &str, tally: &Tally) -> [String; 8] {
    let share = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.2} %", rate * 100.0));
    [
        name.to_owned(),
        tally.same.to_string(),
        tally.hits.to_string(),
        share(tally.hit_rate()),
        tally.different.to_string(),
        tally.false_hits.to_string(),
        share(tally.false_rate()),
        share(tally.false_rate().map(|_| tally.false_rate_bound())),
    ]
}

fn report(pairs: usize, rows: &[Row], sight: Option<&Sight>) -> Value {
    let one = |tally: &Tally| {
        json!({
            "same": tally.same,
            "hits": tally.hits,
            "hit_rate": tally.hit_rate(),
            "different": tally.different,
            "false_hits": tally.false_hits,
            "false_rate": tally.false_rate(),
            "false_rate_below": tally.false_rate_bound(),
        })
    };
    let tier = |row: &Row| {
        let categories: BTreeMap<_, _> =
            row.categories.iter().map(|(category, tally)| (category, one(tally))).collect();
        json!({ "tier": row.tier.name(), "all": one(&row.all), "categories": categories })
    };
    let embedder = sight.map(|sight| {
        let (judge, model) = (sight.judge, sight.model.to_string());
        json!({ "sha256": model, "at_least": rounded(judge.least), "has_score": judge.score.is_some() })
    });
    json!({ "pairs": pairs, "embedder": embedder, "confidence": 0.95, "interval": "wilson", "tiers": rows.iter().map(tier).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: &str = r#"
{"a": "How do I reset it all?", "b": "how to reset it all", "same": true, "category": "way"}
{"a": "Is tea hot?", "b": "Is tea cold?", "same": false, "category": "antonym"}
{"a": "Is tea hot?", "b": "Is tea hot?", "same": true}
"#;

    #[test]
    fn each_tier_counts_for_itself() {
        let pairs = pairs::parse(PAIRS).unwrap();
        let counts = |tier| {
            let all = Row::of(tier, &pairs, None).all;
            (all.hits, all.same, all.false_hits, all.different)
        };
        assert_eq!((counts(Tier::Exact), counts(Tier::Canonical)), ((1, 2, 0, 1), (2, 2, 0, 1)));
    }

    #[test]
    fn a_bad_line_is_named() {
        let (line, wrong) = pairs::parse("{\"a\": \"x\", \"b\": \"y\", \"same\": true}\n\n{\"a\": \"x\"}").unwrap_err();
        assert_eq!(line, 3);
        assert!(wrong.starts_with("missing field `b`"), "{wrong}");
    }
}
