//! A conversation as a JSON list of messages, as OpenTelemetry's conventions have it.

use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{Content, Message, Part};

use super::cut;

/// Bytes that a message, or a part of one, takes up however little it says: what has no text is bounded as well.
const FRAME: usize = 48;

/// The messages, with no more than so many bytes of text and what it is framed with. The newest go first.
pub fn messages(all: &[Message], most: usize) -> String {
    let mut left = most;
    let fitting = all.iter().rev().take_while(|message| {
        let has_room = left > 0;
        left = left.saturating_sub(size(&message.parts));
        has_room
    });
    let from = all.len() - fitting.count();
    let mut rest = most;
    let mut writer = Writer::with_capacity(512);
    writer.array(|w| {
        if from > 0 {
            message(w, "system", |w| text(w, &cut(from, "messages")));
        }
        // What there is too much of is cut in the oldest of those that fit.
        let newer: usize = all.iter().skip(from + 1).map(|message| size(&message.parts)).sum();
        let mut first = most.saturating_sub(newer);
        for (number, one) in all.iter().enumerate().skip(from) {
            let room = if number == from { &mut first } else { &mut rest };
            *room = room.saturating_sub(FRAME);
            message(w, one.role.name(), |w| parts(w, &one.parts, room));
        }
    });
    writer.into_json().0.to_string()
}

/// What stands for a conversation that there is no room for.
pub fn nothing() -> String {
    let mut writer = Writer::new();
    writer.array(|w| message(w, "system", |w| text(w, "…[cut: all, for want of room]")));
    writer.into_json().0.to_string()
}

fn message(writer: &mut Writer, role: &'static str, parts: impl FnOnce(&mut Writer)) {
    writer.object(|w| {
        w.key("role").word(role);
        w.key("parts").array(parts);
    });
}

pub fn text(writer: &mut Writer, content: &str) {
    said(writer, "text", content);
}

/// Writes what was said or thought.
pub fn said(writer: &mut Writer, kind: &'static str, content: &str) {
    writer.object(|w| {
        w.key("type").word(kind);
        w.key("content").str(content);
    });
}

pub fn tool_call(writer: &mut Writer, id: &str, name: &str, arguments: &str) {
    writer.object(|w| {
        w.key("type").word("tool_call");
        w.key("id").str(id);
        w.key("name").str(name);
        w.key("arguments").str(arguments);
    });
}

/// Writes what has no text that could be told.
pub fn other(writer: &mut Writer, kind: &str) {
    writer.object(|w| w.key("type").str(kind));
}

/// Writes the parts that there is room for.
fn parts(w: &mut Writer, parts: &[Part], room: &mut usize) {
    for (number, one) in parts.iter().enumerate() {
        if *room == 0 {
            return text(w, &cut(parts.len() - number, "parts"));
        }
        *room = room.saturating_sub(FRAME);
        part(w, one, room);
    }
}

/// Writes a part; what of its text there is no room for is cut.
fn part(w: &mut Writer, part: &Part, room: &mut usize) {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => said(w, "text", &shortened(text, room)),
        Content::Thinking(thinking) => said(w, "reasoning", &shortened(&thinking.text, room)),
        Content::ToolCall(call) => {
            let (id, name) = (shortened(&call.id, room), shortened(&call.name, room));
            tool_call(w, &id, &name, &shortened(&call.arguments, room));
        }
        Content::ToolResult(result) => w.object(|w| {
            w.key("type").word("tool_call_response");
            w.key("id").str(&shortened(&result.call_id, room));
            w.key("result").array(|w| parts(w, &result.parts, room));
        }),
        Content::Image(_) => other(w, "image"),
        Content::File(_) => other(w, "file"),
        Content::Audio { .. } => other(w, "audio"),
        Content::Other(unknown) => other(w, &shortened(&unknown.kind.as_str().into(), room)),
    }
}

fn shortened(text: &Text, room: &mut usize) -> String {
    let text = text.as_str();
    let end = (0..=text.len().min(*room)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    *room -= end;
    let kept = text.get(..end).unwrap_or_default();
    if end == text.len() { kept.to_owned() } else { kept.to_owned() + &cut(text.len() - end, "bytes") }
}

/// The bytes that a message of these parts takes up.
fn size(parts: &[Part]) -> usize {
    FRAME + parts.iter().map(bytes).sum::<usize>()
}

/// The bytes that a part takes up.
fn bytes(part: &Part) -> usize {
    let said = match &part.content {
        Content::ToolCall(call) => call.id.len() + part.bytes(),
        Content::ToolResult(result) => result.call_id.len() + result.parts.iter().map(bytes).sum::<usize>(),
        Content::Other(unknown) => unknown.kind.len(),
        _ => part.bytes(),
    };
    FRAME + said
}
