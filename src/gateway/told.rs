//! What is told of a request when it is over: all that was decided about it, and what it cost, as a [`Story`].
//!
//! The request itself only gathers what a story is made of and hands it over; it is made in a task of its own.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::base::baggage;
use crate::base::trace::TraceContext;
use crate::chat::{Event, Frame, Numbers, Usage};
use crate::dialect::is_semantic;
use crate::gateway::bill::Bill;
use crate::gateway::settle;
use crate::pipeline::cx::Cx;
use crate::pipeline::trail::{AttemptEntry, StepEntry, Trail};
use crate::policy::Snapshot;
use crate::telemetry::Line;
use crate::telemetry::otlp::{self, Attempt, Link, PassedOver, StepTaken, Story, Texts};

/// What is noted of a request for its trace, beside its line in the log.
pub struct Traced {
    pub context: TraceContext,
    /// The trace of the request that this one is a copy of.
    pub link: Option<TraceContext>,
    pub is_of_stranger: bool,
    started: Instant,
    pub method: String,
    pub path: String,
    revision: Option<HeaderValue>,
    session: Option<Arc<str>>,
    tags: Vec<String>,
    estimated: Option<u64>,
    numbers: Numbers,
    baggage: Vec<(String, String)>,
    texts: Option<Arc<Texts>>,
    response: Option<(String, String)>,
    chunks: u32,
}

impl Traced {
    pub fn of(cx: &Cx) -> Box<Self> {
        Box::new(Self {
            context: cx.trace,
            link: None,
            is_of_stranger: false,
            started: cx.started,
            method: String::new(),
            path: String::new(),
            revision: None,
            session: None,
            tags: Vec::new(),
            estimated: None,
            numbers: Numbers::default(),
            baggage: Vec::new(),
            texts: cx.texts.clone(),
            response: None,
            chunks: 0,
        })
    }

    /// Notes how the request came, and under which revision.
    pub fn arrive(&mut self, headers: &HeaderMap, snapshot: &Snapshot) {
        self.revision = Some(snapshot.short_revision.clone());
        self.baggage = baggage::of(headers, &snapshot.baggage);
    }

    /// Notes what is known of the caller and its request once all is decided.
    pub fn describe(&mut self, cx: &Cx) {
        self.estimated = cx.question.as_ref().map(|question| question.estimated).filter(|estimated| *estimated > 0);
        self.numbers = cx.numbers.unwrap_or_default();
        self.session.clone_from(&cx.caller.session);
        self.tags = cx.caller.tags.iter().map(|tag| tag.to_string()).collect();
        self.tags.extend(cx.tags.iter().map(|(key, value)| format!("{key}={value}")));
    }

    /// The caller gets these bytes, which nobody reads.
    pub fn gives_unread(&self, bytes: &Bytes) {
        self.texts.iter().for_each(|texts| texts.gives_unread(bytes));
    }

    pub fn observe(&mut self, frame: &Frame) {
        self.texts.iter().for_each(|texts| texts.gives(std::slice::from_ref(frame)));
        self.chunks = self.chunks.saturating_add(u32::from(is_semantic(frame)));
        if self.response.is_some() {
            return;
        }
        self.response = frame.iter().find_map(|event| match event {
            Event::Start(start) => Some((start.id.as_str().into_owned(), start.model.as_str().into_owned())),
            Event::Whole(whole) => Some((whole.id.as_str().into_owned(), whole.model.as_str().into_owned())),
            _ => None,
        });
    }
}

/// A request that is over.
pub struct Told {
    pub traced: Box<Traced>,
    pub line: Line,
    pub trail: Trail,
    pub bill: Bill,
    /// Attempts that came to nothing, and cost something.
    pub failed: Vec<settle::Failed>,
}

/// A step that took so long has done something, whatever it says.
const NOTABLE: Duration = Duration::from_millis(1);

fn is_notable(step: &StepEntry) -> bool {
    step.verdict != "pass" || step.took >= NOTABLE || !step.remarks.is_empty()
}

impl Told {
    /// How many spans it makes.
    pub fn spans(&self) -> usize {
        1 + self.trail.asked() + self.trail.steps.iter().filter(|step| is_notable(step)).count()
    }

    pub fn story(self) -> Story {
        let steps = self.trail.steps.iter().filter(|step| is_notable(step)).map(|step| self.step(step)).collect();
        let passed = self.trail.attempts.iter().filter(|attempt| attempt.asked.is_none());
        let passed_over = passed.map(|attempt| PassedOver {
            target: attempt.target.to_string(),
            reason: attempt.reason.clone(),
            after: self.after(attempt.begun),
        });
        let passed_over = passed_over.collect();
        // Numbered like the lines of the bill.
        let asked = self.trail.attempts.iter().filter(|attempt| !attempt.is_passed_over()).enumerate();
        let attempts = asked.filter_map(|(number, attempt)| self.attempt(number, attempt)).collect();
        let Self { traced, line, .. } = self;
        Story {
            context: traced.context,
            link: traced.link.map(|of| Link { trace: of.trace, span: of.span }),
            began: SystemTime::from(line.time),
            line,
            is_of_stranger: traced.is_of_stranger,
            method: traced.method,
            path: traced.path,
            revision: traced.revision.and_then(|revision| revision.to_str().ok().map(ToOwned::to_owned)),
            session: traced.session,
            tags: traced.tags,
            estimated: traced.estimated,
            numbers: traced.numbers,
            baggage: traced.baggage,
            texts: traced.texts,
            steps,
            attempts,
            passed_over,
        }
    }

    fn after(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.traced.started)
    }

    fn step(&self, step: &StepEntry) -> StepTaken {
        StepTaken {
            name: step.step,
            is_guard: step.is_guard,
            after: self.after(step.begun),
            took: step.took,
            verdict: step.verdict.to_string(),
            notes: step.remarks.all().map(|(name, value)| (name.into_owned(), value)).collect(),
        }
    }

    fn attempt(&self, number: usize, attempt: &AttemptEntry) -> Option<Attempt> {
        let asked = attempt.asked.as_ref()?;
        let (line, provider) = (&self.line, &asked.target.provider);
        let is_last = number + 1 == line.attempts;
        let answered = is_last && attempt.outcome == "ok";
        let (outcome, reason) = match line.outcome {
            // The answer had begun.
            "cut" | "failed" if answered => (line.outcome, line.code.as_deref().unwrap_or_default()),
            _ => (attempt.outcome, attempt.reason.as_str()),
        };
        let after = self.after(attempt.begun);
        let is_open = answered || attempt.outcome == "abandoned";
        Some(Attempt {
            number: number + 1,
            span: attempt.span,
            after,
            took: if is_open { line.took.saturating_sub(after) } else { attempt.took },
            asked: otlp::Asked {
                target: attempt.target.to_string(),
                provider: provider.name().to_string(),
                kind: provider.kind().to_owned(),
                model: asked.model.to_string(),
                host: provider.address().host().to_owned(),
                port: provider.address().port(),
            },
            status: attempt.status,
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            is_recovered: !is_last && line.outcome != "failed",
            bill: self.bill(number, is_last, attempt),
        })
    }

    /// What an attempt has cost. Only the last one may have an answer.
    fn bill(&self, number: usize, is_last: bool, attempt: &AttemptEntry) -> Option<otlp::Bill> {
        if let Some(failed) = self.failed.iter().find(|failed| usize::from(failed.attempt) == number) {
            return Some(failed.bill.told());
        }
        if !is_last || self.bill.payee.is_none() {
            return None;
        }
        let (response_id, response_model) = self.traced.response.clone().unzip();
        let is_stream = self.line.stream && attempt.outcome == "ok";
        Some(otlp::Bill {
            response_id,
            response_model,
            finish: self.line.finish,
            first_token: is_stream.then_some(attempt.took),
            chunks: self.traced.chunks,
            ..self.bill.told()
        })
    }
}

impl Bill {
    /// What a trace says of it.
    fn told(&self) -> otlp::Bill {
        let cost = self.cost();
        let said = || self.usage.input_said().or(self.usage.output_said()).map(|_| self.usage.clone());
        let parts = cost.as_ref().map(|cost| self.parts(&cost.usage)).unwrap_or_default();
        let (nanos, is_estimate) =
            (cost.as_ref().map(|cost| cost.nanos), cost.as_ref().is_some_and(|cost| cost.is_estimate));
        otlp::Bill {
            usage: cost.map(|cost| cost.usage).or_else(said).map(Usage::detached),
            cost: nanos,
            parts,
            is_estimate,
            ..otlp::Bill::default()
        }
    }
}
