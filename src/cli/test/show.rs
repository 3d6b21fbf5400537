//! The results of tests as people read them.

use std::io::{self, Write};
use std::path::Path;

use super::report::Report;
use crate::policy::Ink;
use crate::rehearsal::{Coverage, Failure, Kind, Line, Order, Outcome, Relation, Side};

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
    writeln!(out, "{}: {}: FAILED", path.display(), outcome.name)?;
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

pub fn coverage(out: &mut impl Write, coverage: Option<&[Coverage]>) -> io::Result<()> {
    for one in coverage.into_iter().flatten() {
        let files: Vec<_> = one.gateway.iter().map(|path| path.display().to_string()).collect();
        writeln!(out, "\ncoverage of {}", files.join(", "))?;
        for kind in Kind::ALL {
            let (reached, all) = one.count(kind);
            writeln!(out, "  {:<11} {reached:>3} of {all:>3}", kind.name())?;
        }
        for item in one.items.iter().filter(|item| !item.is_reached) {
            let place = format!("{}:{}:{}", item.place.path.display(), item.place.line, item.place.column);
            writeln!(out, "  not reached: {} (policy `{}`, {place})", item.what, item.policy)?;
        }
    }
    Ok(())
}
