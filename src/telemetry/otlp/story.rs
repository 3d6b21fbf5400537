//! What there is to tell of a request that is over: all that any dialect may want to say of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::texts::Texts;
use crate::base::money::Nanos;
use crate::base::trace::{SpanId, TraceContext, TraceId};
use crate::chat::{Numbers, Usage};
use crate::telemetry::Line;

/// A request, from the first byte to the last.
#[derive(Debug)]
pub struct Story {
    pub context: TraceContext,
    /// The request that this one was a copy of.
    pub link: Option<Link>,
    pub began: SystemTime,
    pub line: Line,
    /// Nobody knows who called, and the caller was not let in.
    pub is_of_stranger: bool,
    /// Empty for copies, which nobody has sent.
    pub method: String,
    /// Without its query.
    pub path: String,
    pub revision: Option<String>,
    pub session: Option<Arc<str>>,
    pub tags: Vec<String>,
    /// Tokens of the request, before anybody has counted them.
    pub estimated: Option<u64>,
    pub numbers: Numbers,
    /// What the caller carried along, as far as it is wanted.
    pub baggage: Vec<(String, String)>,
    /// What was said, if anybody is to have it.
    pub texts: Option<Arc<Texts>>,
    /// Those that did something, in order.
    pub steps: Vec<StepTaken>,
    /// Those that were sent, in order.
    pub attempts: Vec<Attempt>,
    pub passed_over: Vec<PassedOver>,
}

/// A span of another trace.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub trace: TraceId,
    pub span: SpanId,
}

/// A step that did something.
#[derive(Debug)]
pub struct StepTaken {
    pub name: &'static str,
    pub is_guard: bool,
    /// After the beginning of the request.
    pub after: Duration,
    pub took: Duration,
    pub verdict: String,
    /// Names and counts.
    pub notes: Vec<(String, String)>,
}

/// One try at one target.
#[derive(Debug)]
pub struct Attempt {
    /// Counted from 1.
    pub number: usize,
    pub span: SpanId,
    /// After the beginning of the request.
    pub after: Duration,
    pub took: Duration,
    pub asked: Asked,
    pub status: Option<u16>,
    /// `ok`, the class of the fault, `cut` or `abandoned`.
    pub outcome: String,
    /// The fault in words.
    pub reason: String,
    /// Another has answered after it.
    pub is_recovered: bool,
    pub bill: Option<Bill>,
}

/// Whom an attempt went to.
#[derive(Debug)]
pub struct Asked {
    pub target: String,
    pub provider: String,
    /// The kind of the provider, as policies name it.
    pub kind: String,
    /// Empty where the request names none.
    pub model: String,
    pub host: String,
    pub port: u16,
}

/// What an attempt has used and cost. Each token of a request is on one bill.
#[derive(Debug, Default)]
pub struct Bill {
    /// `None` if nobody knows what was used.
    pub usage: Option<Usage>,
    /// `None` if the price is not known. It is the sum of the parts.
    pub cost: Option<Nanos>,
    pub parts: Vec<Part>,
    /// Counted by the gateway, since the provider did not say.
    pub is_estimate: bool,
    pub response_id: Option<String>,
    pub response_model: Option<String>,
    pub finish: Option<&'static str>,
    /// Of a stream: until its first token, from the beginning of the attempt.
    pub first_token: Option<Duration>,
    /// Frames of a stream that said something.
    pub chunks: u32,
}

/// What one kind of token has cost.
pub type Part = (crate::chat::TokenKind, Nanos);

/// A target that stood in the plan and was not asked.
#[derive(Debug)]
pub struct PassedOver {
    pub target: String,
    pub reason: String,
    /// After the beginning of the request.
    pub after: Duration,
}

impl Story {
    /// How many spans it makes.
    pub fn spans(&self) -> usize {
        1 + self.steps.len() + self.attempts.len()
    }
}

impl Attempt {
    pub fn is_ok(&self) -> bool {
        self.outcome == "ok"
    }
}
