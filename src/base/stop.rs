//! The two ways a request comes to nothing: we refuse it, or every target failed it.
//!
//! A [`Refusal`] is ours and says what the caller can do. A [`Fault`] is one attempt's, and answers two
//! questions: *what class is it* (which a policy's `retry_on` names) and *whose is it*. Neither holds a
//! body of the caller's or a credential.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::base::ids::{DialectId, TargetName};

/// Why a request ends without the answer it asked for.
#[derive(Debug, Clone)]
pub enum Stop {
    Refused(Refusal),
    Failed(Failed),
}

impl Stop {
    /// The HTTP status the caller gets.
    pub fn status(&self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.status,
            Self::Failed(failed) => failed.fault.status_for_caller(),
        }
    }

    /// A short stable word for the reason: what clients match on and logs count.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::Failed(failed) => failed.fault.code(),
        }
    }

    pub fn message(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.message.clone(),
            Self::Failed(failed) => failed.for_caller(),
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            Self::Failed(failed) => failed.fault.retry_after(),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What the gateway itself will not do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: Cow<'static, str>,
    pub message: String,
    /// The field of the request that is at fault, as a path: `messages[2].content`.
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
    /// What else the caller is told.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), param: None, retry_after: None, headers: Vec::new() }
    }

    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(401, "invalid_api_key", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "forbidden", message)
    }

    pub fn unknown_model(model: &str) -> Self {
        let message = format!("the model `{model}` does not exist or you may not use it");
        Self { param: Some("model".into()), ..Self::new(404, "model_not_found", message) }
    }

    pub fn no_policy(model: &str) -> Self {
        Self::new(404, "no_policy", format!("no policy covers this caller and the model `{model}`"))
    }

    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "request_too_large", format!("the request body is larger than {limit} bytes"))
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal_error", message)
    }

    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// Every target was tried, or none could be.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The fault the caller is told of: that of the last attempt.
    pub fault: Fault,
    /// The targets that were tried, in order, once per attempt.
    pub tried: Vec<TargetName>,
}

impl Failed {
    /// What happened, in the upstream's words where it had any. The caller wrote the prompt that these may
    /// quote; a log must not have them.
    fn for_caller(&self) -> String {
        let mut message = self.fault.to_string();
        // What an upstream says of the gateway's own credential is not for the caller.
        let reply = self.fault.reply().filter(|_| self.fault.class() != FaultClass::Credential);
        if let Some(reply) = reply.filter(|reply| !reply.message.is_empty()) {
            message.push_str(": ");
            message.push_str(&reply.message);
        }
        if self.tried.len() > 1 {
            let tried: Vec<_> = self.tried.iter().map(TargetName::as_str).collect();
            message.push_str(&format!(" (tried {})", tried.join(", ")));
        }
        message
    }
}

/// Why an attempt at a target came to nothing.
///
/// Its text names targets, limits and statuses, never an upstream's words: those may quote the prompt.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No connection could be made, or it broke before an answer began.
    #[error("`{target}` could not be reached: {reason}")]
    Unreachable { target: TargetName, reason: String },
    /// No byte arrived within the time the policy grants.
    #[error("`{target}` sent no {phase} within {}", crate::base::duration::show(*limit))]
    Silent { target: TargetName, phase: Phase, limit: Duration },
    /// The target asked us to slow down; it may say for how long.
    #[error("`{target}` is overloaded")]
    Overloaded { target: TargetName, retry_after: Option<Duration>, reply: Box<Reply> },
    /// The target failed of itself (5xx, or an error event in its stream).
    #[error("`{target}` failed with status {}", reply.status)]
    Broken { target: TargetName, reply: Box<Reply> },
    /// The target does not accept the gateway's own credential.
    #[error("`{target}` does not accept the gateway's credential (status {})", reply.status)]
    Credential { target: TargetName, reply: Box<Reply> },
    /// The prompt does not fit this model.
    #[error("the request is too long for `{target}`")]
    TooLong { target: TargetName, reply: Box<Reply> },
    /// The provider's own content filter refused the request.
    #[error("`{target}` refused the content")]
    Filtered { target: TargetName, reply: Box<Reply> },
    /// The target says the request is wrong. Another target would most likely say the same.
    #[error("`{target}` rejected the request with status {}", reply.status)]
    Rejected { target: TargetName, reply: Box<Reply> },
    /// The answer ended in the middle.
    #[error("`{target}` cut its answer short: {reason}")]
    Cut { target: TargetName, reason: String },
    /// The reply was not what its dialect promises. Asking again will not help.
    #[error("`{target}` sent a reply that is not {dialect}: {reason}")]
    Garbled { target: TargetName, dialect: DialectId, reason: String },
    /// The target was passed over: its breaker is open or its permits are all taken.
    #[error("`{target}` was not tried: {reason}")]
    PassedOver { target: TargetName, reason: String, retry_after: Option<Duration> },
}

impl Fault {
    pub fn target(&self) -> &TargetName {
        match self {
            Self::Unreachable { target, .. }
            | Self::Silent { target, .. }
            | Self::Overloaded { target, .. }
            | Self::Broken { target, .. }
            | Self::Credential { target, .. }
            | Self::TooLong { target, .. }
            | Self::Filtered { target, .. }
            | Self::Rejected { target, .. }
            | Self::Cut { target, .. }
            | Self::Garbled { target, .. }
            | Self::PassedOver { target, .. } => target,
        }
    }

    /// The class a policy's `retry_on` names.
    pub fn class(&self) -> FaultClass {
        match self {
            Self::Unreachable { .. } => FaultClass::Connect,
            Self::Silent { phase: Phase::Connection, .. } => FaultClass::Connect,
            Self::Silent { .. } => FaultClass::Timeout,
            Self::Overloaded { .. } => FaultClass::RateLimited,
            Self::Broken { .. } => FaultClass::ServerError,
            Self::Credential { .. } => FaultClass::Credential,
            Self::TooLong { .. } => FaultClass::ContextTooLong,
            Self::Filtered { .. } => FaultClass::ContentFiltered,
            Self::Rejected { .. } => FaultClass::Rejected,
            Self::Cut { .. } => FaultClass::CutBeforeFirstToken,
            Self::Garbled { .. } => FaultClass::Garbled,
            Self::PassedOver { .. } => FaultClass::PassedOver,
        }
    }

    /// What the upstream said, when it said something.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Overloaded { reply, .. }
            | Self::Broken { reply, .. }
            | Self::Credential { reply, .. }
            | Self::TooLong { reply, .. }
            | Self::Filtered { reply, .. }
            | Self::Rejected { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// A provider's refusal of our own credential, or its failure, is not the caller's 401 or 500.
    pub fn status_for_caller(&self) -> u16 {
        match self {
            Self::Silent { .. } => 504,
            Self::Overloaded { reply, .. } if reply.status == 429 => 429,
            Self::Overloaded { .. } | Self::PassedOver { .. } => 503,
            Self::TooLong { reply, .. } | Self::Filtered { reply, .. } | Self::Rejected { reply, .. }
                if (400..500).contains(&reply.status) =>
            {
                reply.status
            }
            Self::TooLong { .. } | Self::Filtered { .. } | Self::Rejected { .. } => 400,
            Self::Broken { reply, .. } if matches!(reply.status, 503 | 504) => reply.status,
            Self::Broken { .. }
            | Self::Unreachable { .. }
            | Self::Credential { .. }
            | Self::Cut { .. }
            | Self::Garbled { .. } => 502,
        }
    }

    /// A stable word for clients and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "upstream_unreachable",
            Self::Silent { .. } => "upstream_timeout",
            Self::Overloaded { .. } => "upstream_rate_limited",
            Self::Broken { .. } => "upstream_error",
            Self::Credential { .. } => "upstream_credential",
            Self::TooLong { .. } => "context_length_exceeded",
            Self::Filtered { .. } => "content_filter",
            Self::Rejected { .. } => "upstream_rejected",
            Self::Cut { .. } => "upstream_cut",
            Self::Garbled { .. } => "upstream_garbled",
            Self::PassedOver { .. } => "no_target_available",
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } | Self::PassedOver { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The part of an exchange that stayed silent too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Connection,
    Headers,
    FirstToken,
    NextToken,
    Whole,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::Headers => "response headers",
            Self::FirstToken => "first token",
            Self::NextToken => "further token",
            Self::Whole => "complete answer",
        })
    }
}

/// The classes of fault, as policies name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultClass {
    Connect,
    Timeout,
    RateLimited,
    ServerError,
    CutBeforeFirstToken,
    ContextTooLong,
    ContentFiltered,
    Credential,
    Garbled,
    Rejected,
    PassedOver,
}

impl FaultClass {
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::CutBeforeFirstToken => "cut_before_first_token",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::Credential => "credential",
            Self::Garbled => "garbled",
            Self::Rejected => "rejected",
            Self::PassedOver => "passed_over",
        }
    }
}

/// An upstream's error report and what class of fault it is, before it is known whose it was.
#[derive(Debug, Clone)]
pub struct Failure {
    pub class: FaultClass,
    pub reply: Reply,
}

impl Failure {
    /// The fault of an attempt at `target` that got this report.
    pub fn at(self, target: TargetName, retry_after: Option<Duration>) -> Fault {
        let reply = Box::new(self.reply);
        match self.class {
            FaultClass::RateLimited => Fault::Overloaded { target, retry_after, reply },
            FaultClass::Credential => Fault::Credential { target, reply },
            FaultClass::ContextTooLong => Fault::TooLong { target, reply },
            FaultClass::ContentFiltered => Fault::Filtered { target, reply },
            FaultClass::Rejected => Fault::Rejected { target, reply },
            FaultClass::Connect
            | FaultClass::Timeout
            | FaultClass::ServerError
            | FaultClass::CutBeforeFirstToken
            | FaultClass::Garbled
            | FaultClass::PassedOver => Fault::Broken { target, reply },
        }
    }
}

/// An upstream's error, read as far as its dialect allows.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    /// The provider's own words; empty if it had none.
    pub message: String,
    pub kind: Option<String>,
    pub code: Option<String>,
    pub param: Option<String>,
    /// The body as it came, and the dialect it is in, so that a caller of the same dialect gets it unchanged.
    pub wire: Option<(DialectId, Bytes)>,
}
