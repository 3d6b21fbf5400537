//! What came of one call of a hook.

use super::played::Done;
use crate::wasm::types::{Denial, Finding, Tag};
use crate::wasm::{Report, Trouble};

/// What came of a moment.
pub struct Came {
    pub said: Result<Said, Trouble>,
    /// Of a stream, of all its calls together.
    pub report: Report,
    pub done: Done,
}

/// What the plugin has said, and what it comes to.
#[derive(Debug, Default)]
pub struct Said {
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
    pub tags: Vec<Tag>,
    /// What the request or the answer says after all edits.
    pub texts: Vec<String>,
    pub model: String,
    /// The parameters after all edits.
    pub params: serde_json::Value,
    pub headers: Vec<(String, String)>,
    /// What the caller has read of a stream by then.
    pub read: String,
}

#[derive(Debug, Default)]
pub enum Verdict {
    #[default]
    Pass,
    Deny(Denial),
    /// The text of the plugin's own answer.
    Respond(String),
}

impl Verdict {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Deny(_) => "deny",
            Self::Respond(_) => "respond",
        }
    }
}
