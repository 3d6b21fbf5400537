//! Reading a request.
//!
//! What the objects `thinking`, `output_config` and `metadata` say beyond what the vocabulary has words
//! for is kept among the extras as an object of that name.

use bytestring::ByteString;

use super::block_read::{block, body, mark_bare};
use super::mark::{BARE, INLINE, NO_STOPS, NO_SYSTEM, NO_TOOLS, UNSTREAMED};
use super::member::{optional, placeless, raw_object, remainder, required};
use super::{ID, reasoning, tool};
use crate::base::json::{Json, Kind, Malformed, Reader, Result};
use crate::base::text::Text;
use crate::chat::{Content, Extra, Format, Message, Part, Request, Role};

pub(super) fn read(document: &ByteString) -> Result<Request> {
    let mut reader = Reader::strict(document);
    let mut draft = Draft { request: Request::new(ID, Text::default()), model: None, system: None, turns: None };
    reader.object(|reader, key| draft.member(key, reader))?;
    reader.end()?;
    let mut request = draft.request;
    request.model = required(draft.model, "model")?;
    let turns = required(draft.turns, "messages")?;
    request.messages = draft.system.into_iter().chain(turns).collect();
    request.params.wants_usage = true;
    Ok(request)
}

struct Draft {
    request: Request,
    model: Option<Text>,
    system: Option<Message>,
    turns: Option<Vec<Message>>,
}

impl Draft {
    fn member(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let Request { params, extra, .. } = &mut self.request;
        match key {
            "model" => self.model = Some(reader.text()?),
            "messages" => self.turns = Some(reader.list(message)?),
            "system" => self.system = system(extra, reader)?,
            "max_tokens" => params.max_tokens = optional(extra, key, reader, Reader::number)?,
            "temperature" => params.temperature = optional(extra, key, reader, Reader::number)?,
            "top_p" => params.top_p = optional(extra, key, reader, Reader::number)?,
            "top_k" => params.top_k = optional(extra, key, reader, Reader::number)?,
            "stop_sequences" => params.stop = list(extra, NO_STOPS, key, reader, Reader::text)?,
            "tools" => self.request.tools = list(extra, NO_TOOLS, key, reader, tool::read)?,
            "stream" => self.stream(reader)?,
            "tool_choice" => self.tool_choice(reader)?,
            "thinking" => self.thinking(reader)?,
            "output_config" => self.output_config(reader)?,
            "metadata" => self.metadata(reader)?,
            _ => extra.keep(key, reader)?,
        }
        Ok(())
    }

    fn stream(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let said = optional(&mut self.request.extra, "stream", reader, Reader::bool)?;
        self.request.stream = said == Some(true);
        if said == Some(false) {
            self.request.extra.mark(UNSTREAMED);
        }
        Ok(())
    }

    fn tool_choice(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if let Some(raw) = optional(&mut self.request.extra, "tool_choice", reader, raw_object)? {
            let (choice, parallel) = tool::read_choice(raw)?;
            self.request.tool_choice = Some(choice);
            self.request.params.parallel_tools = parallel;
        }
        Ok(())
    }

    fn thinking(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let Request { params, extra, .. } = &mut self.request;
        let Some(raw) = optional(extra, "thinking", reader, raw_object)? else { return Ok(()) };
        let (rest, mark) = reasoning::read(&raw, params.reasoning.get_or_insert_default())?;
        extra.mark(mark);
        self.keep("thinking", rest);
        Ok(())
    }

    fn output_config(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let Request { params, extra, .. } = &mut self.request;
        let Some(raw) = optional(extra, "output_config", reader, raw_object)? else { return Ok(()) };
        let rest = remainder(&raw, |key, kind, reader| match (key, kind) {
            ("effort", Kind::String) => {
                params.reasoning.get_or_insert_default().effort = Some(placeless(&reader.text()?));
                Ok(true)
            }
            ("format", Kind::Object) => {
                params.format = format(&reader.clone().raw()?)?;
                Ok(params.format.is_some())
            }
            _ => Ok(false),
        })?;
        self.keep("output_config", rest);
        Ok(())
    }

    fn metadata(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let Request { params, extra, .. } = &mut self.request;
        let Some(raw) = optional(extra, "metadata", reader, raw_object)? else { return Ok(()) };
        let rest = remainder(&raw, |key, kind, reader| match (key, kind) {
            ("user_id", Kind::String) => {
                params.user = Some(placeless(&reader.text()?));
                Ok(true)
            }
            _ => Ok(false),
        })?;
        self.keep("metadata", rest);
        Ok(())
    }

    fn keep(&mut self, key: &str, rest: Option<Json>) {
        match rest {
            Some(rest) if says_nothing(&rest) => self.request.extra.note(key, rest),
            Some(rest) => self.request.extra.put(key, rest),
            None => {}
        }
    }
}

/// True for an object of which every member is null.
fn says_nothing(object: &Json) -> bool {
    let mut is_empty = true;
    let read = object.reader().object(|reader, _| {
        is_empty &= reader.peek()? == Kind::Null;
        Ok(())
    });
    is_empty && read.is_ok()
}

/// A `json_schema` format and nothing more.
fn format(raw: &Json) -> Result<Option<Format>> {
    let (mut schema, mut is_schema, mut is_odd) = (None, false, false);
    Reader::strict(&raw.0).object(|reader, key| {
        match (key, reader.peek()?) {
            ("type", Kind::String) => is_schema = reader.text()? == "json_schema",
            ("schema", Kind::Object) => schema = Some(reader.raw()?),
            _ => is_odd = true,
        }
        Ok(())
    })?;
    let schema = schema.filter(|_| is_schema && !is_odd);
    Ok(schema.map(|schema| Format::JsonSchema { name: None, description: None, schema, strict: None }))
}

/// A list; an empty one is marked, since the vocabulary does not tell it from none.
fn list<'a, T>(
    extra: &mut Extra,
    mark: u32,
    key: &str,
    reader: &mut Reader<'a>,
    item: impl FnMut(&mut Reader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let items = optional(extra, key, reader, |reader| reader.list(item))?;
    if items.as_ref().is_some_and(Vec::is_empty) {
        extra.mark(mark);
    }
    Ok(items.unwrap_or_default())
}

fn system(extra: &mut Extra, reader: &mut Reader<'_>) -> Result<Option<Message>> {
    if reader.peek()? != Kind::String {
        let blocks = list(extra, NO_SYSTEM, "system", reader, block)?;
        return Ok((!blocks.is_empty()).then(|| Message::new(Role::System, blocks)));
    }
    let mut message = Message::new(Role::System, vec![Part::text(reader.text()?)]);
    message.extra.mark(BARE);
    Ok(Some(message))
}

fn message(reader: &mut Reader<'_>) -> Result<Message> {
    let mut extra = Extra::default();
    let (mut said, mut content) = (None, None);
    reader.object(|reader, key| {
        match key {
            "role" => said = Some(role(reader)?),
            "content" => content = optional(&mut extra, key, reader, body)?,
            _ => extra.keep(key, reader)?,
        }
        Ok(())
    })?;
    let mut role = required(said, "role")?;
    if role == Role::System {
        extra.mark(INLINE);
    }
    let parts = match content {
        Some(body) => {
            mark_bare(&mut extra, &body);
            body.parts
        }
        // A null stays among the extras.
        None => required(extra.get("content"), "content").map(|_| Vec::new())?,
    };
    // Elsewhere tool results come in messages of their own.
    if role == Role::User && !parts.is_empty() && parts.iter().all(is_result) {
        role = Role::Tool;
    }
    Ok(Message { role, parts, name: None, extra })
}

fn is_result(part: &Part) -> bool {
    matches!(part.content, Content::ToolResult(_))
}

fn role(reader: &mut Reader<'_>) -> Result<Role> {
    match &*reader.text()?.as_str() {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        other => Err(Malformed::new(format!("expected `user`, `assistant` or `system`, found `{other}`"))),
    }
}
