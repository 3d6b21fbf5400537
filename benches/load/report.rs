//! The numbers as tables: medians over the rounds, and ratios to nginx of the same rounds.

use std::fmt::Write;
use std::time::Duration;

use crate::cell::{Cell, Round, Traffic};
use crate::subject::Kind;

/// A subject's medians in one cell.
struct Line {
    kind: Kind,
    /// Microseconds for each answer or chunk.
    cpu: Option<f64>,
    /// Half of what lies between the lowest and the highest round, as a share of the median.
    spread: f64,
    per_second: f64,
    p50: Option<f64>,
    p99: Option<f64>,
    failed: u64,
    first_failure: Option<String>,
}

/// The table of one cell.
pub fn table(cell: &Cell, kinds: &[Kind], rounds: &[Vec<Round>]) -> String {
    let lines: Vec<Line> = kinds.iter().zip(rounds).map(|(kind, rounds)| Line::of(*kind, rounds)).collect();
    let of = |kind| lines.iter().find(|line| line.kind == kind);
    let (nginx, direct) = (of(Kind::Nginx), of(Kind::Direct));
    let unit = if cell.traffic == Traffic::Whole { "request" } else { "chunk" };
    let mut text = format!("{}\n", title(cell));
    let cpu = format!("CPU µs/{unit}");
    let speed = format!("{unit}s/s");
    let _ = writeln!(
        text,
        "  {:<9} {cpu:>16} {:>7} {:>6} {speed:>12} {:>7} {:>20} {:>20}",
        "", "ratio", "±", "ratio", "p50 ms (added)", "p99 ms (added)"
    );
    for line in &lines {
        let ratio = |mine: Option<f64>, theirs: Option<f64>| {
            mine.zip(theirs).map_or_else(|| "–".into(), |(mine, theirs)| format!("{:.2}×", mine / theirs))
        };
        let delay = |mine: Option<f64>, least: Option<f64>| match (mine, least) {
            (None, _) => "–".into(),
            (Some(mine), Some(least)) if line.kind != Kind::Direct => format!("{mine:.3} ({:+.3})", mine - least),
            (Some(mine), _) => format!("{mine:.3}"),
        };
        let _ = writeln!(
            text,
            "  {:<9} {:>16} {:>7} {:>6} {:>12.0} {:>7} {:>20} {:>20}",
            line.kind.name(),
            line.cpu.map_or_else(|| "–".into(), |cpu| format!("{cpu:.2}")),
            ratio(line.cpu, nginx.and_then(|nginx| nginx.cpu)),
            line.cpu.map_or_else(|| "–".into(), |_| format!("{:.0}%", line.spread * 100.0)),
            line.per_second,
            ratio(Some(line.per_second), nginx.map(|nginx| nginx.per_second)),
            delay(line.p50, direct.and_then(|direct| direct.p50)),
            delay(line.p99, direct.and_then(|direct| direct.p99)),
        );
        if line.failed > 0 {
            let why = line.first_failure.as_deref().unwrap_or_default();
            let _ = writeln!(text, "  {:<9} {} FAILED, the first with: {why}", "", line.failed);
        }
    }
    text
}

/// The share of the machine that others took: the median over all rounds of a cell.
pub fn foreign(rounds: &[Vec<Round>]) -> f64 {
    median(rounds.iter().flatten().map(|round| round.foreign).collect()).unwrap_or_default()
}

impl Line {
    fn of(kind: Kind, rounds: &[Round]) -> Self {
        let cpu: Vec<f64> = rounds.iter().filter_map(Round::cpu_per_unit).collect();
        let highest = cpu.iter().copied().fold(f64::MIN, f64::max);
        let lowest = cpu.iter().copied().fold(f64::MAX, f64::min);
        let middle = median(cpu);
        let at = |share: f64| median(rounds.iter().filter_map(|round| round.delay(share)).collect());
        Self {
            kind,
            cpu: middle,
            spread: middle.map_or(0.0, |middle| (highest - lowest) / 2.0 / middle),
            per_second: median(rounds.iter().map(Round::per_second).collect()).unwrap_or_default(),
            p50: at(0.5),
            p99: at(0.99),
            failed: rounds.iter().map(|round| round.failed).sum(),
            first_failure: rounds.iter().find_map(|round| round.first_failure.clone()),
        }
    }
}

impl Round {
    fn cpu_per_unit(&self) -> Option<f64> {
        let cpu = self.cpu.filter(|_| self.units > 0)?;
        Some(micros(cpu) / self.units as f64)
    }

    fn per_second(&self) -> f64 {
        self.units as f64 / self.took.as_secs_f64()
    }

    /// Milliseconds that this share of answers or chunks did not exceed.
    fn delay(&self, share: f64) -> Option<f64> {
        let last = self.delays.len().checked_sub(1)?;
        let nanos = self.delays.get((last as f64 * share).round() as usize)?;
        Some(*nanos as f64 / 1e6)
    }
}

fn title(cell: &Cell) -> String {
    let connections = cell.connections;
    let many = if connections == 1 { "1 connection".into() } else { format!("{connections} connections") };
    let size = cell.size;
    match cell.traffic {
        Traffic::Whole => format!("whole answers, {size} B asked, {many}"),
        Traffic::Burst { chunks } => format!("streams of {chunks} chunks, as fast as they go, {many}"),
        Traffic::Paced { pause, .. } => format!("streams with a chunk each {pause:?}, {many}"),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
