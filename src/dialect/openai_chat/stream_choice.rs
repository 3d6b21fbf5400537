//! One choice of a streamed answer: its deltas, and the parts they belong to.

use smallvec::SmallVec;

use crate::base::json::{Json, Kind, Reader, Result};
use crate::base::text::Text;
use crate::chat::{self, Event, Events, FinishReason, Lane, Opening};
use crate::dialect::openai_chat::beside::pass_by;
use crate::dialect::openai_chat::completion::known_finish;
use crate::dialect::openai_chat::stream_read::text;

/// What one delta says, in whatever order.
#[derive(Default)]
pub struct Delta {
    reasoning_content: Option<Text>,
    reasoning: Option<Text>,
    content: Option<Text>,
    refusal: Option<Text>,
    calls: Vec<CallPiece>,
    /// What few say, on the heap.
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
struct Rare {
    /// Thinking among content parts.
    thinking: Vec<Text>,
    /// Text among content parts.
    texts: Vec<Text>,
    details: Vec<Text>,
    signature: Option<Text>,
    sealed: Vec<Text>,
    others: Vec<Json>,
}

#[derive(Default)]
struct CallPiece {
    index: Option<u64>,
    id: Option<Text>,
    name: Option<Text>,
    arguments: Option<Text>,
    /// The old `function_call`, of which there is one.
    is_legacy: bool,
    /// A call that is of no function.
    other: Option<Json>,
}

impl Delta {
    /// Takes note if it says more than what is read.
    pub fn read(&mut self, reader: &mut Reader<'_>, says_more: &mut bool) -> Result<()> {
        reader.object(|reader, key| match key {
            "content" => self.content(reader, says_more),
            "reasoning_content" => text(reader, &mut self.reasoning_content),
            "reasoning" => text(reader, &mut self.reasoning),
            "refusal" => text(reader, &mut self.refusal),
            "reasoning_details" if reader.peek()? == Kind::Array => {
                let rare = self.rare();
                reader.array(|reader, _| detail(reader, rare))
            }
            "tool_calls" if reader.peek()? == Kind::Array => reader.array(|reader, _| {
                self.calls.push(call(reader, says_more)?);
                Ok(())
            }),
            "function_call" if reader.peek()? == Kind::Object => {
                let mut piece = CallPiece { is_legacy: true, ..CallPiece::default() };
                piece.function(reader)?;
                self.calls.push(piece);
                Ok(())
            }
            "role" => reader.skip(),
            key => pass_by(key, reader, says_more),
        })
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn content(&mut self, reader: &mut Reader<'_>, says_more: &mut bool) -> Result<()> {
        match reader.peek()? {
            Kind::String | Kind::Null => text(reader, &mut self.content),
            _ => {
                let rare = self.rare();
                reader.array(|reader, _| content_part(reader, rare, says_more))
            }
        }
    }
}

/// Reads an item of a content array: a text, or Mistral's thinking.
fn content_part(reader: &mut Reader<'_>, rare: &mut Rare, says_more: &mut bool) -> Result<()> {
    let (mut is_known, mut texts, mut has_more) = (false, None, false);
    let mut thinking = Vec::new();
    let ((), raw) = reader.with_raw(|reader| {
        reader.object(|reader, key| match (key, reader.peek()?) {
            ("text", _) => text(reader, &mut texts),
            ("type", Kind::String) => {
                let kind = reader.text()?;
                is_known = kind == "text" || kind == "thinking";
                Ok(())
            }
            ("thinking", Kind::String) => {
                thinking.push(reader.text()?);
                Ok(())
            }
            ("thinking", Kind::Array) => reader.array(|reader, _| {
                let mut piece = None;
                reader.object(|reader, key| if key == "text" { text(reader, &mut piece) } else { reader.skip() })?;
                thinking.extend(piece);
                Ok(())
            }),
            // Mistral's word for thinking that is complete.
            ("closed", _) => reader.skip(),
            (key, _) => pass_by(key, reader, &mut has_more),
        })
    })?;
    if is_known {
        *says_more |= has_more;
        rare.texts.extend(texts);
        rare.thinking.append(&mut thinking);
    } else {
        rare.others.push(raw);
    }
    Ok(())
}

/// Reads an item of `reasoning_details`. Its text is mostly said in `reasoning` too.
fn detail(reader: &mut Reader<'_>, rare: &mut Rare) -> Result<()> {
    let (mut words, mut sealed) = (None, None);
    reader.object(|reader, key| match key {
        "text" | "summary" => text(reader, &mut words),
        "signature" => text(reader, &mut rare.signature),
        "data" => text(reader, &mut sealed),
        _ => reader.skip(),
    })?;
    rare.details.extend(words);
    rare.sealed.extend(sealed);
    Ok(())
}

fn call(reader: &mut Reader<'_>, says_more: &mut bool) -> Result<CallPiece> {
    let mut piece = CallPiece::default();
    let (mut is_other, mut has_more) = (false, false);
    let ((), raw) = reader.with_raw(|reader| {
        reader.object(|reader, key| match (key, reader.peek()?) {
            ("index", Kind::Number) => {
                piece.index = reader.count()?;
                Ok(())
            }
            ("id", _) => text(reader, &mut piece.id),
            ("function", Kind::Object) => piece.function(reader),
            ("custom", Kind::Object) => {
                is_other = true;
                reader.skip()
            }
            (key, _) => pass_by(key, reader, &mut has_more),
        })
    })?;
    // One of another kind is kept as it is.
    *says_more |= has_more && !is_other;
    piece.other = is_other.then_some(raw);
    Ok(piece)
}

impl CallPiece {
    fn function(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        reader.object(|reader, key| match (key, reader.peek()?) {
            ("name", _) => text(reader, &mut self.name),
            ("arguments", Kind::Object) => {
                self.arguments = Some(reader.raw_text()?);
                Ok(())
            }
            ("arguments", _) => text(reader, &mut self.arguments),
            _ => reader.skip(),
        })
    }
}

/// How far a choice has come.
pub struct Progress {
    pub index: u32,
    /// How many parts were opened.
    parts: u32,
    /// The part that is open, tool calls aside.
    open: Option<(Lane, Field)>,
    calls: SmallVec<[Call; 2]>,
    has_finished: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Thinking,
    Text,
    Refusal,
}

struct Call {
    lane: Lane,
    index: Option<u64>,
    id: Option<Text>,
    is_legacy: bool,
    is_open: bool,
}

impl Progress {
    pub fn new(index: u32) -> Self {
        Self { index, parts: 0, open: None, calls: SmallVec::new(), has_finished: false }
    }

    pub fn has_finished(&self) -> bool {
        self.has_finished
    }

    /// Turns a delta into events, thinking first.
    pub fn take(&mut self, delta: &mut Delta, events: &mut Events) {
        let mut rare = delta.rare.take();
        let copy = delta.reasoning.take();
        let has_copy = copy.is_some() && delta.reasoning_content.is_some();
        if let Some(thinking) = delta.reasoning_content.take().or(copy) {
            let details = rare.as_mut().map(|rare| std::mem::take(&mut rare.details)).unwrap_or_default();
            // What is said twice cannot be edited in one place.
            let thinking = if has_copy || !details.is_empty() { thinking.unplaced() } else { thinking };
            self.say(Field::Thinking, chat::Delta::Thinking(thinking), events);
        }
        if let Some(rare) = &mut rare {
            self.rare_thinking(rare, events);
        }
        if let Some(text) = delta.content.take() {
            self.say(Field::Text, chat::Delta::Text(text), events);
        }
        if let Some(rare) = rare {
            self.rare_text(*rare, events);
        }
        if let Some(refusal) = delta.refusal.take() {
            self.say(Field::Refusal, chat::Delta::Refusal(refusal), events);
        }
        for piece in delta.calls.drain(..) {
            self.call(piece, events);
        }
    }

    fn rare_thinking(&mut self, rare: &mut Rare, events: &mut Events) {
        for piece in rare.details.drain(..).chain(rare.thinking.drain(..)) {
            self.say(Field::Thinking, chat::Delta::Thinking(piece), events);
        }
        if let Some(signature) = rare.signature.take() {
            self.say(Field::Thinking, chat::Delta::Signature(signature), events);
        }
        for sealed in rare.sealed.drain(..) {
            self.whole(Opening::Sealed(sealed), events);
        }
    }

    fn rare_text(&mut self, rare: Rare, events: &mut Events) {
        for piece in rare.texts {
            self.say(Field::Text, chat::Delta::Text(piece), events);
        }
        for other in rare.others {
            self.whole(Opening::Other(other), events);
        }
    }

    pub fn finish(&mut self, word: Text, events: &mut Events) {
        self.close_all(events);
        if !self.has_finished {
            self.has_finished = true;
            events.push(Event::Finish { choice: self.index, finish: Box::new(known_finish(word)) });
        }
    }

    /// The stream is complete. A choice that gave no reason has ended by itself, or waits for its tool calls.
    pub fn end(&mut self, events: &mut Events) {
        let reason = if self.calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        self.finish(Text::from(reason.name()), events);
    }

    fn say(&mut self, field: Field, delta: chat::Delta, events: &mut Events) {
        let lane = match self.open {
            Some((lane, open)) if open == field => lane,
            _ => {
                let lane = self.open(
                    match field {
                        Field::Thinking => Opening::Thinking,
                        Field::Text => Opening::Text,
                        Field::Refusal => Opening::Refusal,
                    },
                    events,
                );
                self.open = Some((lane, field));
                lane
            }
        };
        events.push(Event::Delta { lane, delta });
    }

    /// Opens a part; the one before it is closed, unless that is a tool call.
    fn open(&mut self, what: Opening, events: &mut Events) -> Lane {
        self.close(events);
        let lane = Lane { choice: self.index, part: self.parts };
        self.parts += 1;
        events.push(Event::Open { lane, what });
        lane
    }

    /// A part that is complete at once.
    fn whole(&mut self, what: Opening, events: &mut Events) {
        let lane = self.open(what, events);
        events.push(Event::Close { lane });
    }

    fn close(&mut self, events: &mut Events) {
        if let Some((lane, _)) = self.open.take() {
            events.push(Event::Close { lane });
        }
    }

    fn close_all(&mut self, events: &mut Events) {
        self.close(events);
        for call in self.calls.iter_mut().filter(|call| call.is_open) {
            call.is_open = false;
            events.push(Event::Close { lane: call.lane });
        }
    }

    fn call(&mut self, piece: CallPiece, events: &mut Events) {
        let known = self.known(&piece);
        if let Some(other) = piece.other {
            match known {
                Some(lane) => events.push(Event::Delta { lane, delta: chat::Delta::Other(other) }),
                None => {
                    let lane = self.open(Opening::Other(other), events);
                    self.begin(lane, piece.index, piece.id, false);
                }
            }
            return;
        }
        let lane = known.unwrap_or_else(|| {
            let name = piece.name.clone().unwrap_or_default();
            let id = match &piece.id {
                Some(id) => id.clone(),
                None if piece.is_legacy => name.clone().unplaced(),
                // Without an id no result can name the call.
                None => Text::from(format!("call_{}_{}", self.index, self.calls.len())),
            };
            let lane = self.open(Opening::ToolCall { id, name }, events);
            self.begin(lane, piece.index, piece.id, piece.is_legacy);
            lane
        });
        if let Some(arguments) = piece.arguments {
            events.push(Event::Delta { lane, delta: chat::Delta::Arguments(arguments) });
        }
    }

    fn begin(&mut self, lane: Lane, index: Option<u64>, id: Option<Text>, is_legacy: bool) {
        self.calls.push(Call { lane, index, id, is_legacy, is_open: true });
    }

    /// The call that a piece continues. Not all vendors count their calls, some count none but the first, and
    /// some repeat the id with each piece.
    fn known(&self, piece: &CallPiece) -> Option<Lane> {
        let is_head = piece.name.is_some();
        let mut calls = self.calls.iter().rev().filter(|call| call.is_open && call.is_legacy == piece.is_legacy);
        let found = match (piece.index, &piece.id) {
            (Some(index), _) => calls.find(|call| call.index == Some(index)),
            (None, Some(id)) => calls.find(|call| call.id.as_ref() == Some(id)),
            (None, None) if is_head && !piece.is_legacy => None,
            (None, None) => calls.next(),
        }?;
        let is_another = is_head && piece.id.is_some() && found.id.is_some() && piece.id != found.id;
        (!is_another).then_some(found.lane)
    }
}
