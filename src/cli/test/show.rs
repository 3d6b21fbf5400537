//! The results of tests as people read them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::More;
use super::report::Report;
use crate::policy::{Ink, Place};
use crate::rehearsal::{Coverage, Failure, Fate, Kind, Line, Mutants, Order, Outcome, Relation, Side};

pub fn report(out: &mut impl Write, report: &Report, order: Order, ink: Ink) -> io::Result<()> {
    for broken in &report.unusable {
        write!(out, "{}", broken.reason)?;
    }
    for (suite, outcomes) in &report.suites {
        let failed = outcomes.iter().filter(|outcome| !outcome.failures.is_empty());
        failed.into_iter().try_for_each(|outcome| failed_test(out, &suite.path, outcome, ink))?;
    }
    let (passed, failed) = report.count();
    if passed + failed + report.unusable.len() == 0 {
        return writeln!(out, "there is no test here; tests are in files named `*.test.yaml`");
    }
    let shuffled = match order {
        Order::Written => String::new(),
        Order::Shuffled(seed) => format!(", in the order of `--shuffle {seed}`"),
    };
    let unusable = match report.unusable.len() {
        0 => String::new(),
        1 => ", 1 file cannot be used".to_owned(),
        files => format!(", {files} files cannot be used"),
    };
    writeln!(out, "{passed} passed, {failed} failed{unusable}{shuffled}")
}

fn failed_test(out: &mut impl Write, path: &Path, outcome: &Outcome, ink: Ink) -> io::Result<()> {
    writeln!(out, "{}:{}: {}: FAILED", path.display(), outcome.line, outcome.name)?;
    write!(out, "{}", failures(outcome, ink))?;
    writeln!(out)
}

/// What was not as expected, and what was decided.
pub fn failures(outcome: &Outcome, ink: Ink) -> String {
    let failures: String = outcome.failures.iter().map(|failure| self::failure(failure, ink)).collect();
    let trail: String = outcome.trail.iter().map(|line| format!("  | {line}\n")).collect();
    failures + &trail
}

fn failure(failure: &Failure, ink: Ink) -> String {
    let relation = match failure.relation {
        Relation::Is => String::new(),
        relation => format!(" {}", relation.name()),
    };
    let mut text = format!("  {}{relation} (- expected, + found)\n", failure.field);
    for line in failure.difference() {
        text.push_str(&format!("    {}\n", self::line(&line, ink)));
    }
    text
}

fn line(line: &Line, ink: Ink) -> String {
    let (sign, colour) = match line.side {
        Side::Both => (' ', ""),
        Side::Expected => ('-', "\x1b[31m"),
        Side::Found => ('+', "\x1b[32m"),
    };
    if ink == Ink::Plain {
        let text: String = line.pieces.iter().map(|(_, text)| text.as_str()).collect();
        return format!("{sign} {text}");
    }
    let piece = |(is_new, text): &(bool, String)| match is_new {
        true => format!("\x1b[7m{text}\x1b[27m"),
        false => text.clone(),
    };
    format!("{colour}{sign} {}\x1b[0m", line.pieces.iter().map(piece).collect::<String>())
}

pub fn more(out: &mut impl Write, more: &More) -> io::Result<()> {
    more.coverage.iter().flatten().try_for_each(|one| coverage(out, one))?;
    more.mutants.iter().flatten().try_for_each(|one| mutants(out, one))
}

fn coverage(out: &mut impl Write, coverage: &Coverage) -> io::Result<()> {
    writeln!(out, "\ncoverage of {}", listed(&coverage.gateway))?;
    for kind in Kind::ALL {
        let (reached, all) = coverage.count(kind);
        writeln!(out, "  {:<11} {reached:>3} of {all:>3}", kind.name())?;
    }
    for item in coverage.items.iter().filter(|item| !item.is_reached) {
        writeln!(out, "  not reached: {} (policy `{}`, {})", item.what, item.policy, at(&item.place))?;
    }
    Ok(())
}

fn mutants(out: &mut impl Write, mutants: &Mutants) -> io::Result<()> {
    let (noticed, all) = mutants.count();
    writeln!(out, "\n{noticed} of {all} changes to {} are noticed", listed(&mutants.gateway))?;
    for trial in &mutants.trials {
        match &trial.fate {
            Fate::Unnoticed(None) => writeln!(out, "  not noticed: {} ({})", trial.what, at(&trial.place))?,
            Fate::Unnoticed(Some(why)) => writeln!(out, "  excused: {} ({}): {why}", trial.what, at(&trial.place))?,
            Fate::Refused | Fate::Noticed(_) => {}
        }
    }
    Ok(())
}

fn listed(files: &[PathBuf]) -> String {
    let files: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    files.join(", ")
}

fn at(place: &Place) -> String {
    format!("{}:{}:{}", place.path.display(), place.line, place.column)
}
