//! Streamed answers, written.
//!
//! A frame that came in this dialect and was not touched goes out as its own bytes. Everything else is made
//! into chunks of one choice each. However the two mix: usage comes after the last finish reason and only if
//! it was asked for, and `[DONE]` comes once, at the end of an answer that is complete.
//!
//! What a chunk cannot say (signatures, sealed thinking, another dialect's parts) is left out.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::base::json::{Number, Writer};
use crate::base::stop::Stop;
use crate::base::text::Text;
use crate::chat::{Choice, Completion, Content, Delta, Event, Events, Finish, Frame, Lane, Opening, Start, Usage};
use crate::dialect::openai_chat::write_completion::chat_id;
use crate::dialect::openai_chat::{ID, failure, finish, usage};
use crate::dialect::{Asked, StreamWriter};

/// Makes chunks of events.
pub struct Chunks {
    asked: Asked,
    head: Start,
    choices: SmallVec<[Told; 1]>,
    /// Usage that the caller has not been told of.
    usage: Option<Usage>,
    is_done: bool,
}

/// What the caller has been told of a choice.
struct Told {
    index: u32,
    has_role: bool,
    /// The tool calls, in order.
    calls: SmallVec<[ToldCall; 2]>,
}

struct ToldCall {
    part: u32,
    has_arguments: bool,
}

impl StreamWriter for Chunks {
    fn write(&mut self, frame: &Frame, out: &mut BytesMut) {
        if self.is_done {
            return;
        }
        let is_whole = frame.iter().any(|event| matches!(event, Event::Whole(_)));
        match frame.wire(ID).filter(|_| !is_whole) {
            Some(wire) => self.pass(frame, wire, out),
            None => frame.iter().for_each(|event| self.event(event, out)),
        }
    }

    fn fail(&mut self, stop: &Stop, request_id: &str, out: &mut BytesMut) {
        if self.is_done {
            return;
        }
        self.is_done = true;
        let mut error = failure::write(stop, request_id);
        // An upstream's body may have lines; between the tokens of JSON they are but space.
        error.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        record(&error, out);
    }
}

impl Chunks {
    pub fn new(asked: &Asked) -> Self {
        Self { asked: asked.clone(), head: Start::default(), choices: SmallVec::new(), usage: None, is_done: false }
    }

    /// Passes a frame's own bytes on, and keeps in mind what they say.
    fn pass(&mut self, events: &Events, wire: Bytes, out: &mut BytesMut) {
        let (mut has_usage, mut is_usage_only) = (false, true);
        for event in events {
            match event {
                Event::Usage(_) => has_usage = true,
                // `fail` says so.
                Event::Failed(_) => return,
                Event::Unread => {}
                Event::End => {
                    self.tell_usage(out);
                    self.is_done = true;
                    is_usage_only = false;
                }
                event => {
                    self.note(event);
                    is_usage_only = false;
                }
            }
        }
        if has_usage && is_usage_only && !self.asked.wants_usage {
            return;
        }
        if has_usage {
            self.usage = None;
        }
        out.put_slice(&wire);
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Start(start) => self.head = (**start).clone(),
            Event::Open { lane, what } => {
                self.told(lane.choice).has_role = true;
                if matches!(what, Opening::ToolCall { .. }) {
                    self.call(*lane);
                }
            }
            Event::Delta { lane, delta: Delta::Arguments(_) } => {
                self.arguments_of(*lane);
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start(start) => self.head = (**start).clone(),
            Event::Open { lane, what: Opening::ToolCall { id, name } } => {
                let index = self.call(*lane);
                self.chunk(lane.choice, out, |writer| {
                    call(writer, index, |writer| {
                        writer.key("id").text(id);
                        writer.key("type").str("function");
                        writer.key("function").object(|writer| {
                            writer.key("name").text(name);
                            writer.key("arguments").str("");
                        });
                    });
                });
            }
            Event::Delta { lane, delta } => self.delta(*lane, delta, out),
            Event::Finish { choice, finish } => self.finish(*choice, finish, out),
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            Event::Ping => out.put_slice(b": ping\n\n"),
            Event::Whole(completion) => self.whole(completion, out),
            Event::End => self.end(out),
            Event::Close { lane } => self.close(*lane, out),
            Event::Open { .. } | Event::Failed(_) | Event::Unread => {}
        }
    }

    fn delta(&mut self, lane: Lane, delta: &Delta, out: &mut BytesMut) {
        let (key, text) = match delta {
            Delta::Text(text) => ("content", text),
            Delta::Thinking(text) => ("reasoning_content", text),
            Delta::Refusal(text) => ("refusal", text),
            Delta::Arguments(text) => {
                let Some(index) = self.arguments_of(lane) else { return };
                return self.chunk(lane.choice, out, |writer| {
                    call(writer, index, |writer| {
                        writer.key("function").object(|writer| writer.key("arguments").text(text));
                    });
                });
            }
            Delta::Signature(_) | Delta::Other(_) => return,
        };
        self.chunk(lane.choice, out, |writer| writer.key(key).text(text));
    }

    /// A call without arguments has none to parse: clients want at least an empty object.
    fn close(&mut self, lane: Lane, out: &mut BytesMut) {
        let calls = &self.told(lane.choice).calls;
        if calls.iter().any(|call| call.part == lane.part && !call.has_arguments) {
            self.delta(lane, &Delta::Arguments(Text::from("{}")), out);
        }
    }

    fn finish(&mut self, choice: u32, reason: &Finish, out: &mut BytesMut) {
        self.chunk_with(choice, Some(finish::word(reason)), out, |_| {});
    }

    fn whole(&mut self, completion: &Completion, out: &mut BytesMut) {
        self.head =
            Start { id: completion.id.clone(), model: completion.model.clone(), created: completion.created.clone() };
        for choice in &completion.choices {
            self.whole_choice(choice, out);
        }
        self.usage.clone_from(&completion.usage);
        self.end(out);
    }

    fn whole_choice(&mut self, choice: &Choice, out: &mut BytesMut) {
        for (part, what) in (0..).zip(&choice.parts) {
            let lane = Lane { choice: choice.index, part };
            match &what.content {
                Content::Text(text) => self.delta(lane, &Delta::Text(text.clone()), out),
                Content::Thinking(thinking) if !thinking.text.is_empty() => {
                    self.delta(lane, &Delta::Thinking(thinking.text.clone()), out);
                }
                Content::Refusal(text) => self.delta(lane, &Delta::Refusal(text.clone()), out),
                Content::ToolCall(call) => {
                    let what = Opening::ToolCall { id: call.id.clone(), name: call.name.clone() };
                    self.event(&Event::Open { lane, what }, out);
                    if !call.arguments.is_empty() {
                        self.delta(lane, &Delta::Arguments(call.arguments.clone()), out);
                    }
                    self.close(lane, out);
                }
                _ => {}
            }
        }
        if let Some(finish) = &choice.finish {
            self.finish(choice.index, finish, out);
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.tell_usage(out);
        self.is_done = true;
        record(b"[DONE]", out);
    }

    fn tell_usage(&mut self, out: &mut BytesMut) {
        let Some(usage) = self.usage.take().filter(|_| self.asked.wants_usage) else { return };
        let mut writer = Writer::new();
        writer.object(|writer| {
            self.write_head(writer);
            writer.key("choices").array(|_| {});
            usage::write(writer.key("usage"), &usage);
        });
        record(&writer.into_bytes(), out);
    }

    /// The number in its choice of the tool call that the part is.
    fn call(&mut self, lane: Lane) -> u64 {
        let calls = &mut self.told(lane.choice).calls;
        let at = calls.iter().position(|call| call.part == lane.part).unwrap_or_else(|| {
            calls.push(ToldCall { part: lane.part, has_arguments: false });
            calls.len() - 1
        });
        at as u64
    }

    /// The number of the tool call that gets arguments; `None` if the caller was told of none, for the provider's
    /// own tools have arguments too.
    fn arguments_of(&mut self, lane: Lane) -> Option<u64> {
        let calls = &mut self.told(lane.choice).calls;
        let (at, call) = (0..).zip(calls).find(|(_, call)| call.part == lane.part)?;
        call.has_arguments = true;
        Some(at)
    }

    fn told(&mut self, index: u32) -> &mut Told {
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Told { index, has_role: false, calls: SmallVec::new() });
            self.choices.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the position was found or made just now")]
        &mut self.choices[at]
    }

    fn chunk(&mut self, choice: u32, out: &mut BytesMut, delta: impl FnOnce(&mut Writer)) {
        self.chunk_with(choice, None, out, delta);
    }

    fn chunk_with(
        &mut self,
        choice: u32,
        finish: Option<Cow<'_, str>>,
        out: &mut BytesMut,
        delta: impl FnOnce(&mut Writer),
    ) {
        let needs_role = !std::mem::replace(&mut self.told(choice).has_role, true);
        let mut writer = Writer::new();
        writer.object(|writer| {
            self.write_head(writer);
            writer.key("choices").array(|writer| {
                writer.object(|writer| {
                    writer.key("index").u64(choice.into());
                    writer.key("delta").object(|writer| {
                        if needs_role {
                            writer.key("role").str("assistant");
                        }
                        delta(writer);
                    });
                    match &finish {
                        Some(word) => writer.key("finish_reason").str(word),
                        None => writer.key("finish_reason").null(),
                    }
                });
            });
        });
        record(&writer.into_bytes(), out);
    }

    fn write_head(&self, writer: &mut Writer) {
        let created = self.head.created.clone().unwrap_or_else(|| Number::from(self.asked.created));
        writer.key("id").str(&chat_id(&self.head.id, created.as_str()));
        writer.key("object").str("chat.completion.chunk");
        writer.key("created").number(&created);
        if self.head.model.is_empty() {
            writer.key("model").str(self.asked.model.as_str());
        } else {
            writer.key("model").text(&self.head.model);
        }
    }
}

fn call(writer: &mut Writer, index: u64, members: impl FnOnce(&mut Writer)) {
    writer.key("tool_calls").array(|writer| {
        writer.object(|writer| {
            writer.key("index").u64(index);
            members(writer);
        });
    });
}

fn record(data: &[u8], out: &mut BytesMut) {
    out.reserve(data.len() + 8);
    out.put_slice(b"data: ");
    out.put_slice(data);
    out.put_slice(b"\n\n");
}
