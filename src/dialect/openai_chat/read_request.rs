//! Requests, read.

use bytestring::ByteString;

use crate::base::json::{Json, Kind, Malformed, Number, Reader, Result};
use crate::base::text::Text;
use crate::chat::{Extra, Format, Reasoning, Request, Tool, ToolChoice};
use crate::dialect::openai_chat::ID;
use crate::dialect::openai_chat::level::Level;
use crate::dialect::openai_chat::marks::{request as marks, tool as tool_marks};
use crate::dialect::openai_chat::read_message;

pub fn read(body: &ByteString) -> Result<Request> {
    let mut reader = Reader::strict(body);
    let mut request = Request::new(ID, Text::default());
    let mut limits = Limits::default();
    let (mut has_model, mut has_messages) = (false, false);
    let mut extra = Extra::default();
    reader.object(|reader, key| {
        let level = &mut Level::outer(&mut extra);
        match key {
            "model" => {
                has_model = true;
                request.model = reader.text()?;
            }
            "messages" => {
                has_messages = true;
                request.messages = reader.list(read_message::read)?;
            }
            "tools" => request.tools = level.list(key, reader, tool)?,
            "tool_choice" => request.tool_choice = level.known(key, reader, tool_choice)?,
            "stream" => {
                let (stream, raw) = reader.with_raw(|reader| reader.nullable(Reader::bool))?;
                request.stream = stream == Some(true);
                if !request.stream {
                    level.note(key, raw);
                }
            }
            "max_tokens" => limits.old = level.known(key, reader, Reader::number)?,
            "max_completion_tokens" => limits.new = level.known(key, reader, Reader::number)?,
            _ if param(&mut request, level, key, reader)? => {}
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    reader.end()?;
    for (is_there, key) in [(has_model, "model"), (has_messages, "messages")] {
        if !is_there {
            return Err(Malformed::new("expected a value, found none").within(key));
        }
    }
    request.params.max_tokens = limits.one(&mut extra)?;
    request.extra = extra;
    Ok(request)
}

/// The two names of the token limit.
#[derive(Default)]
struct Limits {
    old: Option<Number>,
    new: Option<Number>,
}

impl Limits {
    fn one(self, extra: &mut Extra) -> Result<Option<Number>> {
        if self.old.is_some() {
            extra.mark(marks::MAX_TOKENS);
        }
        if self.new.is_some() {
            extra.mark(marks::MAX_COMPLETION_TOKENS);
        }
        match (self.old, self.new) {
            (Some(old), Some(new)) if old != new => {
                Err(Malformed::new("`max_tokens` says something else").within("max_completion_tokens"))
            }
            (old, new) => Ok(new.or(old)),
        }
    }
}

/// Reads one of the parameters; false if `key` is none of them.
fn param(request: &mut Request, level: &mut Level<'_>, key: &str, reader: &mut Reader<'_>) -> Result<bool> {
    let params = &mut request.params;
    let number = match key {
        "temperature" => &mut params.temperature,
        "top_p" => &mut params.top_p,
        "top_k" => {
            level.extra.mark(marks::TOP_K);
            &mut params.top_k
        }
        "seed" => &mut params.seed,
        "n" => &mut params.n,
        "presence_penalty" => &mut params.presence_penalty,
        "frequency_penalty" => &mut params.frequency_penalty,
        "top_logprobs" => &mut params.top_logprobs,
        _ => return param_of_another_kind(request, level, key, reader),
    };
    *number = level.known(key, reader, Reader::number)?;
    Ok(true)
}

fn param_of_another_kind(
    request: &mut Request,
    level: &mut Level<'_>,
    key: &str,
    reader: &mut Reader<'_>,
) -> Result<bool> {
    let params = &mut request.params;
    match key {
        "stop" if reader.peek()? == Kind::Array => params.stop = level.list(key, reader, Reader::text)?,
        "stop" => {
            level.extra.mark(marks::STOP_STRING);
            params.stop = level.text(key, reader)?.into_iter().collect();
        }
        "logprobs" => params.logprobs = level.known(key, reader, Reader::bool)?,
        "parallel_tool_calls" => params.parallel_tools = level.known(key, reader, Reader::bool)?,
        "response_format" => params.format = format(level, key, reader)?,
        "reasoning_effort" => params.reasoning = level.text(key, reader)?.map(reasoning),
        "user" => params.user = level.text(key, reader)?,
        "stream_options" => {
            let raw = reader.raw()?;
            params.wants_usage = super::stream_options::includes_usage(&mut reader.aside(&raw))?;
            level.note(key, raw);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn reasoning(effort: Text) -> Reasoning {
    if effort == "none" {
        return Reasoning { enabled: Some(false), ..Reasoning::default() };
    }
    Reasoning { effort: Some(effort), ..Reasoning::default() }
}

/// Reads `response_format`. One that only a vendor knows is kept as it is.
fn format(level: &mut Level<'_>, key: &str, reader: &mut Reader<'_>) -> Result<Option<Format>> {
    let (mut kind, mut schema, mut inner) = (None, None, Extra::default());
    let (object, raw) = reader.with_raw(|reader| {
        reader.nullable(|reader| {
            reader.object(|reader, key| {
                match (key, reader.peek()?) {
                    ("type", Kind::String) => kind = Some(reader.string()?),
                    ("json_schema", Kind::Object) => schema = json_schema(reader, &mut inner)?,
                    _ => Level::inner(&mut inner, "response_format.").keep(key, reader)?,
                }
                Ok(())
            })
        })
    })?;
    let format = match (object.and(kind).as_deref(), schema) {
        (Some("text"), None) => Some(Format::Text),
        (Some("json_object"), None) => Some(Format::JsonObject),
        (Some("json_schema"), Some(schema)) => Some(schema),
        _ => None,
    };
    if format.is_none() {
        level.put(key, raw);
        return Ok(None);
    }
    level.extra.append(inner);
    Ok(format)
}

fn json_schema(reader: &mut Reader<'_>, extra: &mut Extra) -> Result<Option<Format>> {
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    let mut level = Level::inner(extra, "response_format.json_schema.");
    reader.object(|reader, key| {
        match key {
            "name" => name = level.text(key, reader)?,
            "description" => description = level.text(key, reader)?,
            "schema" => schema = level.known(key, reader, Reader::raw)?,
            "strict" => strict = level.known(key, reader, Reader::bool)?,
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    Ok(schema.map(|schema| Format::JsonSchema { name, description, schema, strict }))
}

fn tool(reader: &mut Reader<'_>) -> Result<Tool> {
    let (mut kind, mut function, mut cache, mut extra) = (None, None, None, Extra::default());
    let ((), raw) = reader.with_raw(|reader| {
        reader.object(|reader, key| {
            match (key, reader.peek()?) {
                ("type", Kind::String) => kind = Some(reader.string()?),
                ("function", Kind::Object) => function = read_function(reader, &mut extra)?,
                ("cache_control", Kind::Object) => cache = Some(reader.raw()?),
                _ => extra.keep(key, reader)?,
            }
            Ok(())
        })
    })?;
    let is_function = kind.as_ref().is_none_or(|kind| kind == "function");
    let Some(function) = function.filter(|_| is_function) else {
        return Ok(Tool::Other { kind: kind.unwrap_or_default(), json: raw });
    };
    if kind.is_none() {
        extra.mark(tool_marks::NO_TYPE);
    }
    let Function { name, description, parameters, strict } = function;
    Ok(Tool::Function { name, description, parameters, strict, cache, extra })
}

struct Function {
    name: Text,
    description: Option<Text>,
    parameters: Option<Json>,
    strict: Option<bool>,
}

/// Reads a tool's function; `None` if it has no name.
fn read_function(reader: &mut Reader<'_>, extra: &mut Extra) -> Result<Option<Function>> {
    let (mut name, mut description, mut parameters, mut strict) = (None, None, None, None);
    let mut level = Level::inner(extra, "function.");
    reader.object(|reader, key| {
        match key {
            "name" => name = level.text(key, reader)?,
            "description" => description = level.text(key, reader)?,
            "parameters" => parameters = level.known(key, reader, Reader::raw)?,
            "strict" => strict = level.known(key, reader, Reader::bool)?,
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    Ok(name.map(|name| Function { name, description, parameters, strict }))
}

fn tool_choice(reader: &mut Reader<'_>) -> Result<ToolChoice> {
    let (choice, raw) = reader.with_raw(|reader| match reader.peek()? {
        Kind::String => Ok(match &*reader.text()?.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => None,
        }),
        _ => named(reader),
    })?;
    Ok(choice.unwrap_or(ToolChoice::Other(raw)))
}

/// `{"type":"function","function":{"name":"f"}}`, and nothing besides.
fn named(reader: &mut Reader<'_>) -> Result<Option<ToolChoice>> {
    let (mut name, mut is_function, mut is_plain) = (None, false, true);
    reader.object(|reader, key| {
        match (key, reader.peek()?) {
            ("type", Kind::String) => is_function = reader.text()? == "function",
            ("function", Kind::Object) => reader.object(|reader, key| {
                match (key, reader.peek()?) {
                    ("name", Kind::String) => name = Some(reader.text()?),
                    _ => is_plain = false,
                }
                Ok(())
            })?,
            _ => is_plain = false,
        }
        Ok(())
    })?;
    Ok(name.filter(|_| is_function && is_plain).map(ToolChoice::Named))
}
