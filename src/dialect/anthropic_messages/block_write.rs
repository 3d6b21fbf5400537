//! Writing content blocks.
//!
//! [`is_sayable`] decides, and reports, what has to stay behind; [`write`] writes what remains.

use std::fmt;

use super::mark::{ABSENT, BARE};
use super::member::{Cx, Members, object};
use super::{source, tool};
use crate::base::json::Writer;
use crate::chat::{Content, File, Image, Part, Source, ToolCall, ToolResult};

/// True if Anthropic takes this part. Empty texts, which it refuses, go without a word; the rest is a loss.
pub(super) fn is_sayable(part: &Part, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) -> bool {
    let is_lost = match &part.content {
        Content::Text(text) | Content::Refusal(text) if !cx.own => return !text.is_empty(),
        Content::Audio { .. } => Some("audio"),
        _ if cx.own => None,
        Content::Other(other) => return lose(cx, at, &other.kind),
        Content::Thinking(thinking) => {
            (thinking.signature.is_none() && thinking.sealed.is_none()).then_some("thinking")
        }
        Content::Image(Image { source: Source::Uploaded(_) | Source::Plain(_), .. }) => Some("image"),
        Content::File(File { source: Source::Uploaded(_), .. }) => Some("file"),
        _ => None,
    };
    is_lost.is_none_or(|what| lose(cx, at, what))
}

fn lose(cx: &mut Cx<'_>, at: fmt::Arguments<'_>, what: &str) -> bool {
    cx.left_out(format_args!("{at}{what}"));
    false
}

/// Writes a list of blocks, or a bare string where the list was one or a single plain text is all there is.
pub(super) fn write_body(parts: &[&Part], is_bare: bool, writer: &mut Writer, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) {
    if let [Part { content: Content::Text(text), cache: None, extra }] = parts
        && extra.is_empty()
        && (is_bare || !cx.own)
    {
        return writer.text(text);
    }
    writer.array(|writer| {
        for part in parts {
            write(part, writer, cx, at);
        }
    });
}

/// Writes one block; `at` is the message it stands in, with a dot: `messages[3].`
pub(super) fn write(part: &Part, writer: &mut Writer, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) {
    if let Content::Other(other) = &part.content {
        return writer.raw(&other.json);
    }
    object(writer, |members| {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => {
                members.str("type", "text");
                members.text("text", text);
            }
            Content::Image(image) => write_image(image, members, cx, at),
            Content::File(file) => write_document(file, members, cx),
            Content::ToolCall(call) => write_call(call, members, cx, at),
            Content::ToolResult(result) => write_result(result, part, members, cx, at),
            Content::Thinking(thinking) => write_thinking(thinking, members, cx),
            // Neither gets here: one has no word, the other was written above.
            Content::Audio { .. } | Content::Other(_) => {}
        }
        // Elsewhere's markers are Anthropic's own JSON too; it refuses them on thinking.
        let takes_cache = cx.own || !matches!(part.content, Content::Thinking(_));
        if let Some(cache) = part.cache.as_ref().filter(|_| takes_cache) {
            members.key("cache_control").raw(cache);
        }
        members.rest(&part.extra, cx, at);
    });
}

fn write_image(image: &Image, members: &mut Members<'_>, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) {
    members.str("type", "image");
    write_source(&image.source, members, cx);
    if image.detail.as_ref().is_some_and(|detail| *detail != "auto") {
        cx.left_out(format_args!("{at}image.detail"));
    }
}

fn write_document(file: &File, members: &mut Members<'_>, cx: &Cx<'_>) {
    members.str("type", "document");
    write_source(&file.source, members, cx);
    if let Some(name) = &file.name {
        members.text("title", name);
    }
}

fn write_source(source: &Source, members: &mut Members<'_>, cx: &Cx<'_>) {
    let translated = if cx.own { None } else { source::translated(source) };
    source::write(translated.as_ref().unwrap_or(source), members.key("source"));
}

fn write_call(call: &ToolCall, members: &mut Members<'_>, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) {
    members.str("type", "tool_use");
    members.text("id", &tool::call_id(&call.id, cx.own));
    members.text("name", &call.name);
    let arguments = tool::arguments(&call.arguments, cx.own);
    if arguments == tool::Arguments::Wrapped {
        cx.add(format_args!("{at}arguments"), "not a JSON object, sent as its member `arguments`");
    }
    arguments.write(&call.arguments, members.key("input"));
}

fn write_result(result: &ToolResult, part: &Part, members: &mut Members<'_>, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) {
    members.str("type", "tool_result");
    members.text("tool_use_id", &tool::call_id(&result.call_id, cx.own));
    let parts: Vec<_> = result.parts.iter().filter(|part| is_sayable_inside(part, cx, at)).collect();
    let is_absent = !cx.own || cx.has_mark(&part.extra, ABSENT);
    if !(parts.is_empty() && is_absent) {
        let is_bare = cx.has_mark(&part.extra, BARE);
        write_body(&parts, is_bare, members.key("content"), cx, at);
    }
    if let Some(is_error) = result.is_error {
        members.key("is_error").bool(is_error);
    }
}

/// A tool result holds texts, images and documents.
fn is_sayable_inside(part: &Part, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) -> bool {
    match &part.content {
        _ if cx.own => is_sayable(part, cx, at),
        Content::ToolCall(_) | Content::ToolResult(_) | Content::Thinking(_) => lose(cx, at, "tool_result.content"),
        _ => is_sayable(part, cx, at),
    }
}

/// Anthropic's clients insist on a signature, so an answer's thinking that has none gets an empty one.
fn write_thinking(thinking: &crate::chat::Thinking, members: &mut Members<'_>, cx: &Cx<'_>) {
    if let Some(sealed) = &thinking.sealed {
        members.str("type", "redacted_thinking");
        return members.text("data", sealed);
    }
    members.str("type", "thinking");
    members.text("thinking", &thinking.text);
    match &thinking.signature {
        Some(signature) => members.text("signature", signature),
        None if cx.own => {}
        None => members.str("signature", ""),
    }
}
