//! What a dialect must be able to do to be simulated.

use bytes::Bytes;
use serde_json::Value;

use crate::provider::simulator::ask::{Ask, Complaint};
use crate::provider::simulator::said::Said;

/// When all answers were created: always the same moment, so that the same request gets the same bytes.
pub(super) const CREATED: u64 = 1_767_225_600;

/// A dialect as a provider speaks it. `nth` is the number of the request, from which ids are made.
pub(super) trait Voice: Sync {
    /// What is asked, or why it cannot be answered.
    fn read(&self, body: &Value) -> Result<Ask, Complaint>;
    fn whole(&self, ask: &Ask, said: &Said, nth: u64) -> Value;
    fn frames(&self, ask: &Ask, said: &Said, nth: u64) -> Vec<Frame>;
    fn complaint(&self, complaint: &Complaint, nth: u64) -> Value;
    /// An error in the middle of a stream.
    fn error_frame(&self, complaint: &Complaint) -> Frame;
    /// The prompt is longer than the context.
    fn too_long(&self) -> Complaint;
    /// The content filter refuses the prompt.
    fn filtered(&self) -> Complaint;
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    /// Whether it is a token of the answer, which takes its time.
    pub(super) is_token: bool,
}

impl Frame {
    pub(super) fn data(data: &Value) -> Self {
        Self::raw(format!("data: {data}\n\n"))
    }

    pub(super) fn event(name: &str, data: &Value) -> Self {
        Self::raw(format!("event: {name}\ndata: {data}\n\n"))
    }

    pub(super) fn raw(text: impl Into<Bytes>) -> Self {
        Self { bytes: text.into(), is_token: false }
    }

    pub(super) fn timed(self) -> Self {
        Self { is_token: true, ..self }
    }
}
