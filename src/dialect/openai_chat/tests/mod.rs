//! What the tests of this dialect share.

mod answers;
mod failures;
mod laws;
mod recordings;
mod requests;
mod streams;
mod twice;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use serde_json::Value;

use super::*;
use crate::base::ids::ModelName;
use crate::chat::{Delta, Event, Events, Frame, Lane, Opening};

/// A target that takes everything as it is and must be asked for nothing.
const EASY: Quirks = Quirks {
    max_completion_tokens: true,
    stream_options: false,
    developer_role: true,
    json_schema: true,
    default_max_tokens: 0,
};

fn fixtures(prefix: &str) -> Vec<(String, ByteString)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openai_chat");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, path)| (name, ByteString::from(std::fs::read_to_string(path).unwrap())))
        .collect();
    found.sort();
    assert!(found.len() >= 8, "the fixtures `{prefix}*` are not there");
    found
}

fn fixture(name: &str) -> ByteString {
    let path = format!("{}/tests/fixtures/openai_chat/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().into()
}

fn value(bytes: impl AsRef<[u8]>) -> Value {
    serde_json::from_slice(bytes.as_ref()).unwrap()
}

fn request(json: &str) -> Verbatim<Request> {
    let body = ByteString::from(json);
    Verbatim::read(OpenAiChat.read_request(&body).unwrap(), ID, body.into_bytes(), Some(0))
}

fn losses_of(losses: &Losses) -> Vec<String> {
    losses.iter().map(|loss| format!("{}: {}", loss.what, loss.instead)).collect()
}

/// Reads a stream in pieces, up to the point where it is malformed.
fn frames(pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
    let mut reader = OpenAiChat.stream_reader();
    let mut frames = Vec::new();
    for piece in pieces {
        if reader.feed(Bytes::copy_from_slice(piece), &mut frames).is_err() {
            return (frames, false);
        }
    }
    let is_complete = reader.finish(&mut frames).is_ok();
    (frames, is_complete)
}

/// Events as lines that tests can compare.
fn lines(frames: &[Frame]) -> Vec<String> {
    frames.iter().flat_map(|frame| frame.iter()).map(line).collect()
}

fn line(event: &Event) -> String {
    let at = |lane: &Lane| format!("{}.{}", lane.choice, lane.part);
    match event {
        Event::Start(start) => format!("start {} {}", start.id.as_str(), start.model.as_str()),
        Event::Open { lane, what: Opening::ToolCall { id, name } } => {
            format!("open {} call {} {}", at(lane), id.as_str(), name.as_str())
        }
        Event::Open { lane, what: Opening::Sealed(data) } => format!("open {} sealed {}", at(lane), data.as_str()),
        Event::Open { lane, what: Opening::Other(json) } => format!("open {} other {}", at(lane), json.0),
        Event::Open { lane, what } => format!("open {} {what:?}", at(lane)),
        Event::Delta { lane, delta: Delta::Other(json) } => format!("delta {} other {}", at(lane), json.0),
        Event::Delta { lane, delta } => {
            let kind = format!("{delta:?}");
            let kind = kind.split('(').next().unwrap();
            format!("delta {} {kind} {:?}", at(lane), delta.text().unwrap().as_str())
        }
        Event::Close { lane } => format!("close {}", at(lane)),
        Event::Finish { choice, finish } => {
            format!("finish {choice} {} {}", finish.reason.name(), finish.word.as_str())
        }
        Event::Usage(usage) => format!("usage {}+{}", usage.input(), usage.output()),
        Event::Ping => "ping".into(),
        Event::Failed(failure) => format!("failed {} {}", failure.class.name(), failure.reply.message),
        Event::End => "end".into(),
        Event::Unread => "unread".into(),
        Event::Whole(_) => "whole".into(),
    }
}

fn written(frames: &[Frame], wants_usage: bool) -> String {
    let asked = Asked { model: ModelName::new("asked"), wants_usage, created: 1_700_000_000 };
    let mut writer = OpenAiChat.stream_writer(&asked);
    let mut out = BytesMut::new();
    frames.iter().for_each(|frame| writer.write(frame, &mut out));
    String::from_utf8(out.to_vec()).unwrap()
}

/// The same frames, as if somebody had changed each.
fn edited(frames: &[Frame]) -> Vec<Frame> {
    frames.iter().map(|frame| Frame::new(Events::clone(frame))).collect()
}
