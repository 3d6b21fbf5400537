//! Messages, read: those of a request and those of an answer.
//!
//! The wire has a field for each kind of thing a message holds; the canonical message is one list of parts.
//! They are put in the order in which a model makes them: thinking, content, refusal, tool calls.

use crate::base::json::{Json, Kind, Malformed, Reader, Result};
use crate::base::text::Text;
use crate::chat::{Content, Extra, Message, Other, Part, Role, Thinking, ToolCall, ToolResult};
use crate::dialect::openai_chat::level::{Level, json_of};
use crate::dialect::openai_chat::marks::{message as marks, part as part_marks};
use crate::dialect::openai_chat::read_part;

/// Reads a message of a request.
pub fn read(reader: &mut Reader<'_>) -> Result<Message> {
    let mut extra = Extra::default();
    let mut draft = Draft::default();
    draft.read(reader, &mut Level::outer(&mut extra))?;
    let Some(word) = draft.role.take() else {
        return Err(Malformed::new("expected a role, found none").within("role"));
    };
    let role = match &*word.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => {
            extra.mark(marks::FUNCTION_ROLE);
            Role::Tool
        }
        unknown => return Err(Malformed::new(format!("unknown role `{unknown}`")).within("role")),
    };
    let name = draft.name.take();
    let parts = if role == Role::Tool {
        vec![draft.into_result(name.as_ref(), &mut extra)]
    } else {
        draft.into_parts(&mut Level::outer(&mut extra))
    };
    Ok(Message { role, parts, name, extra })
}

/// Reads the message of an answer's choice, whose extras are kept at `level`.
pub fn read_answer(reader: &mut Reader<'_>, level: &mut Level<'_>) -> Result<Vec<Part>> {
    let mut draft = Draft::default();
    draft.read(reader, level)?;
    if let Some(role) = draft.role.take() {
        level.note("role", json_of(&role));
    }
    if let Some(name) = draft.name.take() {
        level.put("name", json_of(&name));
    }
    Ok(draft.into_parts(level))
}

#[derive(Default)]
struct Draft {
    role: Option<Text>,
    name: Option<Text>,
    has_content: bool,
    content: Vec<Part>,
    refusal: Option<Text>,
    reasoning_content: Option<Text>,
    reasoning: Option<Text>,
    details: Vec<Part>,
    calls: Vec<Part>,
    function_call: Option<Part>,
    call_id: Option<Text>,
}

impl Draft {
    fn read(&mut self, reader: &mut Reader<'_>, level: &mut Level<'_>) -> Result<()> {
        reader.object(|reader, key| {
            match key {
                "role" => self.role = level.text(key, reader)?,
                "name" => self.name = level.text(key, reader)?,
                "content" => self.content(reader, level)?,
                "refusal" => self.refusal = level.text(key, reader)?,
                "reasoning_content" if is_text(reader)? => self.reasoning_content = level.text(key, reader)?,
                "reasoning" if is_text(reader)? => self.reasoning = level.text(key, reader)?,
                "reasoning_details" if reader.peek()? == Kind::Array => {
                    self.details = level.list(key, reader, detail)?;
                }
                "tool_calls" => self.calls = level.list(key, reader, tool_call)?,
                "function_call" => self.function_call = level.known(key, reader, function_call)?,
                "tool_call_id" => self.call_id = level.text(key, reader)?,
                _ => level.keep(key, reader)?,
            }
            Ok(())
        })?;
        if !self.has_content {
            level.extra.mark(marks::NO_CONTENT);
        }
        Ok(())
    }

    fn content(&mut self, reader: &mut Reader<'_>, level: &mut Level<'_>) -> Result<()> {
        self.has_content = true;
        self.content = match reader.peek()? {
            Kind::Array => {
                level.extra.mark(marks::CONTENT_ARRAY);
                level.list("content", reader, read_part::read)?
            }
            _ => level.text("content", reader)?.map(Part::text).into_iter().collect(),
        };
        Ok(())
    }

    fn into_parts(mut self, level: &mut Level<'_>) -> Vec<Part> {
        if let Some(id) = self.call_id.take() {
            level.put("tool_call_id", json_of(&id));
        }
        // Most messages are a text and nothing else.
        let mut parts = self.thinking(level.extra);
        if parts.is_empty() {
            parts = self.content;
        } else {
            parts.append(&mut self.content);
        }
        parts.extend(self.refusal.map(|text| Part::new(Content::Refusal(text))));
        parts.append(&mut self.calls);
        parts.extend(self.function_call);
        parts
    }

    /// The thinking, once, however often the message says it. What is said twice cannot be edited in one place.
    fn thinking(&mut self, extra: &mut Extra) -> Vec<Part> {
        let copy = match (self.details.is_empty(), &self.reasoning_content) {
            (false, _) => joined(&self.details),
            (true, Some(text)) => self.reasoning.as_ref().map(|_| text.as_str().into_owned()),
            (true, None) => None,
        };
        let mut is_copied = false;
        if let Some(copy) = copy {
            let mut repeats = |text: &mut Option<Text>, mark| {
                if text.as_ref().is_some_and(|text| *text == *copy) {
                    *text = None;
                    extra.mark(mark);
                    is_copied = true;
                }
            };
            repeats(&mut self.reasoning, marks::COPY_IN_REASONING);
            if !self.details.is_empty() {
                repeats(&mut self.reasoning_content, marks::COPY_IN_REASONING_CONTENT);
            }
        }
        let mut parts = Vec::new();
        for (text, mark) in [(self.reasoning_content.take(), 0), (self.reasoning.take(), part_marks::REASONING)] {
            if let Some(text) = text {
                let mut part = Part::new(Content::Thinking(Thinking { text, ..Thinking::default() }));
                part.extra.mark(mark);
                parts.push(part);
            }
        }
        parts.append(&mut self.details);
        if is_copied {
            for part in &mut parts {
                if let Content::Thinking(thinking) = &mut part.content {
                    thinking.text = std::mem::take(&mut thinking.text).unplaced();
                }
            }
        }
        parts
    }

    fn into_result(mut self, name: Option<&Text>, extra: &mut Extra) -> Part {
        let is_function = extra.has_mark(marks::FUNCTION_ROLE);
        let call_id = match (self.call_id.take(), name) {
            (Some(id), _) => id,
            // The old API named the function instead of the call, and `function_call` is read alike.
            (None, Some(name)) if is_function => {
                extra.mark(marks::NO_CALL_ID);
                name.clone().unplaced()
            }
            (None, _) => {
                extra.mark(marks::NO_CALL_ID);
                Text::default()
            }
        };
        let parts = self.into_parts(&mut Level::outer(extra));
        Part::new(Content::ToolResult(ToolResult { call_id, parts, is_error: None }))
    }
}

fn is_text(reader: &mut Reader<'_>) -> Result<bool> {
    Ok(matches!(reader.peek()?, Kind::String | Kind::Null))
}

/// All texts of thinking in a row; `None` if there is none.
pub fn joined<'p>(parts: impl IntoIterator<Item = &'p Part>) -> Option<String> {
    let mut all = String::new();
    for part in parts {
        if let Content::Thinking(thinking) = &part.content {
            all.push_str(&thinking.text.as_str());
        }
    }
    (!all.is_empty()).then_some(all)
}

/// Reads an item of `reasoning_details`.
fn detail(reader: &mut Reader<'_>) -> Result<Part> {
    let mut thinking = Thinking::default();
    let (mut kind, mut text, mut summary) = (None, None, None);
    let mut extra = Extra::default();
    let mut level = Level::outer(&mut extra);
    let ((), raw) = reader.with_raw(|reader| {
        reader.object(|reader, key| {
            match (key, reader.peek()?) {
                ("text", Kind::String | Kind::Null) => text = level.text(key, reader)?,
                ("summary", Kind::String | Kind::Null) => summary = level.text(key, reader)?,
                ("signature", Kind::String | Kind::Null) => thinking.signature = level.text(key, reader)?,
                ("data", Kind::String | Kind::Null) => thinking.sealed = level.text(key, reader)?,
                ("type", Kind::String) => {
                    let (word, raw) = reader.with_raw(Reader::string)?;
                    kind = Some(word);
                    level.note(key, raw);
                }
                _ => level.constant(key, reader)?,
            }
            Ok(())
        })
    })?;
    let text = match (text, summary) {
        (Some(_), Some(_)) => None,
        (None, Some(summary)) => {
            extra.mark(part_marks::SUMMARY);
            Some(summary)
        }
        (text, None) => Some(text.unwrap_or_default()),
    };
    let content = match text {
        Some(text) => Content::Thinking(Thinking { text, ..thinking }),
        None => {
            extra = Extra::default();
            Content::Other(Other { kind: kind.unwrap_or_default(), json: raw })
        }
    };
    extra.mark(part_marks::DETAIL);
    Ok(Part { content, cache: None, extra })
}

/// Reads an item of `tool_calls`.
fn tool_call(reader: &mut Reader<'_>) -> Result<Part> {
    let mut extra = Extra::default();
    let (mut id, mut kind, mut call) = (None, None, None);
    let ((), raw) = reader.with_raw(|reader| {
        reader.object(|reader, key| {
            match (key, reader.peek()?) {
                ("id", _) => id = Level::outer(&mut extra).text(key, reader)?,
                ("type", Kind::String) => kind = Some(reader.string()?),
                ("function", Kind::Object) => call = function(reader, &mut extra, "function.")?,
                // Where a call stands in its list, which some say and all show.
                ("index", _) => Level::outer(&mut extra).constant(key, reader)?,
                _ => extra.keep(key, reader)?,
            }
            Ok(())
        })
    })?;
    let is_function = kind.as_ref().is_none_or(|kind| kind == "function");
    match call.filter(|_| is_function) {
        Some((name, arguments)) => {
            if kind.is_none() {
                extra.mark(part_marks::NO_TYPE);
            }
            let call = ToolCall { id: id.unwrap_or_default(), name, arguments };
            Ok(Part { content: Content::ToolCall(call), cache: None, extra })
        }
        None => Ok(other_call(kind.unwrap_or_default(), raw)),
    }
}

fn other_call(kind: String, json: Json) -> Part {
    let mut part = Part::new(Content::Other(Other { kind, json }));
    part.extra.mark(part_marks::TOOL_CALL);
    part
}

/// Reads the old `function_call`. It has no id; its function's name stands in for one.
fn function_call(reader: &mut Reader<'_>) -> Result<Part> {
    let mut extra = Extra::default();
    let Some((name, arguments)) = function(reader, &mut extra, "")? else {
        return Err(Malformed::new("expected a value, found none").within("name"));
    };
    extra.mark(part_marks::FUNCTION_CALL);
    let call = ToolCall { id: name.clone().unplaced(), name, arguments };
    Ok(Part { content: Content::ToolCall(call), cache: None, extra })
}

/// Reads a function's name and arguments; `None` if it has no name.
fn function(reader: &mut Reader<'_>, extra: &mut Extra, at: &'static str) -> Result<Option<(Text, Text)>> {
    let (mut name, mut arguments, mut marks) = (None, None, part_marks::NO_ARGUMENTS);
    let mut level = Level::inner(extra, at);
    reader.object(|reader, key| {
        match (key, reader.peek()?) {
            ("name", _) => name = level.text(key, reader)?,
            ("arguments", found) => {
                marks = if matches!(found, Kind::String | Kind::Null) { 0 } else { part_marks::JSON_ARGUMENTS };
                arguments =
                    if marks == 0 { level.text(key, reader)? } else { level.known(key, reader, Reader::raw_text)? };
            }
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    level.extra.mark(marks);
    Ok(name.map(|name| (name, arguments.unwrap_or_default())))
}
