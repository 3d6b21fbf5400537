//! Writing a streamed answer.
//!
//! A frame that came in this dialect leaves as its own bytes as long as they fit what was written before.
//! Everything else is written from its events, and always as Anthropic's clients expect: `message_start`
//! once and first, one block after the other, a single `message_delta` that tells the reason and all usage,
//! `message_stop` last. The reason is therefore held back until the end.
//!
//! Where the upstream reports usage only at its end, `message_start` says 0 tokens; clients take the counts
//! of `message_delta`, which are complete. Only the first choice is written: there is no word for others.

use bytes::BytesMut;

use super::member::Cx;
use super::stream_blocks::{Blocks, put, put_data};
use super::tool::{self, Arguments};
use super::{ID, completion, failure, finish, usage};
use crate::base::ids::ModelName;
use crate::base::json::{Json, Writer as JsonWriter};
use crate::base::stop::Stop;
use crate::base::text::Text;
use crate::chat::{
    Completion, Content, Delta, Event, Extra, Finish, FinishReason, Frame, Lane, Losses, Opening, Part, Start,
    Thinking, ToolCall, Usage,
};
use crate::dialect::{Asked, StreamWriter};

pub(super) struct Writer {
    /// The model as the caller named it, for upstreams that do not.
    model: ModelName,
    stage: Stage,
    /// An answer that has begun; told at the end of its frame, which may bring usage as well.
    start: Option<Start>,
    blocks: Blocks,
    usage: Usage,
    finish: Option<Finish>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Before,
    Started,
    /// `message_delta` has been written.
    Finished,
    /// Nothing may follow.
    Ended,
}

impl StreamWriter for Writer {
    fn write(&mut self, frame: &Frame, out: &mut BytesMut) {
        if self.stage == Stage::Ended {
            return;
        }
        if let Some(bytes) = frame.wire(ID).filter(|_| self.fits(frame)) {
            self.note(frame);
            out.extend_from_slice(&bytes);
            return;
        }
        for event in frame.iter() {
            self.event(event, out);
        }
        if self.start.is_some() {
            self.begin(out);
        }
    }

    fn fail(&mut self, stop: &Stop, request_id: &str, out: &mut BytesMut) {
        if self.stage != Stage::Ended {
            self.stage = Stage::Ended;
            put_data(out, "error", &failure::write(stop, request_id));
        }
    }
}

impl Writer {
    pub fn new(asked: &Asked) -> Self {
        Self {
            model: asked.model.clone(),
            stage: Stage::Before,
            start: None,
            blocks: Blocks::default(),
            usage: Usage::default(),
            finish: None,
        }
    }

    /// True if a frame's own bytes may follow what was written: nothing is held back, and its block's
    /// number is the next of ours.
    fn fits(&self, frame: &Frame) -> bool {
        let (mut stage, mut open, mut opened) = (self.stage, self.blocks.open_lane(), self.blocks.opened());
        let is_held = self.blocks.has_waiting() || self.finish.is_some();
        frame.iter().all(|event| match event {
            Event::Start(_) => std::mem::replace(&mut stage, Stage::Started) == Stage::Before,
            Event::Open { lane, .. } => {
                let fits = !is_held && stage == Stage::Started && open.is_none() && lane.part == opened;
                (open, opened) = (Some(*lane), opened.saturating_add(1));
                fits
            }
            Event::Delta { lane, .. } => open == Some(*lane) && lane.part.saturating_add(1) == opened,
            Event::Close { lane } => open.take() == Some(*lane) && lane.part.saturating_add(1) == opened,
            Event::Finish { .. } => !is_held && open.is_none() && stage == Stage::Started,
            Event::End => !is_held && open.is_none(),
            Event::Usage(_) | Event::Ping | Event::Failed(_) | Event::Unread => true,
            Event::Whole(_) => false,
        })
    }

    /// Takes note of a frame that leaves as its own bytes.
    fn note(&mut self, frame: &Frame) {
        for event in frame.iter() {
            match event {
                Event::Start(_) => self.stage = Stage::Started,
                Event::Open { lane, what } => self.blocks.note_open(*lane, what),
                Event::Close { .. } => self.blocks.note_close(),
                Event::Usage(usage) => self.usage.update(usage),
                Event::Finish { .. } => self.stage = Stage::Finished,
                Event::End | Event::Failed(_) => self.stage = Stage::Ended,
                Event::Delta { .. } | Event::Ping | Event::Unread | Event::Whole(_) => {}
            }
        }
    }

    fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start(start) if self.stage == Stage::Before => self.start = Some((**start).clone()),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Ping => self.ping(out),
            Event::End => self.end(out),
            Event::Whole(completion) => self.whole(completion, out),
            Event::Open { lane, what } if self.takes(*lane) => {
                self.begin(out);
                self.blocks.open(*lane, what, out);
            }
            Event::Delta { lane, delta } if self.takes(*lane) => self.blocks.delta(*lane, delta, out),
            Event::Close { lane } if self.takes(*lane) => self.blocks.close(*lane, out),
            Event::Finish { choice: 0, finish } if self.stage < Stage::Finished => {
                self.begin(out);
                self.blocks.close_all(out);
                self.finish = Some((**finish).clone());
            }
            // A failure is told by `fail`, which knows the request's id.
            Event::Failed(_)
            | Event::Unread
            | Event::Start(_)
            | Event::Open { .. }
            | Event::Delta { .. }
            | Event::Close { .. }
            | Event::Finish { .. } => {}
        }
    }

    /// True while parts of this choice can still be written.
    fn takes(&self, lane: Lane) -> bool {
        lane.choice == 0 && self.finish.is_none() && self.stage < Stage::Finished
    }

    /// Nothing may stand before `message_start`, but a comment is nothing.
    fn ping(&mut self, out: &mut BytesMut) {
        if self.stage == Stage::Before && self.start.is_none() {
            out.extend_from_slice(b": ping\n\n");
            return;
        }
        self.begin(out);
        put(out, "ping", |_| ());
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.stage != Stage::Before {
            return;
        }
        self.stage = Stage::Started;
        let start = self.start.take().unwrap_or_default();
        put(out, "message_start", |writer| {
            writer.key("message").object(|writer| {
                match start.id.is_empty() {
                    true => writer.key("id").str(&format!("msg_{:032x}", fastrand::u128(..))),
                    false => writer.key("id").text(&start.id),
                }
                writer.key("type").str("message");
                writer.key("role").str("assistant");
                match start.model.is_empty() {
                    true => writer.key("model").str(self.model.as_str()),
                    false => writer.key("model").text(&start.model),
                }
                writer.key("content").array(|_| ());
                writer.key("stop_reason").null();
                writer.key("stop_sequence").null();
                usage::write(&self.usage, writer.key("usage"));
            });
        });
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.begin(out);
        self.blocks.close_all(out);
        if self.stage < Stage::Finished {
            let finish = self.finish.take().unwrap_or_else(|| Finish::new(FinishReason::Stop, ""));
            self.message_delta(&finish, out);
        }
        put(out, "message_stop", |_| ());
        self.stage = Stage::Ended;
    }

    fn message_delta(&mut self, finish: &Finish, out: &mut BytesMut) {
        self.stage = Stage::Finished;
        put(out, "message_delta", |writer| {
            writer.key("delta").object(|writer| {
                writer.key("stop_reason").str(&finish::word(finish, self.blocks.held));
                match &finish.stop_sequence {
                    Some(stop) => writer.key("stop_sequence").text(stop),
                    None => writer.key("stop_sequence").null(),
                }
            });
            usage::write(&self.usage, writer.key("usage"));
        });
    }

    /// Plays a whole answer as a stream.
    fn whole(&mut self, completion: &Completion, out: &mut BytesMut) {
        // What is left out here was reported by whoever asked for the answer to be translated.
        let mut losses = Losses::default();
        let mut cx = Cx { own: completion.dialect == ID, losses: &mut losses };
        let start = Start { id: completion.id.clone(), model: completion.model.clone(), created: None };
        self.start = Some(start).filter(|_| self.stage == Stage::Before);
        if let Some(usage) = &completion.usage {
            self.usage.update(usage);
        }
        self.begin(out);
        if let Some(choice) = completion::only_choice(completion, &mut cx) {
            for (at, part) in (0..).zip(completion::sayable_parts(choice, &mut cx)) {
                self.part(Lane { choice: 0, part: at }, part, cx.own, out);
            }
            self.finish = choice.finish.clone();
        }
        self.end(out);
    }

    fn part(&mut self, lane: Lane, part: &Part, is_own: bool, out: &mut BytesMut) {
        let Some((what, deltas)) = pieces(part, is_own) else { return };
        self.blocks.open(lane, &what, out);
        for delta in &deltas {
            self.blocks.delta(lane, delta, out);
        }
        self.blocks.close(lane, out);
    }
}

/// Whether all that an answer says can be written as a stream. One of another dialect is said as far as this one can say it.
pub(super) fn can_say(completion: &Completion) -> bool {
    let says_more =
        |extra: &Extra, but: &str| extra.telling_fields().any(|(key, value)| key != but && !value.is_void());
    let is_said = |part: &Part| match &part.content {
        Content::Text(_) => !says_more(&part.extra, "citations"),
        Content::Image(_) | Content::File(_) | Content::Audio { .. } | Content::ToolResult(_) => false,
        _ => !says_more(&part.extra, ""),
    };
    completion.dialect != ID
        || !says_more(&completion.extra, "")
            && completion.choices.iter().all(|choice| !says_more(&choice.extra, "") && choice.parts.iter().all(is_said))
}

/// A part as it would have been streamed; `None` for one that no answer holds.
fn pieces(part: &Part, is_own: bool) -> Option<(Opening, Vec<Delta>)> {
    match &part.content {
        Content::Text(text) => {
            let mut deltas = vec![Delta::Text(text.clone())];
            deltas.extend(part.extra.get("citations").filter(|_| is_own).into_iter().flat_map(citations));
            Some((Opening::Text, deltas))
        }
        Content::Refusal(text) => Some((Opening::Refusal, vec![Delta::Refusal(text.clone())])),
        Content::Thinking(Thinking { sealed: Some(sealed), .. }) => Some((Opening::Sealed(sealed.clone()), Vec::new())),
        Content::Thinking(Thinking { text, signature, .. }) => {
            let signature = signature.clone().map(Delta::Signature);
            Some((Opening::Thinking, std::iter::once(Delta::Thinking(text.clone())).chain(signature).collect()))
        }
        Content::ToolCall(call) => Some((
            Opening::ToolCall { id: call.id.clone(), name: call.name.clone() },
            vec![Delta::Arguments(streamed_arguments(call, is_own))],
        )),
        Content::Other(other) => Some((Opening::Other(other.json.clone()), Vec::new())),
        Content::Image(_) | Content::File(_) | Content::Audio { .. } | Content::ToolResult(_) => None,
    }
}

fn streamed_arguments(call: &ToolCall, is_own: bool) -> Text {
    match tool::arguments(&call.arguments, is_own) {
        Arguments::AsTheyAre => call.arguments.clone(),
        how => {
            let mut writer = JsonWriter::new();
            how.write(&call.arguments, &mut writer);
            Text::new(writer.into_json().0)
        }
    }
}

fn citations(list: &Json) -> Vec<Delta> {
    let mut deltas = Vec::new();
    // A null, or anything else that is no list, has no citations.
    let _ = list.reader().array(|reader, _| {
        let citation = reader.raw()?;
        let mut writer = JsonWriter::new();
        writer.object(|writer| {
            writer.key("type").str("citations_delta");
            writer.key("citation").raw(&citation);
        });
        deltas.push(Delta::Other(writer.into_json()));
        Ok(())
    });
    deltas
}
