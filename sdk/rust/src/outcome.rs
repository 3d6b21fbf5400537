//! Saying what becomes of a request or an answer.

use crate::{Denial, Edit, Finding, Message, Outcome, Part, Place, Reply, Role, Severity, Span, Tag, Verdict};

impl Outcome {
    /// On it goes. The other methods add to this.
    pub fn pass() -> Self {
        Self::new(Verdict::Pass)
    }

    /// The caller gets an error with this status (400 to 599), stable word and message.
    pub fn deny(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Verdict::Deny(Denial::new(status, code, message)))
    }

    /// The caller gets this text for an answer; of a request, no model is asked.
    pub fn respond(text: impl Into<String>) -> Self {
        let reply = Reply { parts: vec![Part::Text(text.into())], finish_reason: "stop".into() };
        Self::new(Verdict::Respond(reply))
    }

    fn new(verdict: Verdict) -> Self {
        Self { verdict, edits: Vec::new(), findings: Vec::new(), tags: Vec::new() }
    }

    /// Puts a text in the place of a range of bytes. Ranges of one text must not overlap.
    pub fn replace(self, span: Span, with: impl Into<String>) -> Self {
        self.edit(Edit::Replace((span, with.into())))
    }

    /// Puts a text in the place of a whole one.
    pub fn set_text(self, at: Place, text: impl Into<String>) -> Self {
        self.edit(Edit::SetText((at, text.into())))
    }

    /// Puts a message before the one of that number.
    pub fn insert(self, before: u32, message: Message) -> Self {
        self.edit(Edit::InsertMessage((before, message)))
    }

    /// Asks for another model. Needs the grant `request.model`.
    pub fn model(self, model: impl Into<String>) -> Self {
        self.edit(Edit::SetModel(model.into()))
    }

    /// Lays a JSON merge patch over the parameters, but for `tool_choice` and `response_format`; `null` takes one away.
    /// Needs the grant `request.params`.
    pub fn params(self, patch: &serde_json::Value) -> Self {
        self.edit(Edit::MergeParams(patch.to_string()))
    }

    /// Sends a header to the provider. Requests only; needs the grant `request.set_headers` with its name.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.edit(Edit::SetHeader(Tag { key: name.into(), value: value.into() }))
    }

    /// Any other edit.
    pub fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    /// Tags the request for plugins behind this one, for conditions of routes
    /// (`request.tags.exists(t, t == "key=value")`), and for the decision log.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push(Tag { key: key.into(), value: value.into() });
        self
    }

    /// Reports something that was noticed.
    pub fn finding(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }

    /// The code of a denial.
    pub fn denied_with(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Deny(denial) => Some(&denial.code),
            Verdict::Pass | Verdict::Respond(_) => None,
        }
    }
}

impl Denial {
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after_ms: None }
    }
}

impl Finding {
    /// Noticed for certain. `kind` is 1 to 64 characters of `a-z`, `0-9`, `_`, `-`, `.`.
    pub fn new(kind: impl Into<String>, severity: Severity) -> Self {
        Self { kind: kind.into(), severity, score: 1.0, at: None }
    }

    /// Where it is.
    pub fn at(mut self, span: Span) -> Self {
        self.at = Some(span);
        self
    }

    /// How sure the plugin is, from 0 to 1.
    pub fn score(mut self, score: f32) -> Self {
        self.score = score;
        self
    }
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, name: None, parts: vec![Part::Text(text.into())] }
    }
}
