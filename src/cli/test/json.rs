//! The results of tests as programs read them.

use serde_json::{Value, json};

use super::More;
use super::report::Report;
use crate::rehearsal::{Coverage, Failure, Mutants, Order, Outcome};

pub fn of(report: &Report, order: Order, more: &More) -> Value {
    let (passed, failed) = report.count();
    let suites = report.suites.iter().map(|(suite, outcomes)| {
        json!({ "file": suite.path.display().to_string(), "tests": outcomes.iter().map(test).collect::<Value>() })
    });
    let unusable = report.unusable.iter();
    let unusable = unusable.map(|broken| json!({ "file": broken.path.display().to_string(), "reason": broken.reason }));
    let seed = match order {
        Order::Written => None,
        Order::Shuffled(seed) => Some(seed),
    };
    json!({
        "passed": passed,
        "failed": failed,
        "shuffle": seed,
        "suites": suites.collect::<Value>(),
        "unusable": unusable.collect::<Value>(),
        "coverage": more.coverage.as_ref().map(|all| all.iter().map(Coverage::json).collect::<Value>()),
        "mutants": more.mutants.as_ref().map(|all| all.iter().map(Mutants::json).collect::<Value>()),
    })
}

fn test(outcome: &Outcome) -> Value {
    json!({
        "name": outcome.name,
        "line": outcome.line,
        "passed": outcome.failures.is_empty(),
        "failures": outcome.failures.iter().map(failure).collect::<Value>(),
        "trail": outcome.trail,
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "field": failure.field,
        "relation": failure.relation.name(),
        "expected": failure.expected,
        "found": failure.found,
    })
}
