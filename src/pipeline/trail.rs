//! What was decided about a request, and why: the one record of it.
//!
//! Each step and each attempt leaves an entry; nothing else records decisions. Entries hold names, counts
//! and reasons, never text of the request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::ids::{PolicyName, TargetName};
use crate::base::trace::SpanId;
use crate::chat::Loss;
use crate::pipeline::charge::Asked;
use crate::pipeline::hold::{Late, Ruling};
use crate::pipeline::remarks::Remarks;

/// The decisions made about one request, in order.
#[derive(Debug, Default)]
pub struct Trail {
    pub detail: Detail,
    /// The policies that were looked at, the last of which decides; in full detail only.
    pub considered: Vec<Considered>,
    /// How the route was chosen; in full detail only.
    pub choices: Vec<ChoiceEntry>,
    /// Where the route leads, in order; in full detail only.
    pub planned: Vec<Planned>,
    pub steps: Vec<StepEntry>,
    /// What guards have done, for counting.
    pub acts: Vec<GuardAct>,
    pub attempts: Vec<AttemptEntry>,
    /// Time spent waiting for others outside of attempts: for the caller's body, and between attempts.
    pub pauses: Duration,
}

/// How much is noted. Reasons cost more than the decisions they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// What was decided.
    #[default]
    Brief,
    /// Why as well.
    Full,
}

/// A policy, and whether the request is its.
#[derive(Debug)]
pub struct Considered {
    pub policy: PolicyName,
    pub verdict: Verdict,
    /// How the policy's condition came out, if it came to that.
    pub condition: Option<Clause>,
}

/// Whether a request is a policy's, or what speaks against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Covers,
    /// Its steps cannot act on this kind of request.
    CannotAct,
    /// This field of its `for` names others.
    For(&'static str),
    /// Its condition does not hold.
    When,
}

/// A condition or a part of one, and how it came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    pub text: String,
    /// An error says why it cannot be answered; it then does not hold.
    pub holds: Result<bool, String>,
    /// What it asks of the request, where it has no parts that do.
    pub asked: Vec<(String, String)>,
    pub parts: Vec<Clause>,
}

/// How one node of a route chose.
#[derive(Debug)]
pub struct ChoiceEntry {
    /// The node, numbered in the order in which the policy writes them.
    pub site: u32,
    /// `fallback`, `weighted`, …
    pub way: &'static str,
    /// The branches in the order in which they will be tried.
    pub order: Vec<usize>,
    /// The conditions that were asked, in order.
    pub clauses: Vec<Clause>,
}

/// One stop of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    Target(TargetName),
    /// A refusal of this code.
    Deny(String),
}

/// What a step decided.
#[derive(Debug)]
pub struct StepEntry {
    pub step: &'static str,
    /// It judges texts, or takes out of them what others are not to see.
    pub is_guard: bool,
    pub begun: Instant,
    /// `pass`, `answer`, `refuse`, or a word of the step's own.
    pub verdict: Cow<'static, str>,
    pub took: Duration,
    pub remarks: Remarks,
    /// What is said of it after the trail has been handed on.
    pub late: Option<Late>,
}

/// What a guard did with a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardAct {
    pub guard: Arc<str>,
    /// `pass`, `refuse`, `unavailable`; `report` for what would have been refused.
    pub action: &'static str,
    /// The rule by which; empty if there is none.
    pub kind: String,
}

/// How one attempt at a target went.
#[derive(Debug)]
pub struct AttemptEntry {
    pub target: TargetName,
    /// The span that stands for it, which the target may be told.
    pub span: SpanId,
    pub begun: Instant,
    /// Whom it went to, and for which model; `None` if nothing was sent. The model of what costs nothing is empty.
    pub asked: Option<Asked>,
    /// The status that the target answered with, if it did.
    pub status: Option<u16>,
    /// `ok`, the class of the fault, or `abandoned` if the caller hung up meanwhile.
    pub outcome: &'static str,
    /// The fault in words; empty for `ok`.
    pub reason: String,
    /// Until it failed, or its answer was the caller's: of a stream until its first token.
    pub took: Duration,
    /// What the target's dialect could not express.
    pub losses: Vec<Loss>,
    /// Prefixes that were marked for the provider's own cache.
    pub marked: usize,
}

impl AttemptEntry {
    /// An attempt of which nothing is known yet, and never will be if the caller hangs up.
    pub fn begun(target: TargetName, begun: Instant) -> Self {
        Self {
            target,
            span: SpanId::fresh(),
            begun,
            asked: None,
            status: None,
            outcome: "abandoned",
            reason: String::new(),
            took: Duration::ZERO,
            losses: Vec::new(),
            marked: 0,
        }
    }

    /// The target was not even asked.
    pub fn is_passed_over(&self) -> bool {
        self.outcome == PASSED_OVER
    }
}

impl Trail {
    /// Notes what a guard has said for a step. An entry says the worst of all that was said for it.
    pub fn rule(&mut self, entry: usize, ruling: Ruling) {
        let action = match ruling.verdict {
            REFUSE if ruling.is_observed => "report",
            verdict => verdict,
        };
        // A step that counts for itself names no guard.
        if !ruling.guard.is_empty() {
            self.acts.push(GuardAct { guard: ruling.guard, action, kind: ruling.rule });
        }
        let Some(step) = self.steps.get_mut(entry) else { return };
        let is_stopped = ruling.stop.is_some();
        if is_stopped || step.verdict == "pass" {
            step.verdict = if is_stopped { REFUSE } else { ruling.verdict }.into();
        }
        step.took += ruling.took;
        let code = ruling.stop.map(|stop| ("code".into(), stop.code().to_owned()));
        for note in ruling.notes.into_iter().chain(code) {
            if !step.remarks.all().any(|known| known == note) {
                step.remarks.note(note.0, note.1);
            }
        }
    }

    /// Where a step is told of what is found out after the trail has been handed on.
    pub fn late(&mut self, entry: usize) -> Late {
        let step = self.steps.get_mut(entry);
        step.map(|step| step.late.get_or_insert_default().clone()).unwrap_or_default()
    }

    /// Takes in what has been said of steps since the trail was handed on.
    pub fn settle(&mut self) {
        for entry in 0..self.steps.len() {
            let late = self.steps.get_mut(entry).and_then(|step| step.late.take());
            late.iter().flat_map(Late::take).for_each(|ruling| self.rule(entry, ruling));
        }
    }

    /// Time spent waiting for others: what is left of a request's time is the gateway's own.
    pub fn waited(&self) -> Duration {
        self.pauses + self.attempts.iter().map(|attempt| attempt.took).sum::<Duration>()
    }

    /// How many times an upstream was really asked.
    pub fn asked(&self) -> usize {
        self.attempts.iter().filter(|attempt| !attempt.is_passed_over()).count()
    }
}

const REFUSE: &str = "refuse";
const PASSED_OVER: &str = "passed_over";
