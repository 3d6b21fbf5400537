//! What came of a run of tests.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::policy::Ink;
use crate::rehearsal::{Coverage, Mutants, Outcome, Run, Suite, Unusable};

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
        self.by_configuration().iter().filter_map(|suites| coverage(suites)).collect()
    }

    /// Which changes to the configurations the tests notice, once for each configuration.
    pub fn mutants(&self, threads: NonZeroUsize) -> Vec<Mutants> {
        let groups = self.by_configuration();
        let suites = groups.iter().map(|group| group.iter().map(|(suite, _)| suite.clone()).collect::<Vec<_>>());
        suites.filter_map(|suites| Mutants::try_all(&suites, threads)).collect()
    }

    /// The suites, those of one configuration together.
    fn by_configuration(&self) -> Vec<Vec<&(Suite, Vec<Outcome>)>> {
        let mut groups: Vec<(Vec<PathBuf>, Vec<_>)> = Vec::new();
        for played in &self.suites {
            let gateway = played.0.tested().0.iter();
            let key: Vec<_> = gateway.map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, group)) => group.push(played),
                None => groups.push((key, vec![played])),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// Every file whose change may change the outcome.
    pub fn files(&self) -> Vec<PathBuf> {
        let read = self.suites.iter().flat_map(|(suite, _)| suite.files());
        read.chain(self.unusable.iter().flat_map(|broken| broken.files.clone())).collect()
    }
}

fn coverage(suites: &[&(Suite, Vec<Outcome>)]) -> Option<Coverage> {
    let (gateway, loaded) = suites.first()?.0.tested();
    let config = loaded.config.as_ref()?;
    let mut coverage = Coverage::of(gateway, loaded);
    let outcomes = suites.iter().flat_map(|(_, outcomes)| outcomes);
    outcomes.flat_map(|outcome| &outcome.decisions).for_each(|decision| coverage.note(decision, config));
    Some(coverage)
}
