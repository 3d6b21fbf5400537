//! What was decided about a request, and why: the one record of it.
//!
//! Each step and each attempt leaves an entry; nothing else records decisions. Entries hold names, counts
//! and reasons, never text of the request.

use std::borrow::Cow;
use std::time::Duration;

use crate::base::ids::TargetName;
use crate::chat::Loss;

/// The decisions made about one request, in order.
#[derive(Debug, Default)]
pub struct Trail {
    pub steps: Vec<StepEntry>,
    pub attempts: Vec<AttemptEntry>,
    /// Time spent waiting for others outside of attempts: for the caller's body, and between attempts.
    pub pauses: Duration,
}

/// What a step decided.
#[derive(Debug)]
pub struct StepEntry {
    pub step: &'static str,
    /// `pass`, `answer`, `refuse`, or a word of the step's own.
    pub verdict: Cow<'static, str>,
    pub took: Duration,
    pub notes: Vec<(Cow<'static, str>, String)>,
}

/// How one attempt at a target went.
#[derive(Debug)]
pub struct AttemptEntry {
    pub target: TargetName,
    /// `ok`, or the class of the fault.
    pub outcome: &'static str,
    /// The fault in words; empty for `ok`.
    pub reason: String,
    pub took: Duration,
    /// What the target's dialect could not express.
    pub losses: Vec<Loss>,
}

impl Trail {
    /// Time spent waiting for others: what is left of a request's time is the gateway's own.
    pub fn waited(&self) -> Duration {
        self.pauses + self.attempts.iter().map(|attempt| attempt.took).sum::<Duration>()
    }

    /// How many times an upstream was really asked.
    pub fn asked(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.outcome != "passed_over").count()
    }
}
