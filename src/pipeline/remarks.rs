//! What a step has to say of its decision, in words and counts: never text of the request.
//!
//! Most remarks are never read: there are traces of some requests only. So a number is written out when somebody reads it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::json::Writer;
use crate::base::money::Nanos;

/// The remarks of one step on one request.
#[derive(Debug, Clone, Default)]
pub struct Remarks {
    notes: Vec<(Cow<'static, str>, Said)>,
    answer: Option<Arc<Counts>>,
    verdict: Option<&'static str>,
}

impl Remarks {
    pub fn note(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Said>) {
        self.notes.push((name.into(), value.into()));
    }

    /// Calls what the step has decided by a word of its own.
    pub fn conclude(&mut self, verdict: &'static str) {
        self.verdict = Some(verdict);
    }

    pub fn verdict(&self) -> Option<&'static str> {
        self.verdict
    }

    /// Where the step counts what it comes upon while the answer passes.
    pub fn count_answer(&mut self) -> Arc<Counts> {
        Arc::clone(self.answer.get_or_insert_default())
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.answer.iter().all(|counts| counts.json().is_none())
    }

    /// The name and value of each; the counts of the answer, so far, as a JSON object named `answer`.
    pub fn all(&self) -> impl Iterator<Item = (Cow<'static, str>, String)> {
        let answer = self.answer.iter().filter_map(|counts| counts.json());
        let notes = self.notes.iter().map(|(name, value)| (name.clone(), value.to_string()));
        notes.chain(answer.map(|json| (Cow::Borrowed("answer"), json)))
    }
}

/// The value of a note.
#[derive(Debug, Clone)]
pub enum Said {
    Words(Cow<'static, str>),
    Count(u64),
    Dollars(Nanos),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Count(count) => count.fmt(f),
            Self::Dollars(amount) => amount.fmt(f),
        }
    }
}

impl From<&'static str> for Said {
    fn from(words: &'static str) -> Self {
        Self::Words(words.into())
    }
}

impl From<String> for Said {
    fn from(words: String) -> Self {
        Self::Words(words.into())
    }
}

impl From<u64> for Said {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Nanos> for Said {
    fn from(amount: Nanos) -> Self {
        Self::Dollars(amount)
    }
}

/// How often what came up, counted while an answer passes.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    pub fn add(&self, what: &str, count: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what.to_owned()).or_default() += count;
    }

    /// `{"email":2}`; `None` if nothing came up.
    fn json(&self) -> Option<String> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!counts.is_empty()).then(|| counts_as_json(&counts))
    }
}

/// Counts as a JSON object.
pub fn counts_as_json<K: AsRef<str>>(counts: &BTreeMap<K, u64>) -> String {
    let mut writer = Writer::new();
    writer.object(|writer| {
        for (what, count) in counts {
            writer.any_key(what.as_ref()).u64(*count);
        }
    });
    writer.into_json().0.to_string()
}
