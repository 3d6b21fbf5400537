//! What a played provider writes, in the dialect of its target.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use serde_json::{Value, json};

use super::document::{ErrorDoc, FinishDoc, ReplyDoc, ToolCallDoc, Without};
use crate::base::json::Number;
use crate::chat::{
    Choice, Completion, Content, Delta, Event, Events, Finish, FinishReason, Frame, Lane, Losses, Opening, Part,
    Request, Start, Thinking, ToolCall, Usage,
};
use crate::dialect::{Asked, Dialect};

/// The pieces of a body: whole, or an event of a stream each.
pub struct Pieces {
    pub content_type: &'static str,
    pub pieces: Vec<Bytes>,
}

/// Renders an answer to the request that `body` holds.
pub fn render(reply: &ReplyDoc, target: &str, dialect: &dyn Dialect, body: &[u8]) -> Pieces {
    if let Some(verbatim) = &reply.body {
        return self::verbatim(text_of(verbatim).into());
    }
    let status = reply.status.unwrap_or(200);
    if !(200..300).contains(&status) {
        let message = format!("scripted status {status}");
        return Pieces::whole(error(reply.error.as_ref(), &message).to_string().into());
    }
    let request = ByteString::try_from(Bytes::copy_from_slice(body)).ok();
    let request = request.and_then(|text| dialect.read_request(&text).ok());
    let is_stream = request.as_ref().is_some_and(|request| request.stream);
    let said = Said::of(reply, target, request.as_ref());
    if is_stream { said.stream(reply, dialect) } else { said.whole(reply, dialect) }
}

/// A JSON value as the bytes of a body: a text as it is.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    }
}

fn verbatim(bytes: Bytes) -> Pieces {
    let is_stream = ["data:", "event:", ":"].iter().any(|head| bytes.starts_with(head.as_bytes()));
    let content_type = if is_stream { EVENT_STREAM } else { JSON };
    Pieces { content_type, pieces: vec![bytes] }
}

/// An error in the shape that all dialects have for one.
fn error(written: Option<&ErrorDoc>, message: &str) -> Value {
    let written = written.cloned().unwrap_or_default();
    let mut error = json!({
        "type": written.kind.unwrap_or_else(|| "scripted".to_owned()),
        "message": written.message.unwrap_or_else(|| message.to_owned()),
    });
    if let (Some(code), Some(error)) = (written.code, error.as_object_mut()) {
        error.insert("code".into(), code.into());
    }
    json!({ "type": "error", "error": error })
}

impl Pieces {
    pub fn whole(body: Bytes) -> Self {
        Self { content_type: JSON, pieces: vec![body] }
    }
}

/// What the model of a played provider says.
struct Said {
    thinking: Option<String>,
    text: String,
    calls: Vec<ToolCall>,
    /// `None` if the answer does not say why it ends.
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

impl Said {
    fn of(reply: &ReplyDoc, target: &str, request: Option<&Request>) -> Self {
        let calls: Vec<ToolCall> = reply.tool_calls.iter().enumerate().map(|(n, call)| tool_call(n, call)).collect();
        let text = match (&reply.text, reply.echo) {
            (Some(text), _) => text.clone(),
            (None, true) => request.map(last_said).unwrap_or_default(),
            (None, false) if calls.is_empty() => format!("hello from {target}"),
            (None, false) => String::new(),
        };
        let finish = match reply.finish {
            Some(FinishDoc::Length) => FinishReason::Length,
            Some(FinishDoc::ContentFilter) => FinishReason::ContentFilter,
            Some(FinishDoc::ToolCalls) => FinishReason::ToolCalls,
            None if !calls.is_empty() => FinishReason::ToolCalls,
            Some(FinishDoc::Stop) | None => FinishReason::Stop,
        };
        let usage =
            reply.usage.map(|usage| Usage { text_in: Some(usage.input), out: Some(usage.output), ..Usage::default() });
        let finish = (!reply.without.0.contains(&Without::Finish)).then_some(finish);
        Self { thinking: reply.thinking.clone(), text, calls, finish, usage }
    }

    fn whole(self, reply: &ReplyDoc, dialect: &dyn Dialect) -> Pieces {
        let thinking = self.thinking.map(|text| {
            let signature = Some(SIGNATURE.into());
            Part::new(Content::Thinking(Thinking { text: text.into(), signature, sealed: None }))
        });
        let text = (!self.text.is_empty()).then(|| Part::text(self.text));
        let calls = self.calls.into_iter().map(|call| Part::new(Content::ToolCall(call)));
        let choice = Choice {
            parts: thinking.into_iter().chain(text).chain(calls).collect(),
            finish: self.finish.map(|reason| Finish::new(reason, "")),
            ..Choice::default()
        };
        let completion = Completion {
            dialect: dialect.id(),
            id: ID.into(),
            model: MODEL.into(),
            created: Some(Number::from(CREATED)),
            choices: vec![choice],
            usage: self.usage,
            extra: Default::default(),
        };
        let mut body = dialect.write_completion(&completion, &mut Losses::default());
        if reply.malformed {
            body.truncate(body.len() / 2);
        }
        Pieces::whole(body.into())
    }

    /// An event for each word.
    fn stream(self, reply: &ReplyDoc, dialect: &dyn Dialect) -> Pieces {
        let mut writer = dialect.stream_writer(&Asked { wants_usage: true, created: CREATED, ..Asked::default() });
        let mut write = |event: Event| {
            let mut out = BytesMut::new();
            writer.write(&Frame::new(Events::from_iter([event])), &mut out);
            (!out.is_empty()).then(|| out.freeze())
        };
        let lacks_end = reply.without.0.contains(&Without::End);
        // Some dialects say with the end what they have held back until then, so it is written and taken away.
        let is_cut_back = lacks_end && self.finish.is_some();
        let (said, end) = (self.events(), self.last_events((!lacks_end || is_cut_back).then_some(Event::End)));
        let mut pieces: Vec<Bytes> = said.into_iter().filter_map(&mut write).collect();
        if reply.malformed {
            pieces.push(Bytes::from_static(b"data: {\"id\":\"played-1\",\"choi\n\n"));
        }
        pieces.extend(end.into_iter().filter_map(&mut write));
        if is_cut_back {
            drop_last_record(&mut pieces);
        }
        if let Some(after) = reply.error_after {
            pieces.truncate(after);
            let error = error(reply.error.as_ref(), "scripted failure");
            pieces.push(format!("event: error\ndata: {error}\n\n").into());
        }
        Pieces { content_type: EVENT_STREAM, pieces }
    }

    /// From the start to the last word.
    fn events(&self) -> Vec<Event> {
        let start = Start { id: ID.into(), model: MODEL.into(), created: Some(Number::from(CREATED)) };
        let mut events = vec![Event::Start(Box::new(start))];
        let mut lane = Lane { choice: 0, part: 0 };
        let mut part = |what: Opening, deltas: Vec<Delta>| {
            events.push(Event::Open { lane, what });
            events.extend(deltas.into_iter().map(|delta| Event::Delta { lane, delta }));
            events.push(Event::Close { lane });
            lane.part += 1;
        };
        if let Some(thinking) = &self.thinking {
            let thoughts = thinking.split_inclusive(' ').map(|word| Delta::Thinking(word.into()));
            part(Opening::Thinking, thoughts.chain([Delta::Signature(SIGNATURE.into())]).collect());
        }
        if !self.text.is_empty() {
            part(Opening::Text, self.text.split_inclusive(' ').map(|word| Delta::Text(word.into())).collect());
        }
        for call in &self.calls {
            let what = Opening::ToolCall { id: call.id.clone(), name: call.name.clone() };
            let arguments = call.arguments.as_str();
            part(what, arguments.split_inclusive(',').map(|piece| Delta::Arguments(piece.into())).collect());
        }
        events
    }

    /// What comes behind the last word.
    fn last_events(self, end: Option<Event>) -> Vec<Event> {
        let finish = self.finish.map(|reason| Event::Finish { choice: 0, finish: Box::new(Finish::new(reason, "")) });
        let usage = self.usage.map(|usage| Event::Usage(Box::new(usage)));
        finish.into_iter().chain(usage).chain(end).collect()
    }
}

/// What is written with the last record stays.
fn drop_last_record(pieces: &mut Vec<Bytes>) {
    let Some(last) = pieces.pop() else { return };
    let records = last.strip_suffix(b"\n\n").unwrap_or(&last);
    if let Some(end) = memchr::memmem::rfind(records, b"\n\n") {
        pieces.push(last.slice(..end + 2));
    }
}

/// The last thing that somebody said in a request, in a text.
pub fn last_said(request: &Request) -> String {
    let texts = request.parts().filter_map(|part| match &part.content {
        Content::Text(text) => Some(text.as_str().into_owned()),
        _ => None,
    });
    texts.last().unwrap_or_default()
}

fn tool_call(number: usize, call: &ToolCallDoc) -> ToolCall {
    let arguments = match &call.arguments {
        Value::Null => "{}".to_owned(),
        arguments => text_of(arguments),
    };
    ToolCall {
        id: call.id.clone().unwrap_or_else(|| format!("call-{}", number + 1)).into(),
        name: call.name.as_str().into(),
        arguments: arguments.into(),
    }
}

const ID: &str = "played-1";
const MODEL: &str = "played";
const SIGNATURE: &str = "played-signature";
const CREATED: u64 = 1_767_225_600;
const JSON: &str = "application/json";
pub const EVENT_STREAM: &str = "text/event-stream";
