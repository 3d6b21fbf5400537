//! What came of a run of tests.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::policy::Ink;
use crate::rehearsal::{Coverage, Outcome, Run, Suite, Unusable};

pub struct Report {
    pub suites: Vec<(Suite, Vec<Outcome>)>,
    pub unusable: Vec<Unusable>,
}

impl Report {
    pub fn make(files: &[PathBuf], run: &Run, ink: Ink) -> Self {
        let (mut suites, mut unusable) = (Vec::new(), Vec::new());
        for file in files {
            match Suite::read(file, ink) {
                Ok(suite) => suites.push(suite),
                Err(broken) => unusable.push(broken),
            }
        }
        let outcomes = run.play(&suites);
        Self { suites: suites.into_iter().zip(outcomes).collect(), unusable }
    }

    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.suites.iter().flat_map(|(_, outcomes)| outcomes)
    }

    /// How many tests passed, and how many failed.
    pub fn count(&self) -> (usize, usize) {
        let passed = self.outcomes().filter(|outcome| outcome.failures.is_empty()).count();
        (passed, self.outcomes().count() - passed)
    }

    pub fn exit_code(&self) -> ExitCode {
        match (self.unusable.len(), self.count()) {
            (0, (1.., 0)) => ExitCode::SUCCESS,
            (0, (_, 1..)) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }

    /// What the tests have reached, once for each configuration.
    pub fn coverage(&self) -> Vec<Coverage> {
        let mut all: Vec<(Vec<PathBuf>, Coverage)> = Vec::new();
        for (suite, outcomes) in &self.suites {
            let (gateway, loaded) = suite.tested();
            let Some(config) = &loaded.config else { continue };
            let key: Vec<_> = gateway.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
            let at = all.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                all.push((key, Coverage::of(gateway, loaded)));
                all.len() - 1
            });
            if let Some((_, coverage)) = all.get_mut(at) {
                let decisions = outcomes.iter().flat_map(|outcome| &outcome.decisions);
                decisions.for_each(|decision| coverage.note(decision, config));
            }
        }
        all.into_iter().map(|(_, coverage)| coverage).collect()
    }

    /// Every file whose change may change the outcome.
    pub fn files(&self) -> Vec<PathBuf> {
        let read = self.suites.iter().flat_map(|(suite, _)| suite.files());
        read.chain(self.unusable.iter().flat_map(|broken| broken.files.clone())).collect()
    }
}
