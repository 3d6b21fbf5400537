//! Content parts, read.
//!
//! A part's `type` says which member holds its body, and nearly always comes first. Where it does not, the
//! body is set aside and read afterwards; its texts then have no place in the document.

use crate::base::json::{Json, Kind, Malformed, Reader, Result};
use crate::base::text::Text;
use crate::chat::{Content, Extra, File, Image, Other, Part, Source, Thinking};
use crate::dialect::openai_chat::level::{Level, json_of};
use crate::dialect::openai_chat::marks::part as marks;

/// Reads an item of a content array.
pub fn read(reader: &mut Reader<'_>) -> Result<Part> {
    if reader.peek()? == Kind::String {
        let mut part = Part::text(reader.text()?);
        part.extra.mark(marks::BARE);
        return Ok(part);
    }
    let mut draft = Draft::default();
    let ((), raw) = reader.with_raw(|reader| reader.object(|reader, key| draft.member(key, reader)))?;
    draft.into_part(raw, reader)
}

#[derive(Default)]
struct Draft {
    kind: Option<String>,
    text: Option<Text>,
    refusal: Option<Text>,
    body: Option<Content>,
    /// The body is of a kind we know, but not as we know it.
    is_strange: bool,
    /// Bodies met before the type.
    early: Vec<(String, Json)>,
    cache: Option<Json>,
    extra: Extra,
}

impl Draft {
    fn member(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let found = reader.peek()?;
        match key {
            "type" if found == Kind::String => self.kind = Some(reader.string()?),
            "text" if found == Kind::String => self.text = Some(reader.text()?),
            "refusal" if found == Kind::String => self.refusal = Some(reader.text()?),
            "cache_control" if found != Kind::Null => self.cache = Some(reader.raw()?),
            "image_url" | "input_audio" | "file" | "thinking" if found != Kind::Null => match &self.kind {
                None => self.early.push((key.to_owned(), reader.raw()?)),
                Some(kind) if kind == key => self.read_body(key, reader)?,
                Some(_) => self.extra.keep(key, reader)?,
            },
            _ => self.extra.keep(key, reader)?,
        }
        Ok(())
    }

    fn read_body(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        self.body = match key {
            "image_url" => Some(image(reader, &mut self.extra)?),
            "input_audio" => Some(audio(reader, &mut self.extra)?),
            "file" => file(reader, &mut self.extra)?,
            _ => thinking(reader, &mut self.extra)?,
        };
        self.is_strange = self.body.is_none();
        Ok(())
    }

    fn into_part(mut self, raw: Json, reader: &Reader<'_>) -> Result<Part> {
        let kind = self.kind.take().unwrap_or_else(|| {
            self.extra.mark(marks::NO_TYPE);
            if self.text.is_some() { "text".into() } else { String::new() }
        });
        for (key, json) in std::mem::take(&mut self.early) {
            if key == kind {
                self.read_body(&key, &mut reader.aside(&json)).map_err(|wrong| wrong.within(key))?;
                self.body = self.body.take().map(unplaced);
            } else {
                self.extra.put(&key, json);
            }
        }
        let content = match (kind.as_str(), self.body.take()) {
            ("text", None) => Content::Text(self.text.take().ok_or_else(|| missing("text"))?),
            ("refusal", None) => {
                self.extra.mark(marks::IN_CONTENT);
                Content::Refusal(self.refusal.take().ok_or_else(|| missing("refusal"))?)
            }
            (_, Some(body)) => body,
            ("image_url" | "input_audio", None) if !self.is_strange => return Err(missing(&kind)),
            _ => return Ok(Part::new(Content::Other(Other { kind, json: raw }))),
        };
        for (key, stray) in [("text", self.text), ("refusal", self.refusal)] {
            if let Some(stray) = stray {
                self.extra.put(key, json_of(&stray));
            }
        }
        Ok(Part { content, cache: self.cache, extra: self.extra })
    }
}

fn missing(key: &str) -> Malformed {
    Malformed::new("expected a value, found none").within(key)
}

fn image(reader: &mut Reader<'_>, extra: &mut Extra) -> Result<Content> {
    if reader.peek()? == Kind::String {
        extra.mark(marks::BARE_URL);
        return Ok(Content::Image(Image { source: Source::Url(reader.text()?), detail: None }));
    }
    let (mut url, mut detail) = (None, None);
    let mut level = Level::inner(extra, "image_url.");
    reader.object(|reader, key| {
        match key {
            "url" => url = Some(reader.text()?),
            "detail" => detail = level.text(key, reader)?,
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    Ok(Content::Image(Image { source: Source::Url(url.ok_or_else(|| missing("url"))?), detail }))
}

fn audio(reader: &mut Reader<'_>, extra: &mut Extra) -> Result<Content> {
    let (mut data, mut format) = (None, None);
    let mut level = Level::inner(extra, "input_audio.");
    reader.object(|reader, key| {
        match key {
            "data" => data = Some(reader.text()?),
            "format" => format = Some(reader.text()?),
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    let data = data.ok_or_else(|| missing("data"))?;
    Ok(Content::Audio { data, format: format.ok_or_else(|| missing("format"))? })
}

/// A file, by its data or its id; `None` if it has neither.
fn file(reader: &mut Reader<'_>, extra: &mut Extra) -> Result<Option<Content>> {
    let (mut data, mut id, mut name) = (None, None, None);
    let mut level = Level::inner(extra, "file.");
    reader.object(|reader, key| {
        match key {
            "file_data" => data = level.text(key, reader)?,
            "file_id" => id = level.text(key, reader)?,
            "filename" => name = level.text(key, reader)?,
            _ => level.keep(key, reader)?,
        }
        Ok(())
    })?;
    let source = match (data, id) {
        (Some(data), id) => {
            if let Some(id) = id {
                level.put("file_id", json_of(&id));
            }
            file_data(data, level.extra)
        }
        (None, Some(id)) => Source::Uploaded(id),
        (None, None) => return Ok(None),
    };
    Ok(Some(Content::File(File { source, name })))
}

/// The API wants a `data:` URL, some vendors take a link, and some clients send mere base64: a PDF, most likely.
fn file_data(data: Text, extra: &mut Extra) -> Source {
    if data.as_str().contains(':') {
        return Source::Url(data);
    }
    extra.mark(marks::BARE_DATA);
    Source::Data { media_type: "application/pdf".into(), data }
}

/// Mistral's thinking: a string, or an array of one text.
fn thinking(reader: &mut Reader<'_>, extra: &mut Extra) -> Result<Option<Content>> {
    extra.mark(marks::IN_CONTENT);
    let mut texts = Vec::new();
    let mut is_plain = true;
    match reader.peek()? {
        Kind::String => {
            extra.mark(marks::BARE_THINKING);
            texts.push(reader.text()?);
        }
        Kind::Array => reader.array(|reader, _| {
            if reader.peek()? != Kind::Object {
                is_plain = false;
                return Ok(());
            }
            let mut is_text = false;
            let before = texts.len();
            reader.object(|reader, key| {
                match (key, reader.peek()?) {
                    ("text", Kind::String) => texts.push(reader.text()?),
                    ("type", Kind::String) => is_text = reader.text()? == "text",
                    _ => is_plain = false,
                }
                Ok(())
            })?;
            is_plain &= is_text && texts.len() > before;
            Ok(())
        })?,
        _ => is_plain = false,
    }
    let text = texts.pop().filter(|_| is_plain && texts.is_empty());
    Ok(text.map(|text| Content::Thinking(Thinking { text, ..Thinking::default() })))
}

/// The same content, with texts that have no place.
fn unplaced(content: Content) -> Content {
    let source = |source| match source {
        Source::Url(url) => Source::Url(url.unplaced()),
        Source::Data { media_type, data } => Source::Data { media_type, data: data.unplaced() },
        Source::Uploaded(id) => Source::Uploaded(id.unplaced()),
        Source::Plain(text) => Source::Plain(text.unplaced()),
    };
    match content {
        Content::Image(image) => {
            Content::Image(Image { source: source(image.source), detail: image.detail.map(Text::unplaced) })
        }
        Content::File(file) => Content::File(File { source: source(file.source), name: file.name.map(Text::unplaced) }),
        Content::Audio { data, format } => Content::Audio { data: data.unplaced(), format: format.unplaced() },
        Content::Thinking(thinking) => Content::Thinking(Thinking { text: thinking.text.unplaced(), ..thinking }),
        other => other,
    }
}
