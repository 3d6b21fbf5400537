//! Going through a request: everything a model reads, and whatever else of it goes upstream.
//!
//! Names of models and tools, and ids of calls, stay as they are, for others must find them again; so does what a provider has
//! sealed. Thinking that a provider has signed loses its signature when it is changed, since it would not hold.

use super::config::Where;
use super::scrub::Scrub;
use crate::base::json::Json;
use crate::base::stop::Refusal;
use crate::base::text::Text;
use crate::chat::{
    Content, Edits, Extra, File, Format, Message, Part, Request, Role, Source, Thinking, Tool, ToolChoice, ToolResult,
    Verbatim,
};

/// Goes through a request and changes what must not leave.
///
/// # Errors
/// When something is in it that the policy refuses, or that nobody can look into. It is not to be sent then.
pub fn go_through(request: &mut Verbatim<Request>, scrub: &mut Scrub<'_>) -> Result<(), Refusal> {
    request.edit_texts(|request, edits| Walk { scrub, edits, before: Text::default() }.request(request))
}

struct Walk<'a, 'b> {
    scrub: &'a mut Scrub<'b>,
    edits: &'a mut Edits,
    /// What was said last, for context.
    before: Text,
}

impl Walk<'_, '_> {
    fn request(&mut self, request: &mut Request) -> Result<(), Refusal> {
        for message in &mut request.messages {
            self.message(message)?;
        }
        self.before = Text::default();
        for tool in &mut request.tools {
            self.tool(tool)?;
        }
        for text in request.params.stop.iter_mut().chain(&mut request.params.user) {
            self.text(Where::Metadata, text)?;
        }
        if let Some(Format::JsonSchema { name, description, schema, .. }) = &mut request.params.format {
            for text in name.iter_mut().chain(description) {
                self.text(Where::Metadata, text)?;
            }
            self.json(Where::Metadata, schema)?;
        }
        if let Some(ToolChoice::Other(choice)) = &mut request.tool_choice {
            self.json(Where::Metadata, choice)?;
        }
        if let Some(effort) = request.params.reasoning.as_mut().and_then(|reasoning| reasoning.effort.as_mut()) {
            self.text(Where::Metadata, effort)?;
        }
        self.extra(Where::Metadata, &mut request.extra)
    }

    fn message(&mut self, message: &mut Message) -> Result<(), Refusal> {
        let place = match message.role {
            Role::System | Role::Developer => Where::System,
            Role::User => Where::User,
            Role::Assistant => Where::Assistant,
            Role::Tool => Where::ToolResults,
        };
        for part in &mut message.parts {
            self.part(place, part)?;
        }
        if let Some(name) = &mut message.name {
            self.text(Where::Metadata, name)?;
        }
        self.extra(Where::Metadata, &mut message.extra)
    }

    fn part(&mut self, place: Where, part: &mut Part) -> Result<(), Refusal> {
        match &mut part.content {
            Content::Text(text) | Content::Refusal(text) => self.said(place, text)?,
            Content::Thinking(thinking) => self.thinking(place, thinking)?,
            Content::ToolCall(call) => self.arguments(&mut call.arguments)?,
            Content::ToolResult(result) => self.result(result)?,
            Content::Image(image) => self.source(place, "image", &mut image.source)?,
            Content::File(file) => self.file(place, file)?,
            Content::Audio { .. } => self.scrub.unseen(place, "audio")?,
            Content::Other(other) => {
                if holds_data(&other.json.0) {
                    self.scrub.unseen(place, &other.kind)?;
                }
                self.json(place, &mut other.json)?;
            }
        }
        if let Some(cache) = &mut part.cache {
            self.json(Where::Metadata, cache)?;
        }
        self.extra(place, &mut part.extra)
    }

    fn result(&mut self, result: &mut ToolResult) -> Result<(), Refusal> {
        for part in &mut result.parts {
            self.part(Where::ToolResults, part)?;
        }
        Ok(())
    }

    fn thinking(&mut self, place: Where, thinking: &mut Thinking) -> Result<(), Refusal> {
        if let Some(new) = self.scrub.text(place, &thinking.text.as_str(), "")? {
            self.edits.set(&mut thinking.text, new);
            if thinking.signature.take().is_some() {
                self.edits.rewrite();
            }
        }
        Ok(())
    }

    fn arguments(&mut self, arguments: &mut Text) -> Result<(), Refusal> {
        if let Some(new) = self.scrub.json(Where::ToolCalls, &arguments.as_str())? {
            self.edits.set(arguments, new);
        }
        Ok(())
    }

    fn file(&mut self, place: Where, file: &mut File) -> Result<(), Refusal> {
        if let Some(name) = &mut file.name {
            self.text(place, name)?;
        }
        self.source(place, "file", &mut file.source)
    }

    /// What a file of plain text says can be read; what is behind a URL, or in a picture, cannot.
    fn source(&mut self, place: Where, what: &str, source: &mut Source) -> Result<(), Refusal> {
        match source {
            Source::Plain(text) => return self.said(place, text),
            Source::Url(url) if !url.as_str().starts_with("data:") => self.text(place, url)?,
            Source::Url(_) | Source::Data { .. } | Source::Uploaded(_) => {}
        }
        self.scrub.unseen(place, what)
    }

    fn tool(&mut self, tool: &mut Tool) -> Result<(), Refusal> {
        match tool {
            Tool::Function { description, parameters, extra, .. } => {
                if let Some(description) = description {
                    self.text(Where::Tools, description)?;
                }
                if let Some(parameters) = parameters {
                    self.json(Where::Tools, parameters)?;
                }
                self.extra(Where::Tools, extra)
            }
            Tool::Other { json, .. } => self.json(Where::Tools, json),
        }
    }

    /// A text that a model reads as part of a conversation: what was said before it is its context.
    fn said(&mut self, place: Where, text: &mut Text) -> Result<(), Refusal> {
        let before = std::mem::replace(&mut self.before, text.clone());
        if let Some(new) = self.scrub.text(place, &text.as_str(), &before.as_str())? {
            self.edits.set(text, new);
        }
        Ok(())
    }

    fn text(&mut self, place: Where, text: &mut Text) -> Result<(), Refusal> {
        if let Some(new) = self.scrub.text(place, &text.as_str(), "")? {
            self.edits.set(text, new);
        }
        Ok(())
    }

    fn json(&mut self, place: Where, json: &mut Json) -> Result<(), Refusal> {
        if let Some(new) = self.scrub.value(place, json)? {
            *json = new;
            self.edits.rewrite();
        }
        Ok(())
    }

    fn extra(&mut self, place: Where, extra: &mut Extra) -> Result<(), Refusal> {
        if extra.change(|value| self.scrub.value(place, value))? {
            self.edits.rewrite();
        }
        Ok(())
    }
}

/// Whether a value of a dialect's own holds what is no text: a long run of base64.
pub fn holds_data(json: &str) -> bool {
    let is_data = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    let mut run = 0;
    json.bytes().any(|byte| {
        run = if is_data(byte) { run + 1 } else { 0 };
        run >= DATA
    })
}

/// No word is that long.
const DATA: usize = 512;
