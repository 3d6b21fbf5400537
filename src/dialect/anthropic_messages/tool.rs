//! Tools, which of them may be called, and the ids of calls.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::member::{Cx, Members, object, optional, placeless, raw_object};
use crate::base::json::{Json, Kind, Reader, Result, Writer};
use crate::base::text::Text;
use crate::chat::{Extra, Request, Tool, ToolChoice};

/// Reads a tool; one that is not the caller's own function stays whole.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Tool> {
    let kind = reader.glimpse("type");
    let before = reader.clone();
    if kind.as_ref().is_none_or(|kind| kind == "custom")
        && let Some(tool) = read_function(reader)?
    {
        return Ok(tool);
    }
    *reader = before;
    let kind = kind.map_or_else(|| "custom".to_owned(), Cow::into_owned);
    Ok(Tool::Other { kind, json: raw_object(reader)? })
}

/// A function, if it has a name and a schema.
fn read_function(reader: &mut Reader<'_>) -> Result<Option<Tool>> {
    let mut extra = Extra::default();
    let (mut name, mut description, mut parameters, mut strict, mut cache) = (None, None, None, None, None);
    reader.object(|reader, key| {
        match key {
            "name" => name = Some(reader.text()?),
            "description" => description = optional(&mut extra, key, reader, Reader::text)?,
            "input_schema" => parameters = optional(&mut extra, key, reader, Reader::raw)?,
            "strict" => strict = optional(&mut extra, key, reader, Reader::bool)?,
            "cache_control" => cache = optional(&mut extra, key, reader, Reader::raw)?,
            // That it is the caller's own goes without saying elsewhere.
            "type" => extra.note(key, reader.raw()?),
            _ => extra.keep(key, reader)?,
        }
        Ok(())
    })?;
    Ok(name.filter(|_| parameters.is_some()).map(|name| Tool::Function {
        name,
        description,
        parameters,
        strict,
        cache,
        extra,
    }))
}

/// Bytes of what a tool says, about.
pub(super) fn size(tool: &Tool) -> u64 {
    let bytes = match tool {
        Tool::Function { name, description, parameters, .. } => {
            let schema = parameters.as_ref().map_or(0, |schema| schema.0.len());
            name.len() + description.as_ref().map_or(0, Text::len) + schema
        }
        Tool::Other { json, .. } => json.0.len(),
    };
    bytes as u64
}

/// Writes `tools`, those of them that Anthropic has a word for; true if there were any.
pub(super) fn write_all(tools: &[Tool], members: &mut Members<'_>, cx: &mut Cx<'_>) -> bool {
    let mut sayable = Vec::with_capacity(tools.len());
    for (index, tool) in tools.iter().enumerate() {
        match tool {
            Tool::Other { .. } if !cx.own => cx.left_out(format_args!("tools[{index}]")),
            _ => sayable.push((index, tool)),
        }
    }
    if sayable.is_empty() {
        return false;
    }
    members.key("tools").array(|writer| {
        for (index, tool) in sayable {
            write(index, tool, writer, cx);
        }
    });
    true
}

fn write(index: usize, tool: &Tool, writer: &mut Writer, cx: &mut Cx<'_>) {
    let Tool::Function { name, description, parameters, strict, cache, extra } = tool else {
        if let Tool::Other { json, .. } = tool {
            writer.raw(json);
        }
        return;
    };
    object(writer, |members| {
        members.text("name", name);
        if let Some(description) = description {
            members.text("description", description);
        }
        write_schema(parameters.as_ref(), members.key("input_schema"), cx);
        if let Some(strict) = strict {
            members.key("strict").bool(*strict);
        }
        if let Some(cache) = cache {
            members.key("cache_control").raw(cache);
        }
        members.rest(extra, cx, format_args!("tools[{index}]."));
    });
}

/// Anthropic refuses a schema that does not say it is an object's; elsewhere that goes without saying.
fn write_schema(schema: Option<&Json>, writer: &mut Writer, cx: &Cx<'_>) {
    if let Some(schema) = schema.filter(|_| cx.own) {
        return writer.raw(schema);
    }
    let Some(schema) = schema.filter(|schema| schema.kind() == Kind::Object) else {
        return writer.object(|writer| {
            writer.key("type").str("object");
            writer.key("properties").object(|_| ());
        });
    };
    if schema.reader().glimpse("type").is_some() {
        return writer.raw(schema);
    }
    object(writer, |members| {
        members.str("type", "object");
        members.rest_of(schema);
    });
}

/// Reads a `tool_choice`, and whether several tools may be called at once. One with more to it than we
/// know stays whole.
pub(super) fn read_choice(raw: Json) -> Result<(ToolChoice, Option<bool>)> {
    let (mut kind, mut name, mut is_single, mut is_odd) = (None, None, None, false);
    raw.reader().object(|reader, key| {
        match (key, reader.peek()?) {
            ("type", Kind::String) => kind = Some(reader.string()?),
            ("name", Kind::String) => name = Some(placeless(&reader.text()?)),
            ("disable_parallel_tool_use", Kind::Bool) => is_single = Some(reader.bool()?),
            _ => is_odd = true,
        }
        Ok(())
    })?;
    let choice = match (kind.as_deref().filter(|_| !is_odd), name) {
        (Some("auto"), None) => ToolChoice::Auto,
        (Some("any"), None) => ToolChoice::Required,
        (Some("none"), None) => ToolChoice::None,
        (Some("tool"), Some(name)) => ToolChoice::Named(name),
        _ => ToolChoice::Other(raw),
    };
    Ok((choice, is_single.map(|is_single: bool| !is_single)))
}

/// Writes `tool_choice`. That tools may not be called in parallel is said inside it, so it is written for
/// that alone as well.
pub(super) fn write_choice(request: &Request, has_tools: bool, members: &mut Members<'_>, cx: &mut Cx<'_>) {
    let parallel = request.params.parallel_tools;
    let choice = match &request.tool_choice {
        Some(ToolChoice::Other(json)) if cx.own => return members.key("tool_choice").raw(json),
        Some(ToolChoice::Other(_)) => {
            cx.left_out(format_args!("tool_choice"));
            None
        }
        choice => choice.as_ref(),
    };
    if !has_tools && !cx.own {
        if matches!(choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
            cx.left_out(format_args!("tool_choice"));
        }
        return;
    }
    let Some(choice) = choice.or((parallel == Some(false)).then_some(&ToolChoice::Auto)) else { return };
    object(members.key("tool_choice"), |members| {
        match choice {
            ToolChoice::Auto | ToolChoice::Other(_) => members.str("type", "auto"),
            ToolChoice::None => members.str("type", "none"),
            ToolChoice::Required => members.str("type", "any"),
            ToolChoice::Named(name) => {
                members.str("type", "tool");
                members.text("name", name);
            }
        }
        match parallel {
            Some(parallel) if cx.own => members.key("disable_parallel_tool_use").bool(!parallel),
            Some(false) if *choice != ToolChoice::None => members.key("disable_parallel_tool_use").bool(true),
            _ => {}
        }
    });
}

/// The id of a call as Anthropic takes it (`^[a-zA-Z0-9_-]+$`). The same id always becomes the same, so a
/// call and its result still agree.
pub(super) fn call_id(id: &Text, is_own: bool) -> Text {
    let characters = id.as_str();
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if is_own || (!characters.is_empty() && characters.chars().all(is_fine)) {
        return id.clone();
    }
    let mut clean = String::from(if characters.is_empty() { "call" } else { "" });
    for c in characters.chars() {
        if is_fine(c) {
            clean.push(c);
        } else {
            // Not merely `_`: two ids that differ must go on differing.
            let _ = write!(clean, "_{:x}", u32::from(c));
        }
    }
    clean.into()
}

/// The arguments of a call as the object Anthropic wants: `{}` for none; what is no object becomes the
/// member `arguments` of one, so that the model still sees what it said.
pub(super) fn arguments(arguments: &Text, is_own: bool) -> Arguments {
    let text = arguments.as_str();
    let text = text.trim();
    let is_json = || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if (is_own || text.starts_with('{')) && is_json() {
        Arguments::AsTheyAre
    } else if text.is_empty() || text == "null" {
        Arguments::None
    } else {
        Arguments::Wrapped
    }
}

/// How a call's arguments can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arguments {
    AsTheyAre,
    None,
    Wrapped,
}

impl Arguments {
    pub fn write(self, arguments: &Text, writer: &mut Writer) {
        match self {
            Self::AsTheyAre => writer.json_text(arguments),
            Self::None => writer.object(|_| ()),
            Self::Wrapped => writer.object(|writer| writer.key("arguments").text(arguments)),
        }
    }
}
