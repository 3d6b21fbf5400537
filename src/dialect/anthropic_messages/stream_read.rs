//! Reading a streamed answer: one method for each type of event.
//!
//! Blocks are numbered anew in the order in which they open. Types of events that are not known pass
//! without a word. The answer is complete with `message_stop`, or, from servers that leave it out, with a
//! reason to stop and every block closed.

use std::borrow::Cow;

use bytestring::ByteString;
use smallvec::SmallVec;

use super::member::{raw_object, required};
use super::usage::Tally;
use super::{ID, failure, finish};
use crate::base::ids::DialectId;
use crate::base::json::{self, Kind, Malformed, Result};
use crate::base::text::Text;
use crate::chat::{Delta, Event, Events, Lane, Opening, Start};
use crate::dialect::{Cut, Record, Records};

/// Reads the records of one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    stage: Stage,
    /// The indices of open blocks and the parts they are.
    open: SmallVec<[(u64, u32); 4]>,
    next_part: u32,
    /// A block had not been closed when the answer was said to have finished.
    left_open: bool,
    tally: Tally,
    /// The frame says more than is read of it.
    says_more: bool,
}

#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Before,
    Started,
    Finished,
    Ended,
    Failed,
}

impl Records for Reader {
    fn dialect(&self) -> DialectId {
        ID
    }

    fn record(&mut self, record: &Record, events: &mut Events) -> Result<()> {
        if record.is_comment {
            events.push(Event::Ping);
            return Ok(());
        }
        // The two say the same; compatible servers may leave out the first.
        let kind = match record.event.is_empty() {
            false => Some(Cow::Borrowed(&*record.event)),
            true => json::Reader::new(&record.data).glimpse("type"),
        };
        if self.stage >= Stage::Ended {
            return Ok(());
        }
        let read = self.event(kind.as_deref().unwrap_or_default(), record, events);
        if std::mem::take(&mut self.says_more) {
            events.push(Event::Unread);
        }
        read
    }

    fn end(&mut self, events: &mut Events) -> std::result::Result<(), Cut> {
        match self.stage {
            Stage::Ended => Ok(()),
            Stage::Finished if self.open.is_empty() && !self.left_open => {
                self.stage = Stage::Ended;
                events.push(Event::End);
                Ok(())
            }
            Stage::Before => Err(Cut("the stream ended before `message_start`".into())),
            Stage::Started | Stage::Finished => Err(Cut("the stream ended before `message_stop`".into())),
            Stage::Failed => Err(Cut("the stream ended with an error".into())),
        }
    }
}

impl Reader {
    fn event(&mut self, kind: &str, record: &Record, events: &mut Events) -> Result<()> {
        match kind {
            "content_block_delta" => self.block_delta(&record.data, events),
            "content_block_start" => self.block_start(&record.data, events),
            "content_block_stop" => self.block_stop(&record.data, events),
            "message_start" => self.message_start(&record.data, events),
            "message_delta" => self.message_delta(&record.data, events),
            "message_stop" => {
                self.close_all(events);
                self.stage = Stage::Ended;
                events.push(Event::End);
                Ok(())
            }
            "ping" => {
                events.push(Event::Ping);
                Ok(())
            }
            "error" => {
                self.stage = Stage::Failed;
                events.push(Event::Failed(Box::new(failure::read_event(&record.data))));
                Ok(())
            }
            // A record that does not say what it is must at least be whole.
            "" if record.has_data => members(&record.data, |_, _| Ok(())),
            _ => Ok(()),
        }
    }

    fn message_start(&mut self, data: &ByteString, events: &mut Events) -> Result<()> {
        let (mut start, mut usage) = (None, None);
        members(data, |reader, key| {
            if key == "message" {
                let start = start.get_or_insert_with(Start::default);
                reader.object(|reader, key| {
                    match (key, reader.peek()?) {
                        ("id", Kind::String) => start.id = reader.text()?,
                        ("model", Kind::String) => start.model = reader.text()?,
                        ("usage", Kind::Object) => usage = Some(reader.raw()?),
                        ("type" | "role", _) => {}
                        _ => self.says_more |= !reader.raw()?.is_void(),
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        let start = required(start, "message")?;
        if self.stage == Stage::Before {
            self.stage = Stage::Started;
            events.push(Event::Start(Box::new(start)));
        }
        if let Some(usage) = usage {
            events.push(Event::Usage(Box::new(self.tally.read(usage)?)));
        }
        Ok(())
    }

    fn block_start(&mut self, data: &ByteString, events: &mut Events) -> Result<()> {
        let (mut index, mut block) = (0, None);
        members(data, |reader, key| {
            match key {
                "index" => index = reader.u64()?,
                "content_block" => block = Some(Block::read(reader, &mut self.says_more)?),
                _ => {}
            }
            Ok(())
        })?;
        let block = required(block, "content_block")?;
        self.close(index, events);
        let lane = Lane { choice: 0, part: self.next_part };
        self.next_part = self.next_part.saturating_add(1);
        self.open.push((index, lane.part));
        events.push(Event::Open { lane, what: block.what });
        events.extend(block.first.into_iter().map(|delta| Event::Delta { lane, delta }));
        Ok(())
    }

    fn block_delta(&mut self, data: &ByteString, events: &mut Events) -> Result<()> {
        let (mut index, mut delta) = (0, None);
        members(data, |reader, key| {
            match key {
                "index" => index = reader.u64()?,
                "delta" => delta = Some(read_delta(reader)?),
                _ => {}
            }
            Ok(())
        })?;
        let delta = required(delta, "delta")?;
        let Some(&(_, part)) = self.open.iter().find(|(open, _)| *open == index) else {
            return Err(Malformed::new(format!("a delta for block {index}, which is not open")));
        };
        events.push(Event::Delta { lane: Lane { choice: 0, part }, delta });
        Ok(())
    }

    fn block_stop(&mut self, data: &ByteString, events: &mut Events) -> Result<()> {
        let mut index = 0;
        members(data, |reader, key| {
            if key == "index" {
                index = reader.u64()?;
            }
            Ok(())
        })?;
        self.close(index, events);
        Ok(())
    }

    fn message_delta(&mut self, data: &ByteString, events: &mut Events) -> Result<()> {
        let (mut word, mut stop_sequence, mut usage) = (None, None, None);
        members(data, |reader, key| {
            match (key, reader.peek()?) {
                ("delta", Kind::Object) => reader.object(|reader, key| {
                    match key {
                        "stop_reason" => word = reader.nullable(json::Reader::text)?,
                        "stop_sequence" => stop_sequence = reader.nullable(json::Reader::text)?,
                        _ => self.says_more |= !reader.raw()?.is_void(),
                    }
                    Ok(())
                })?,
                ("usage", Kind::Object) => usage = Some(raw_object(reader)?),
                ("type", _) => {}
                _ => self.says_more |= !reader.raw()?.is_void(),
            }
            Ok(())
        })?;
        if let Some(usage) = usage {
            events.push(Event::Usage(Box::new(self.tally.read(usage)?)));
        }
        if let Some(finish) = finish::read(word, stop_sequence) {
            self.left_open |= !self.open.is_empty();
            self.close_all(events);
            self.stage = Stage::Finished;
            events.push(Event::Finish { choice: 0, finish: Box::new(finish) });
        }
        Ok(())
    }

    fn close(&mut self, index: u64, events: &mut Events) {
        if let Some(at) = self.open.iter().position(|(open, _)| *open == index) {
            let (_, part) = self.open.remove(at);
            events.push(Event::Close { lane: Lane { choice: 0, part } });
        }
    }

    fn close_all(&mut self, events: &mut Events) {
        let open = self.open.drain(..);
        events.extend(open.map(|(_, part)| Event::Close { lane: Lane { choice: 0, part } }));
    }
}

/// Reads the one object a record's data is.
fn members(data: &ByteString, member: impl FnMut(&mut json::Reader<'_>, &str) -> Result<()>) -> Result<()> {
    let mut reader = json::Reader::new(data);
    reader.object(member)?;
    reader.end()
}

/// A block as it opens, with what it may already hold.
struct Block {
    what: Opening,
    first: SmallVec<[Delta; 1]>,
}

impl Block {
    /// Takes note if it says more than what is read.
    fn read(reader: &mut json::Reader<'_>, says_more: &mut bool) -> Result<Self> {
        let kind = required(reader.glimpse("type"), "type")?;
        match &*kind {
            "text" => Self::held(Opening::Text, reader, says_more),
            "thinking" => Self::held(Opening::Thinking, reader, says_more),
            "tool_use" => Self::tool_call(reader, says_more),
            "redacted_thinking" => {
                let mut sealed = Text::default();
                reader.object(|reader, key| {
                    if key == "data" {
                        sealed = reader.text()?;
                    }
                    Ok(())
                })?;
                Ok(Self { what: Opening::Sealed(sealed), first: SmallVec::new() })
            }
            _ => Ok(Self { what: Opening::Other(reader.raw()?), first: SmallVec::new() }),
        }
    }

    fn held(what: Opening, reader: &mut json::Reader<'_>, says_more: &mut bool) -> Result<Self> {
        let mut first = SmallVec::new();
        reader.object(|reader, key| {
            let delta = match (key, reader.peek()?) {
                ("text", Kind::String) => Delta::Text(reader.text()?),
                ("thinking", Kind::String) => Delta::Thinking(reader.text()?),
                ("signature", Kind::String) => Delta::Signature(reader.text()?),
                ("type", _) => return Ok(()),
                _ => {
                    *says_more |= !reader.raw()?.is_void();
                    return Ok(());
                }
            };
            if !delta.is_empty() {
                first.push(delta);
            }
            Ok(())
        })?;
        Ok(Self { what, first })
    }

    fn tool_call(reader: &mut json::Reader<'_>, says_more: &mut bool) -> Result<Self> {
        let (mut id, mut name, mut first) = (None, None, SmallVec::new());
        reader.object(|reader, key| {
            match key {
                "id" => id = Some(reader.text()?),
                "name" => name = Some(reader.text()?),
                "input" if reader.peek()? == Kind::Object => {
                    // Commonly `{}`, in place of what the deltas will bring; compatible servers may send all of it.
                    let input = reader.raw_text()?;
                    if input.as_str().bytes().any(|byte| byte == b'"') {
                        first.push(Delta::Arguments(input));
                    }
                }
                "type" => {}
                _ => *says_more |= !reader.raw()?.is_void(),
            }
            Ok(())
        })?;
        let what = Opening::ToolCall { id: required(id, "id")?, name: required(name, "name")? };
        Ok(Self { what, first })
    }
}

fn read_delta(reader: &mut json::Reader<'_>) -> Result<Delta> {
    let kind = required(reader.glimpse("type"), "type")?;
    let (key, make): (_, fn(Text) -> Delta) = match &*kind {
        "text_delta" => ("text", Delta::Text),
        "input_json_delta" => ("partial_json", Delta::Arguments),
        "thinking_delta" => ("thinking", Delta::Thinking),
        "signature_delta" => ("signature", Delta::Signature),
        _ => return reader.raw().map(Delta::Other),
    };
    let mut text = None;
    reader.object(|reader, found| {
        if found == key {
            text = Some(reader.text()?);
        }
        Ok(())
    })?;
    required(text, key).map(make)
}
