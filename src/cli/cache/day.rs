//! `tidegate cache day`: what a policy's cache would save on a day of traffic, and whether it would ever be wrong.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::base::money::Nanos;
use crate::cli::table::{Align, Table};
use crate::rehearsal::day::{Asked, Crowd, Embedded, Report, read_lines, replay};

/// Replay a day of questions through a policy's cache, with simulated providers: what is saved, and what is wrong
///
/// Without a file of questions a built-in crowd asks: callers of two teams, with repeats, other words and near-misses. A
/// line of a file is a JSON object: `{"question": "…", "means": "refunds", "team": "emea", "user": "ann"}`, all but the
/// question if it is known; answers to questions that mean something else are false hits. No time passes and nothing
/// leaves the process: embedders elsewhere are played, and models of the gateway's own do their work, if they are
/// installed. Exits with 0 if there is no false hit, with 1 if there is one, and with 2 when the day cannot be
/// replayed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Questions, one on a line, asked over the day in this order; `-` is standard input
    #[arg(value_name = "QUESTIONS.jsonl")]
    questions: Option<PathBuf>,
    /// The gateway's files, as for `serve`; a policy with all tiers of the cache if not said
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The model that is asked for, by which a policy is chosen
    #[arg(long, default_value = "chat")]
    model: String,
    /// How many requests the built-in crowd makes
    #[arg(long, default_value_t = 10_000, conflicts_with = "questions")]
    requests: usize,
    /// Another number makes another crowd
    #[arg(long, default_value_t = 1, conflicts_with = "questions")]
    seed: u64,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Where no files are named.
const POLICY: &str = include_str!("day.yaml");

impl Args {
    pub fn perform(&self) -> Result<ExitCode, String> {
        let traffic = match &self.questions {
            Some(path) => read_lines(path)?,
            None => Crowd { requests: self.requests, seed: self.seed }.day(),
        };
        let report = self.report(&traffic)?;
        if report.results.is_empty() {
            return Err(format!(
                "none of {} requests was answered: is there a policy for `{}`?",
                report.requests, self.model
            ));
        }
        let mut out = io::stdout().lock();
        let written = match self.json {
            true => writeln!(out, "{}", json_of(&report)),
            false => tables(&report, &mut out),
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
            _ => Ok(if report.false_count() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }),
        }
    }

    fn report(&self, traffic: &[Asked]) -> Result<Report, String> {
        if !self.files.is_empty() {
            return replay(&self.files, &self.model, traffic);
        }
        let folder = std::env::temp_dir().join(format!("tidegate-day-{}", std::process::id()));
        let report = write_policy(&folder).and_then(|file| replay(&[file], &self.model, traffic));
        // Left-overs in the temporary folder do no harm.
        let _ = std::fs::remove_dir_all(&folder);
        report
    }
}

fn write_policy(folder: &Path) -> Result<PathBuf, String> {
    let file = folder.join("tidegate.yaml");
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, POLICY));
    written.map_err(|error| format!("`{}` cannot be written: {error}", file.display()))?;
    Ok(file)
}

fn tables(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let right = |head| (head, Align::Right);
    let mut table = Table::of([
        ("TIER", Align::Left),
        right("HITS"),
        right("OF REQUESTS"),
        ("USD AVOIDED", Align::Point),
        right("FALSE"),
        right("UNJUDGED"),
    ]);
    for (name, tier) in &report.tiers {
        table.row([
            (*name).to_owned(),
            tier.hits.to_string(),
            share(tier.hits as f64 / report.requests.max(1) as f64),
            usd(tier.avoided),
            tier.false_hits.to_string(),
            tier.unjudged.to_string(),
        ]);
    }
    table.write(out)?;
    writeln!(out)?;
    let mut table = Table::of([("THE DAY", Align::Left), ("", Align::Right)]);
    for (name, value) in sums(report) {
        table.row([name.to_owned(), value]);
    }
    table.write(out)?;
    if !report.false_hits.is_empty() {
        writeln!(out)?;
        let mut table = Table::of([("FALSE", Align::Left), ("ASKED", Align::Left), ("MADE FOR", Align::Left)]);
        for hit in &report.false_hits {
            table.row([hit.tier.to_owned(), hit.asked.clone(), hit.made_for.clone()]);
        }
        table.write(out)?;
    }
    let similar = match report.embedded {
        Embedded { played: 0, here: 0 } => "not tried: no policy has it, or no question had a form",
        Embedded { played: 0, .. } => "by the model in this process",
        Embedded { here: 0, .. } => "as if the embedder found all questions alike, so by their words alone",
        Embedded { .. } => "by the model in this process, or as if an embedder found all questions alike",
    };
    writeln!(out, "\nsimilar: {similar}")
}

fn sums(report: &Report) -> Vec<(&'static str, String)> {
    let hits = report.tiers.values().map(|tier| tier.hits).sum::<u64>();
    let result = |name| (name, report.results.get(name).copied().unwrap_or_default().to_string());
    let money = |amount: Option<Nanos>| amount.map_or_else(|| "unpriced".to_owned(), usd);
    vec![
        ("requests", report.requests.to_string()),
        result("miss"),
        result("bypass"),
        ("not answered", report.unanswered.to_string()),
        ("upstream calls", report.asked.to_string()),
        ("upstream calls avoided", hits.to_string()),
        ("texts embedded", report.embedded.all().to_string()),
        ("similar answers tried", report.tried.tried.to_string()),
        ("of these wrong", report.tried.wrong.to_string()),
        ("USD without the cache", money(report.uncached())),
        ("USD on answers", money(report.spent())),
        ("USD on embeddings", usd(report.spent_on_embedding)),
        ("cost saved", report.saved().map_or_else(|| "unpriced".to_owned(), share)),
        ("false hits", report.false_count().to_string()),
    ]
}

fn json_of(report: &Report) -> Value {
    let tier = |(name, tier): (&&str, &crate::rehearsal::day::Tier)| {
        json!({
            "tier": name,
            "hits": tier.hits,
            "avoided_usd": usd(tier.avoided),
            "false_hits": tier.false_hits,
            "unjudged": tier.unjudged,
        })
    };
    let wrong = report.false_hits.iter();
    let wrong = wrong.map(|hit| json!({"tier": hit.tier, "asked": hit.asked, "made_for": hit.made_for}));
    json!({
        "requests": report.requests,
        "policies": report.policies,
        "results": report.results,
        "not_answered": report.unanswered,
        "tiers": report.tiers.iter().map(tier).collect::<Vec<_>>(),
        "upstream_calls": report.asked,
        "upstream_calls_avoided": report.tiers.values().map(|tier| tier.hits).sum::<u64>(),
        "texts_embedded": report.embedded.all(),
        "texts_embedded_here": report.embedded.here,
        "similar_tried": report.tried.tried,
        "similar_wrong": report.tried.wrong,
        "uncached_usd": report.uncached().map(usd),
        "answers_usd": report.spent().map(usd),
        "embeddings_usd": usd(report.spent_on_embedding),
        "saved": report.saved(),
        "false_hits": report.false_count(),
        "first_false_hits": wrong.collect::<Vec<_>>(),
    })
}

fn usd(amount: Nanos) -> String {
    format!("{:.4}", amount.0 as f64 / 1e9)
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
