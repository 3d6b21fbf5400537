//! Whether tests notice when a configuration changes: each of its settings is changed in turn, and the tests are
//! played on the result.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::run::in_parallel;
use super::suite::Suite;
use crate::policy::{Loaded, Mutant, Place, mutants};

/// What became of every change to one configuration.
pub struct Mutants {
    /// The files, as suites name them.
    pub gateway: Vec<PathBuf>,
    pub trials: Vec<Trial>,
}

/// A change, and what became of it.
pub struct Trial {
    pub what: String,
    pub place: Place,
    pub fate: Fate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The configuration cannot run any more, and `check` says so.
    Refused,
    /// This test fails.
    Noticed(String),
    /// No test fails; why none has to, if the file gives a reason.
    Unnoticed(Option<String>),
}

impl Mutants {
    /// Tries every change on the suites of one configuration.
    pub fn try_all(suites: &[Suite], threads: NonZeroUsize) -> Option<Self> {
        let (gateway, loaded) = suites.first()?.tested();
        let trial = |mutant: &Mutant| Trial {
            what: mutant.what.clone(),
            place: mutant.place(loaded),
            fate: fate(mutant, suites),
        };
        // A change to what is the same without it, such as a default that is written out, cannot be noticed.
        let means = |loaded: &Loaded| loaded.config.as_ref().map(|config| format!("{config:?}"));
        let (original, environment) = (means(loaded), suites.first()?.environment());
        let mut changes = mutants(loaded);
        changes.retain(|mutant| means(&mutant.load(loaded, &environment)) != original);
        let trials = in_parallel(threads, &changes, trial);
        Some(Self { gateway: gateway.to_vec(), trials })
    }

    /// Changes that were noticed or refused, and all that may be expected to be: those with an excuse are not.
    pub fn count(&self) -> (usize, usize) {
        let unnoticed = self.trials.iter().filter(|trial| trial.fate == Fate::Unnoticed(None)).count();
        let excused = self.trials.iter().filter(|trial| matches!(trial.fate, Fate::Unnoticed(Some(_)))).count();
        let all = self.trials.len() - excused;
        (all - unnoticed, all)
    }

    pub fn json(&self) -> Value {
        let trial = |trial: &Trial| {
            let (fate, test, excuse) = match &trial.fate {
                Fate::Refused => ("refused", None, None),
                Fate::Noticed(test) => ("noticed", Some(test), None),
                Fate::Unnoticed(excuse) => ("unnoticed", None, excuse.as_ref()),
            };
            json!({
                "what": trial.what,
                "file": trial.place.path.display().to_string(),
                "line": trial.place.line,
                "column": trial.place.column,
                "fate": fate,
                "test": test,
                "excuse": excuse,
            })
        };
        let (noticed, all) = self.count();
        json!({
            "gateway": self.gateway.iter().map(|path| path.display().to_string()).collect::<Value>(),
            "noticed": noticed,
            "all": all,
            "changes": self.trials.iter().map(trial).collect::<Value>(),
        })
    }
}

fn fate(mutant: &Mutant, suites: &[Suite]) -> Fate {
    for suite in suites {
        let (_, original) = suite.tested();
        let changed = mutant.load(original, &suite.environment());
        if changed.config.is_none() {
            return Fate::Refused;
        }
        let changed = suite.of(changed);
        let outcomes = (0..changed.names().len()).filter_map(|number| changed.play(number));
        if let Some(failed) = outcomes.into_iter().find(|outcome| !outcome.failures.is_empty()) {
            return Fate::Noticed(failed.name);
        }
    }
    let excuse = suites.first().and_then(|suite| mutant.excuse(suite.tested().1));
    Fate::Unnoticed(excuse)
}
