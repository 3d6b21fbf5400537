//! What a played provider writes, in the dialect of its target.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use serde_json::Value;

use super::document::ReplyDoc;
use crate::base::json::Number;
use crate::chat::{
    Choice, Completion, Content, Delta, Event, Events, Finish, FinishReason, Frame, Lane, Losses, Opening, Part, Start,
    Usage,
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
        let bytes = match verbatim {
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        };
        let is_stream = ["data:", "event:", ":"].iter().any(|head| bytes.starts_with(head.as_bytes()));
        let content_type = if is_stream { "text/event-stream" } else { "application/json" };
        return Pieces { content_type, pieces: vec![bytes.into()] };
    }
    let status = reply.status.unwrap_or(200);
    if status != 200 {
        let error =
            serde_json::json!({ "error": { "type": "scripted", "message": format!("scripted status {status}") } });
        return Pieces { content_type: "application/json", pieces: vec![error.to_string().into()] };
    }
    let request = ByteString::try_from(Bytes::copy_from_slice(body)).ok();
    let request = request.and_then(|text| dialect.read_request(&text).ok());
    let is_stream = request.as_ref().is_some_and(|request| request.stream);
    let text = match (&reply.text, reply.echo) {
        (Some(text), _) => text.clone(),
        (None, true) => request.as_ref().map(last_said).unwrap_or_default(),
        (None, false) => format!("hello from {target}"),
    };
    let usage =
        reply.usage.map(|usage| Usage { text_in: Some(usage.input), out: Some(usage.output), ..Usage::default() });
    if is_stream { stream(dialect, &text, usage) } else { whole(dialect, &text, usage) }
}

fn last_said(request: &crate::chat::Request) -> String {
    let texts = request.parts().filter_map(|part| match &part.content {
        Content::Text(text) => Some(text.as_str().into_owned()),
        _ => None,
    });
    texts.last().unwrap_or_default()
}

const CREATED: u64 = 1_767_225_600;

fn whole(dialect: &dyn Dialect, text: &str, usage: Option<Usage>) -> Pieces {
    let choice = Choice {
        parts: vec![Part::text(text)],
        finish: Some(Finish::new(FinishReason::Stop, "")),
        ..Choice::default()
    };
    let completion = Completion {
        dialect: dialect.id(),
        id: "played-1".into(),
        model: "played".into(),
        created: Some(Number::from(CREATED)),
        choices: vec![choice],
        usage,
        extra: Default::default(),
    };
    let body = dialect.write_completion(&completion, &mut Losses::default());
    Pieces { content_type: "application/json", pieces: vec![body.into()] }
}

/// An event for each word.
fn stream(dialect: &dyn Dialect, text: &str, usage: Option<Usage>) -> Pieces {
    let lane = Lane { choice: 0, part: 0 };
    let start = Start { id: "played-1".into(), model: "played".into(), created: Some(Number::from(CREATED)) };
    let mut events = vec![Event::Start(Box::new(start)), Event::Open { lane, what: Opening::Text }];
    events.extend(text.split_inclusive(' ').map(|word| Event::Delta { lane, delta: Delta::Text(word.into()) }));
    let finish = Box::new(Finish::new(FinishReason::Stop, ""));
    events.extend([Event::Close { lane }, Event::Finish { choice: 0, finish }]);
    events.extend(usage.map(|usage| Event::Usage(Box::new(usage))));
    events.push(Event::End);
    let mut writer = dialect.stream_writer(&Asked { wants_usage: true, created: CREATED, ..Asked::default() });
    let mut pieces = Vec::new();
    for event in events {
        let mut out = BytesMut::new();
        writer.write(&Frame::new(Events::from_iter([event])), &mut out);
        if !out.is_empty() {
            pieces.push(out.freeze());
        }
    }
    Pieces { content_type: "text/event-stream", pieces }
}
