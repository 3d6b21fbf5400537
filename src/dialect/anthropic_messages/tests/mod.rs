//! The dialect against its fixtures, against itself, and against answers recorded elsewhere.

mod answers;
mod failures;
mod laws;
mod recordings;
mod requests;
mod stream_law;
mod streams;
mod twice;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use serde_json::Value;

use super::{AnthropicMessages, ID};
use crate::base::ids::ModelName;
use crate::chat::{Delta, Event, Frame, Lane, Opening};
use crate::dialect::{Asked, Cut, Dialect};

const DIALECT: AnthropicMessages = AnthropicMessages;

/// The fixtures whose names begin with `kind`, as name and content.
fn fixtures(kind: &str) -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/anthropic_messages");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(kind))
        .map(|name| (name.clone(), std::fs::read_to_string(format!("{folder}/{name}")).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no fixtures for {kind}");
    found
}

fn fixture(name: &str) -> String {
    fixtures(name).remove(0).1
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|wrong| panic!("{wrong}: {}", String::from_utf8_lossy(bytes)))
}

fn body(text: impl Into<String>) -> ByteString {
    ByteString::from(text.into())
}

/// Reads a stream that comes in these pieces.
fn read_stream(pieces: &[&[u8]]) -> (Vec<Frame>, Result<(), Cut>) {
    let mut reader = DIALECT.stream_reader();
    let mut frames = Vec::new();
    for piece in pieces {
        reader.feed(Bytes::copy_from_slice(piece), &mut frames).unwrap();
    }
    let end = reader.finish(&mut frames);
    (frames, end)
}

fn write_stream(frames: &[Frame]) -> String {
    let mut writer = DIALECT.stream_writer(&Asked { model: ModelName::new("asked-model"), ..Asked::default() });
    let mut out = BytesMut::new();
    frames.iter().for_each(|frame| writer.write(frame, &mut out));
    String::from_utf8(out.to_vec()).unwrap()
}

/// Writes events that came from nowhere in particular, one frame each.
fn write_events(events: impl IntoIterator<Item = Event>) -> String {
    let frames: Vec<_> = events.into_iter().map(|event| Frame::new(std::iter::once(event).collect())).collect();
    write_stream(&frames)
}

fn lane(part: u32) -> Lane {
    Lane { choice: 0, part }
}

/// An event with its texts, which its debug print hides.
fn show(event: &Event) -> String {
    match event {
        Event::Start(start) => format!("start {} {}", start.id.as_str(), start.model.as_str()),
        Event::Open { lane, what } => match what {
            Opening::ToolCall { id, name } => format!("open {} tool {} {}", lane.part, id.as_str(), name.as_str()),
            Opening::Sealed(data) => format!("open {} sealed {}", lane.part, data.as_str()),
            Opening::Other(json) => format!("open {} other {}", lane.part, json.0),
            what => format!("open {} {what:?}", lane.part),
        },
        Event::Delta { lane, delta: Delta::Other(json) } => format!("delta {} other {}", lane.part, json.0),
        Event::Delta { lane, delta } => {
            let kind = format!("{delta:?}");
            let kind = kind.split('(').next().unwrap();
            format!("delta {} {kind} {:?}", lane.part, delta.text().unwrap().as_str())
        }
        Event::Close { lane } => format!("close {}", lane.part),
        Event::Finish { finish, .. } => format!(
            "finish {} {} {:?}",
            finish.reason.name(),
            finish.word.as_str(),
            finish.stop_sequence.as_ref().map(|stop| stop.as_str().into_owned())
        ),
        Event::Usage(usage) => format!("usage {} in {} out", usage.input(), usage.output()),
        Event::Ping => "ping".into(),
        Event::Failed(failure) => format!("failed {} {}", failure.class.name(), failure.reply.message),
        Event::End => "end".into(),
        Event::Unread => "unread".into(),
        Event::Whole(_) => "whole".into(),
    }
}

fn show_all(frames: &[Frame]) -> Vec<String> {
    frames.iter().flat_map(|frame| frame.iter().map(show)).collect()
}

/// The answer a client puts together from a stream, if the stream is a legal one.
#[derive(Debug, Default, PartialEq)]
struct Told {
    blocks: Vec<Value>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: Value,
}

/// Reads what was written the way a strict client does: `message_start` first and once, no block inside
/// another, indices without gaps, one reason to stop, `message_stop` last.
fn told(stream: &str) -> Result<Told, String> {
    let mut client = Client::default();
    for record in stream.split("\n\n").filter(|record| !record.is_empty() && !record.starts_with(':')) {
        client.record(record).map_err(|wrong| format!("{wrong} at {record}\nin\n{stream}"))?;
    }
    match client.stage {
        "ended" => Ok(client.told),
        stage => Err(format!("the stream stops when {stage}:\n{stream}")),
    }
}

#[derive(Default)]
struct Client {
    stage: &'static str,
    open: Option<u64>,
    arguments: String,
    told: Told,
}

impl Client {
    fn record(&mut self, record: &str) -> Result<(), String> {
        let (event, data) = record.split_once('\n').ok_or("no data")?;
        let event = event.strip_prefix("event: ").ok_or("no event")?;
        let data: Value =
            serde_json::from_str(data.strip_prefix("data: ").ok_or("no data")?).map_err(|e| e.to_string())?;
        if data["type"] != event {
            return Err("the types differ".into());
        }
        match (event, self.stage) {
            ("message_start", "") => {
                let message = &data["message"];
                let is_whole = message["id"].is_string() && message["usage"]["input_tokens"].is_u64();
                self.stage = if is_whole { "started" } else { return Err("no message".into()) };
            }
            ("ping", "started" | "finished") => {}
            ("content_block_start", "started") if self.open.is_none() => {
                if data["index"] != self.told.blocks.len() {
                    return Err("a gap in the indices".into());
                }
                self.open = data["index"].as_u64();
                self.arguments.clear();
                self.told.blocks.push(data["content_block"].clone());
            }
            ("content_block_delta", "started") if self.open.is_some() && data["index"] == self.open.unwrap() => {
                self.delta(&data["delta"]);
            }
            ("content_block_stop", "started") if self.open.is_some() && data["index"] == self.open.unwrap() => {
                self.open = None;
                if !self.arguments.is_empty() {
                    let input = serde_json::from_str(&self.arguments).map_err(|e| e.to_string())?;
                    self.told.blocks.last_mut().unwrap()["input"] = input;
                }
            }
            ("message_delta", "started") if self.open.is_none() => {
                self.stage = "finished";
                let delta = &data["delta"];
                self.told.stop_reason = Some(delta["stop_reason"].as_str().ok_or("no reason")?.into());
                self.told.stop_sequence = delta["stop_sequence"].as_str().map(Into::into);
                self.told.usage = data["usage"].clone();
                data["usage"]["output_tokens"].as_u64().ok_or("no usage")?;
            }
            ("message_stop", "finished") => self.stage = "ended",
            _ => return Err(format!("out of place when {}", self.stage)),
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Value) {
        let block = self.told.blocks.last_mut().unwrap();
        let mut append = |key: &str| {
            let more = delta[key].as_str().unwrap();
            let now = block[key].as_str().unwrap_or_default().to_owned();
            block[key] = (now + more).into();
        };
        match delta["type"].as_str().unwrap() {
            "text_delta" => append("text"),
            "thinking_delta" => append("thinking"),
            "signature_delta" => append("signature"),
            "input_json_delta" => self.arguments.push_str(delta["partial_json"].as_str().unwrap()),
            "citations_delta" => {
                if !block["citations"].is_array() {
                    block["citations"] = Value::Array(Vec::new());
                }
                block["citations"].as_array_mut().unwrap().push(delta["citation"].clone());
            }
            _ => {}
        }
    }
}
