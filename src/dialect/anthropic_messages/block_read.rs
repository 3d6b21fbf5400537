//! Reading content blocks.
//!
//! A block of a known type is read in one pass; one of a type, or with a source, that the vocabulary has no
//! word for stays whole as [`Content::Other`].

use super::mark::{ABSENT, BARE};
use super::member::{optional, raw_object, required};
use super::source;
use crate::base::json::{Kind, Malformed, Reader, Result};
use crate::base::text::Text;
use crate::chat::{Content, Extra, File, Image, Other, Part, Thinking, ToolCall, ToolResult};

/// What a message, the instructions or a tool result contains.
pub(super) struct Body {
    pub parts: Vec<Part>,
    /// True if it was a bare string.
    pub is_bare: bool,
}

/// Reads a string or a list of blocks.
pub(super) fn body(reader: &mut Reader<'_>) -> Result<Body> {
    body_of(reader, block)
}

fn body_of<'a>(reader: &mut Reader<'a>, block: impl FnMut(&mut Reader<'a>) -> Result<Part>) -> Result<Body> {
    match reader.peek()? {
        Kind::String => Ok(Body { parts: vec![Part::text(reader.text()?)], is_bare: true }),
        Kind::Array => Ok(Body { parts: reader.list(block)?, is_bare: false }),
        _ => Err(Malformed::new("expected a string or a list of content blocks")),
    }
}

/// Reads a block.
pub(super) fn block(reader: &mut Reader<'_>) -> Result<Part> {
    read(reader, |kind, reader| match kind {
        "tool_result" => tool_result(reader).map(Some),
        _ => simple(kind, reader),
    })
}

/// Reads a block inside a tool result, where another one cannot be.
fn inner_block(reader: &mut Reader<'_>) -> Result<Part> {
    read(reader, simple)
}

fn read<'a>(
    reader: &mut Reader<'a>,
    known: impl FnOnce(&str, &mut Reader<'a>) -> Result<Option<Part>>,
) -> Result<Part> {
    let kind = required(reader.glimpse("type"), "type")?;
    let before = reader.clone();
    if let Some(part) = known(&kind, reader)? {
        return Ok(part);
    }
    *reader = before;
    let json = raw_object(reader)?;
    Ok(Part::new(Content::Other(Other { kind: kind.into_owned(), json })))
}

fn simple(kind: &str, reader: &mut Reader<'_>) -> Result<Option<Part>> {
    match kind {
        "text" => text(reader).map(Some),
        "image" => image(reader),
        "document" => document(reader),
        "tool_use" => tool_use(reader).map(Some),
        "thinking" => thinking(reader).map(Some),
        "redacted_thinking" => redacted_thinking(reader).map(Some),
        _ => Ok(None),
    }
}

/// A part whose content is not known yet.
fn blank() -> Part {
    Part::new(Content::Text(Text::default()))
}

/// What every block may have: its type, which is known, a cache marker, and what nobody knows.
fn common(part: &mut Part, key: &str, reader: &mut Reader<'_>) -> Result<()> {
    match key {
        "type" => Ok(()),
        "cache_control" => {
            part.cache = optional(&mut part.extra, key, reader, Reader::raw)?;
            Ok(())
        }
        _ => part.extra.keep(key, reader),
    }
}

fn text(reader: &mut Reader<'_>) -> Result<Part> {
    let (mut part, mut text) = (blank(), None);
    reader.object(|reader, key| match key {
        "text" => {
            text = Some(reader.text()?);
            Ok(())
        }
        _ => common(&mut part, key, reader),
    })?;
    part.content = Content::Text(required(text, "text")?);
    Ok(part)
}

fn image(reader: &mut Reader<'_>) -> Result<Option<Part>> {
    let (mut part, mut found) = (blank(), None);
    reader.object(|reader, key| match key {
        "source" => {
            found = source::read(reader)?;
            Ok(())
        }
        _ => common(&mut part, key, reader),
    })?;
    Ok(found.map(|source| {
        part.content = Content::Image(Image { source, detail: None });
        part
    }))
}

fn document(reader: &mut Reader<'_>) -> Result<Option<Part>> {
    let (mut part, mut found, mut name) = (blank(), None, None);
    reader.object(|reader, key| {
        match key {
            "source" => found = source::read(reader)?,
            "title" => name = optional(&mut part.extra, key, reader, Reader::text)?,
            _ => common(&mut part, key, reader)?,
        }
        Ok(())
    })?;
    Ok(found.map(|source| {
        part.content = Content::File(File { source, name });
        part
    }))
}

fn tool_use(reader: &mut Reader<'_>) -> Result<Part> {
    let mut part = blank();
    let (mut id, mut name, mut input) = (None, None, None);
    reader.object(|reader, key| {
        match key {
            "id" => id = Some(reader.text()?),
            "name" => name = Some(reader.text()?),
            "input" => input = Some(reader.raw_text()?),
            // Whom else should the model's own call be from?
            "caller" if reader.glimpse("type").as_deref() == Some("direct") => {
                part.extra.note(key, raw_object(reader)?)
            }
            _ => common(&mut part, key, reader)?,
        }
        Ok(())
    })?;
    part.content = Content::ToolCall(ToolCall {
        id: required(id, "id")?,
        name: required(name, "name")?,
        arguments: required(input, "input")?,
    });
    Ok(part)
}

fn tool_result(reader: &mut Reader<'_>) -> Result<Part> {
    let mut part = blank();
    let (mut call_id, mut content, mut is_error) = (None, None, None);
    reader.object(|reader, key| {
        match key {
            "tool_use_id" => call_id = Some(reader.text()?),
            "content" => {
                content = optional(&mut part.extra, key, reader, |reader| body_of(reader, inner_block))?;
            }
            "is_error" => is_error = optional(&mut part.extra, key, reader, Reader::bool)?,
            _ => common(&mut part, key, reader)?,
        }
        Ok(())
    })?;
    match &content {
        Some(body) if body.is_bare => part.extra.mark(BARE),
        Some(_) => {}
        None => part.extra.mark(ABSENT),
    }
    let parts = content.map(|body| body.parts).unwrap_or_default();
    part.content = Content::ToolResult(ToolResult { call_id: required(call_id, "tool_use_id")?, parts, is_error });
    Ok(part)
}

fn thinking(reader: &mut Reader<'_>) -> Result<Part> {
    let (mut part, mut text, mut signature) = (blank(), None, None);
    reader.object(|reader, key| {
        match key {
            "thinking" => text = Some(reader.text()?),
            "signature" => signature = optional(&mut part.extra, key, reader, Reader::text)?,
            _ => common(&mut part, key, reader)?,
        }
        Ok(())
    })?;
    part.content = Content::Thinking(Thinking { text: required(text, "thinking")?, signature, sealed: None });
    Ok(part)
}

fn redacted_thinking(reader: &mut Reader<'_>) -> Result<Part> {
    let (mut part, mut data) = (blank(), None);
    reader.object(|reader, key| match key {
        "data" => {
            data = Some(reader.text()?);
            Ok(())
        }
        _ => common(&mut part, key, reader),
    })?;
    let sealed = Some(required(data, "data")?);
    part.content = Content::Thinking(Thinking { sealed, ..Thinking::default() });
    Ok(part)
}

/// Marks a message's extra with how its content was written.
pub(super) fn mark_bare(extra: &mut Extra, body: &Body) {
    if body.is_bare {
        extra.mark(BARE);
    }
}
