//! The results of tests as continuous integration reads them.

use std::fs::File;
use std::io;
use std::path::Path;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::report::Report;
use super::show;
use crate::policy::Ink;
use crate::rehearsal::Outcome;

pub fn write(report: &Report, path: &Path) -> io::Result<()> {
    let mut junit = quick_junit::Report::new("tidegate test");
    for (suite, outcomes) in &report.suites {
        let mut written = TestSuite::new(suite.path.display().to_string());
        written.add_test_cases(outcomes.iter().map(case));
        junit.add_test_suite(written);
    }
    for broken in &report.unusable {
        let mut suite = TestSuite::new(broken.path.display().to_string());
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("the file cannot be used").set_description(broken.reason.as_str());
        suite.add_test_case(TestCase::new("the file can be used", status));
        junit.add_test_suite(suite);
    }
    junit.serialize(File::create(path)?).map_err(io::Error::other)
}

fn case(outcome: &Outcome) -> TestCase {
    let Some(first) = outcome.failures.first() else {
        return TestCase::new(outcome.name.as_str(), TestCaseStatus::success());
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let message = format!("{}: expected {}, found {}", first.field, first.expected, first.found);
    status.set_message(message).set_description(show::failures(outcome, Ink::Plain));
    TestCase::new(outcome.name.as_str(), status)
}
