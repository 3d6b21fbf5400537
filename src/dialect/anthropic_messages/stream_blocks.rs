//! The blocks of a stream being written: one at a time, numbered without gaps.
//!
//! Other wires let parts overlap (two tool calls streamed side by side); Anthropic's does not. A part that
//! opens while another is open is held back until that one has closed.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::BytesMut;

use super::finish::Held;
use super::tool;
use crate::base::json::{Json, Writer};
use crate::chat::{Delta, Lane, Opening};

/// Writes one frame of the stream.
pub(super) fn put(out: &mut BytesMut, event: &'static str, members: impl FnOnce(&mut Writer)) {
    let mut writer = Writer::with_capacity(192);
    writer.object(|writer| {
        writer.key("type").str(event);
        members(writer);
    });
    put_data(out, event, &writer.into_bytes());
}

/// Writes a frame of JSON that is there already. It is put on one line: a line end can only be white space
/// there, and not every client knows that data may have several lines.
pub(super) fn put_data(out: &mut BytesMut, event: &str, data: &[u8]) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let one_line = data.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte });
    out.extend(one_line);
    out.extend_from_slice(b"\n\n");
}

#[derive(Debug, Default)]
pub(super) struct Blocks {
    open: Option<Lane>,
    /// How many blocks have been opened; the open one is the last of them.
    opened: u32,
    waiting: VecDeque<Waiting>,
    /// What kinds of parts there have been.
    pub held: Held,
}

/// A part that has to wait.
#[derive(Debug)]
struct Waiting {
    lane: Lane,
    what: Opening,
    deltas: Vec<Delta>,
    is_closed: bool,
}

impl Blocks {
    pub fn open_lane(&self) -> Option<Lane> {
        self.open
    }

    pub fn opened(&self) -> u32 {
        self.opened
    }

    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A block was opened by a frame that passed as it was.
    pub fn note_open(&mut self, lane: Lane, what: &Opening) {
        self.open = Some(lane);
        self.opened = self.opened.saturating_add(1);
        self.held.tool_calls |= matches!(what, Opening::ToolCall { .. });
        self.held.refusal |= matches!(what, Opening::Refusal);
    }

    /// The open block was closed by a frame that passed as it was.
    pub fn note_close(&mut self) {
        self.open = None;
    }

    pub fn open(&mut self, lane: Lane, what: &Opening, out: &mut BytesMut) {
        if !is_sayable(what) {
            return;
        }
        if self.open.is_some() {
            let what = what.clone();
            self.waiting.push_back(Waiting { lane, what, deltas: Vec::new(), is_closed: false });
            return;
        }
        put(out, "content_block_start", |writer| {
            writer.key("index").u64(self.opened.into());
            write_opening(what, writer.key("content_block"));
        });
        self.note_open(lane, what);
    }

    pub fn delta(&mut self, lane: Lane, delta: &Delta, out: &mut BytesMut) {
        if self.open == Some(lane) {
            self.write_delta(delta, out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.lane == lane) {
            waiting.deltas.push(delta.clone());
        }
    }

    pub fn close(&mut self, lane: Lane, out: &mut BytesMut) {
        if self.open == Some(lane) {
            self.close_open(out);
            self.let_go(out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.lane == lane) {
            waiting.is_closed = true;
        }
    }

    /// Writes and closes whatever there is.
    pub fn close_all(&mut self, out: &mut BytesMut) {
        for waiting in &mut self.waiting {
            waiting.is_closed = true;
        }
        if self.open.is_some() {
            self.close_open(out);
        }
        self.let_go(out);
    }

    /// Opens what has waited, up to the first part that is not complete.
    fn let_go(&mut self, out: &mut BytesMut) {
        while self.open.is_none()
            && let Some(next) = self.waiting.pop_front()
        {
            self.open(next.lane, &next.what, out);
            for delta in &next.deltas {
                self.write_delta(delta, out);
            }
            if next.is_closed {
                self.close_open(out);
            }
        }
    }

    fn close_open(&mut self, out: &mut BytesMut) {
        put(out, "content_block_stop", |writer| writer.key("index").u64(self.index()));
        self.open = None;
    }

    fn index(&self) -> u64 {
        u64::from(self.opened.saturating_sub(1))
    }

    fn write_delta(&self, delta: &Delta, out: &mut BytesMut) {
        let (kind, key, text) = match delta {
            Delta::Text(text) | Delta::Refusal(text) => ("text_delta", "text", text),
            Delta::Thinking(text) => ("thinking_delta", "thinking", text),
            Delta::Signature(text) => ("signature_delta", "signature", text),
            Delta::Arguments(text) => ("input_json_delta", "partial_json", text),
            Delta::Other(json) => return self.write_other(json, out),
        };
        if text.is_empty() {
            return;
        }
        put(out, "content_block_delta", |writer| {
            writer.key("index").u64(self.index());
            writer.key("delta").object(|writer| {
                writer.key("type").str(kind);
                writer.key(key).text(text);
            });
        });
    }

    /// A delta of a kind only its own dialect knows: all of Anthropic's are called so.
    fn write_other(&self, json: &Json, out: &mut BytesMut) {
        if kind_of(json).is_some_and(|kind| kind.ends_with("_delta")) {
            put(out, "content_block_delta", |writer| {
                writer.key("index").u64(self.index());
                writer.key("delta").raw(json);
            });
        }
    }
}

/// True unless this is a part of another dialect's own. An event does not tell its dialect, but Anthropic's
/// blocks tell theirs by their types.
fn is_sayable(what: &Opening) -> bool {
    let Opening::Other(json) = what else { return true };
    kind_of(json).is_some_and(|kind| {
        kind.ends_with("_tool_use")
            || kind.ends_with("_tool_result")
            || matches!(&*kind, "compaction" | "container_upload" | "fallback")
    })
}

fn kind_of(json: &Json) -> Option<Cow<'_, str>> {
    json.reader().glimpse("type")
}

fn write_opening(what: &Opening, writer: &mut Writer) {
    if let Opening::Other(json) = what {
        return writer.raw(json);
    }
    writer.object(|writer| match what {
        Opening::Text | Opening::Refusal => {
            writer.key("type").str("text");
            writer.key("text").str("");
        }
        Opening::Thinking => {
            writer.key("type").str("thinking");
            writer.key("thinking").str("");
            writer.key("signature").str("");
        }
        Opening::ToolCall { id, name } => {
            writer.key("type").str("tool_use");
            writer.key("id").text(&tool::call_id(id, false));
            writer.key("name").text(name);
            writer.key("input").object(|_| ());
        }
        Opening::Sealed(data) => {
            writer.key("type").str("redacted_thinking");
            writer.key("data").text(data);
        }
        Opening::Other(_) => {}
    });
}
