//! Streamed answers, read.
//!
//! The wire has no borders between parts: a delta names a field, and a part lasts while its field does. So
//! parts are opened and closed here. Tool calls stay open until their choice ends, for their pieces may
//! come interleaved.
//!
//! A stream is complete when it says so (`[DONE]`), or when every choice that began has a finish reason:
//! some vendors leave `[DONE]` out.

use smallvec::SmallVec;

use crate::base::ids::DialectId;
use crate::base::json::{Json, Kind, Malformed, Number, Reader, Result};
use crate::base::text::Text;
use crate::chat::{Event, Events, Start, Usage};
use crate::dialect::openai_chat::beside::pass_by;
use crate::dialect::openai_chat::stream_choice::{Delta, Progress};
use crate::dialect::openai_chat::{ID, failure, usage};
use crate::dialect::{Cut, Record, Records};

/// Makes events of chunks.
#[derive(Default)]
pub struct Chunks {
    has_started: bool,
    is_done: bool,
    has_failed: bool,
    /// The frame says more than is read of it.
    says_more: bool,
    choices: SmallVec<[Progress; 1]>,
}

/// What one chunk says, choices aside.
#[derive(Default)]
struct Chunk {
    id: Option<Text>,
    model: Option<Text>,
    created: Option<Number>,
    /// The class of service, by the provider's word.
    service: Option<Text>,
    usage: Option<Box<Usage>>,
    error: Option<Json>,
    /// The error stands beside the choices, not in one of them.
    is_outer_error: bool,
    choices: usize,
}

impl Records for Chunks {
    fn dialect(&self) -> DialectId {
        ID
    }

    fn record(&mut self, record: &Record, events: &mut Events) -> Result<()> {
        if record.is_comment {
            events.push(Event::Ping);
        }
        let data = record.data.trim_ascii();
        if data.is_empty() || self.is_done || self.has_failed {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done(events);
            return Ok(());
        }
        if &*record.event == "error" {
            self.fail(failure::read_in_stream(&record.data), events);
            return Ok(());
        }
        self.chunk(record, events)
    }

    fn end(&mut self, events: &mut Events) -> std::result::Result<(), Cut> {
        if self.is_done {
            return Ok(());
        }
        if self.has_failed {
            return Err(Cut("the stream ended in an error".into()));
        }
        if self.choices.is_empty() || !self.choices.iter().all(Progress::has_finished) {
            return Err(Cut("the stream ended without a finish reason".into()));
        }
        self.done(events);
        Ok(())
    }
}

impl Chunks {
    fn chunk(&mut self, record: &Record, events: &mut Events) -> Result<()> {
        let mut chunk = Chunk::default();
        let mut reader = Reader::new(&record.data);
        let wants_head = !self.has_started;
        reader.object(|reader, key| match key {
            "choices" if reader.peek()? == Kind::Array => reader.array(|reader, position| {
                chunk.choices += 1;
                self.choice(reader, position, &mut chunk, events)
            }),
            "usage" if reader.peek()? == Kind::Object => {
                chunk.usage = Some(Box::new(usage::read(reader)?));
                Ok(())
            }
            "error" if reader.peek()? != Kind::Null => {
                chunk.is_outer_error = true;
                chunk.error = Some(reader.raw()?);
                Ok(())
            }
            "service_tier" => text(reader, &mut chunk.service),
            "object" | "system_fingerprint" | "obfuscation" => reader.skip(),
            "id" if wants_head => text(reader, &mut chunk.id),
            "model" if wants_head => text(reader, &mut chunk.model),
            "created" if wants_head && reader.peek()? == Kind::Number => {
                chunk.created = Some(reader.number()?);
                Ok(())
            }
            "id" | "model" | "created" => reader.skip(),
            key => pass_by(key, reader, &mut self.says_more),
        })?;
        reader.end()?;
        self.head(&mut chunk, events);
        if self.has_started && std::mem::take(&mut self.says_more) {
            events.push(Event::Unread);
        }
        if let Some(mut usage) = chunk.usage {
            usage.service = chunk.service;
            events.push(Event::Usage(usage));
        }
        if chunk.is_outer_error || chunk.error.is_none() && chunk.choices == 0 && is_error_object(record) {
            self.fail(failure::read_in_stream(&record.data), events);
        } else if let Some(error) = chunk.error {
            let body = format!(r#"{{"error":{}}}"#, error.0).into();
            self.fail(failure::read_in_stream(&body), events);
        }
        Ok(())
    }

    /// Azure begins with a chunk about the prompt that has neither id nor choices: not yet the answer.
    fn head(&mut self, chunk: &mut Chunk, events: &mut Events) {
        if self.has_started || (chunk.id.is_none() && chunk.choices == 0) {
            return;
        }
        self.has_started = true;
        let start = Start {
            id: chunk.id.take().unwrap_or_default(),
            model: chunk.model.take().unwrap_or_default(),
            created: chunk.created.take(),
        };
        events.insert(0, Event::Start(Box::new(start)));
    }

    fn choice(
        &mut self,
        reader: &mut Reader<'_>,
        position: usize,
        chunk: &mut Chunk,
        events: &mut Events,
    ) -> Result<()> {
        let (mut index, mut finish) = (None, None);
        let mut delta = Delta::default();
        reader.object(|reader, key| match key {
            "index" if reader.peek()? == Kind::Number => {
                index = reader.count()?;
                Ok(())
            }
            "delta" if reader.peek()? == Kind::Object => delta.read(reader, &mut self.says_more),
            "finish_reason" => text(reader, &mut finish),
            "error" if reader.peek()? != Kind::Null => {
                chunk.error = Some(reader.raw()?);
                Ok(())
            }
            key => pass_by(key, reader, &mut self.says_more),
        })?;
        let index = u32::try_from(index.unwrap_or(position as u64))
            .map_err(|_| Malformed::new("the number is too large").within("index"))?;
        let progress = self.progress(index);
        progress.take(&mut delta, events);
        match finish {
            // Said without an error beside it, it is one all the same.
            Some(word) if word == "error" => {
                chunk.error.get_or_insert_with(|| Json(r#"{"message":"the provider stopped with an error"}"#.into()));
            }
            Some(word) => progress.finish(word, events),
            None => {}
        }
        Ok(())
    }

    fn progress(&mut self, index: u32) -> &mut Progress {
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Progress::new(index));
            self.choices.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the position was found or made just now")]
        &mut self.choices[at]
    }

    fn done(&mut self, events: &mut Events) {
        for choice in &mut self.choices {
            choice.end(events);
        }
        self.is_done = true;
        events.push(Event::End);
    }

    fn fail(&mut self, failure: crate::base::stop::Failure, events: &mut Events) {
        self.has_failed = true;
        events.push(Event::Failed(Box::new(failure)));
    }
}

/// Reads a string that says something; anything else is passed by.
pub fn text(reader: &mut Reader<'_>, into: &mut Option<Text>) -> Result<()> {
    if reader.peek()? != Kind::String {
        return reader.skip();
    }
    let text = reader.text()?;
    if !text.is_empty() {
        *into = Some(text);
    }
    Ok(())
}

/// vLLM's error: `{"object":"error","message":…}`.
fn is_error_object(record: &Record) -> bool {
    let mut is_error = false;
    let read = Reader::new(&record.data).object(|reader, key| {
        if key == "object" && reader.peek()? == Kind::String {
            is_error = reader.text()? == "error";
        }
        Ok(())
    });
    read.is_ok() && is_error
}
