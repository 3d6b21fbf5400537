//! A conversation as a JSON list of messages, as OpenTelemetry's conventions have it.

use crate::base::json::Writer;
use crate::base::text::Text;
use crate::chat::{Content, Message, Part};

use super::cut;

/// The messages, with no more than so many bytes of text. The newest go first.
pub fn messages(all: &[Message], most: usize) -> String {
    let mut left = most;
    let fitting = all.iter().rev().take_while(|message| {
        let size: usize = message.parts.iter().map(bytes).sum();
        let has_room = left > 0;
        left = left.saturating_sub(size);
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
        let newer: usize = all.iter().skip(from + 1).flat_map(|message| &message.parts).map(bytes).sum();
        let mut first = most.saturating_sub(newer);
        for (number, one) in all.iter().enumerate().skip(from) {
            let room = if number == from { &mut first } else { &mut rest };
            message(w, one.role.name(), |w| one.parts.iter().for_each(|one| part(w, one, room)));
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

/// Writes a part; what of its text there is no room for is cut.
fn part(w: &mut Writer, part: &Part, room: &mut usize) {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => said(w, "text", &shortened(text, room)),
        Content::Thinking(thinking) => said(w, "reasoning", &shortened(&thinking.text, room)),
        Content::ToolCall(call) => {
            tool_call(w, &call.id.as_str(), &call.name.as_str(), &shortened(&call.arguments, room));
        }
        Content::ToolResult(result) => w.object(|w| {
            w.key("type").word("tool_call_response");
            w.key("id").text(&result.call_id);
            w.key("result").array(|w| result.parts.iter().for_each(|part| self::part(w, part, room)));
        }),
        Content::Image(_) => other(w, "image"),
        Content::File(_) => other(w, "file"),
        Content::Audio { .. } => other(w, "audio"),
        Content::Other(unknown) => other(w, &unknown.kind),
    }
}

fn shortened(text: &Text, room: &mut usize) -> String {
    let text = text.as_str();
    let end = (0..=text.len().min(*room)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    *room -= end;
    let kept = text.get(..end).unwrap_or_default();
    if end == text.len() { kept.to_owned() } else { kept.to_owned() + &cut(text.len() - end, "bytes") }
}

/// The bytes of text in a part.
fn bytes(part: &Part) -> usize {
    match &part.content {
        Content::ToolResult(result) => result.parts.iter().map(bytes).sum(),
        _ => part.bytes(),
    }
}
