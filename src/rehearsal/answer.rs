//! What a caller reads out of the bytes of an answer.

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Value;

use super::document::Ended;
use super::house::Seen;
use crate::base::ids::DialectId;
use crate::base::json::Malformed;
use crate::chat::{Choice, Content, Delta, Event, Events, Finish, FinishReason, Frame, Lane, Opening, Usage};
use crate::dialect::{Cut, Dialect, Record, Records, SseReader, StreamReader as _};

/// An answer as its caller sees it.
pub struct Answer {
    pub text: String,
    pub thinking: String,
    pub calls: Vec<Call>,
    pub finish: Option<FinishReason>,
    pub usage: Option<Usage>,
    /// The code of its error.
    pub code: String,
    pub ended: Ended,
    /// The body, or what its events hold in a list; texts that are no JSON as they are.
    pub json: Value,
}

/// A call of a tool.
pub struct Call {
    pub name: String,
    /// The text of JSON.
    pub arguments: String,
}

impl Answer {
    pub fn read(seen: &Seen, dialect: &dyn Dialect) -> Self {
        let kind = seen.headers.get("content-type").map(|kind| kind.as_bytes()).unwrap_or_default();
        if kind.starts_with(b"text/event-stream") { Self::of_stream(seen, dialect) } else { Self::whole(seen, dialect) }
    }

    fn whole(seen: &Seen, dialect: &dyn Dialect) -> Self {
        let body = ByteString::try_from(Bytes::copy_from_slice(&seen.body)).unwrap_or_default();
        let ended = if seen.is_broken { Ended::Cut } else { Ended::Clean };
        let mut answer = Self::empty(ended, json_or_text(&body));
        match dialect.read_completion(&body) {
            Ok(completion) => {
                completion.choices.iter().for_each(|choice| answer.add(choice));
                answer.usage = completion.usage;
            }
            Err(_) => {
                answer.code = code_of(&answer.json);
                answer.text = body.to_string();
            }
        }
        answer
    }

    fn of_stream(seen: &Seen, dialect: &dyn Dialect) -> Self {
        let mut reader = dialect.stream_reader();
        let mut frames: Vec<Frame> = Vec::new();
        let read = reader.feed(Bytes::copy_from_slice(&seen.body), &mut frames);
        let is_whole = read.is_ok() && reader.finish(&mut frames).is_ok() && !seen.is_broken;
        let ended = if is_whole { Ended::Clean } else { Ended::Cut };
        let mut answer = Self::empty(ended, payloads(&seen.body));
        let mut lanes = Vec::new();
        for event in frames.iter().flat_map(|frame| frame.iter()) {
            answer.follow(event, &mut lanes);
        }
        answer
    }

    fn empty(ended: Ended, json: Value) -> Self {
        let (text, thinking, code) = (String::new(), String::new(), String::new());
        Self { text, thinking, calls: Vec::new(), finish: None, usage: None, code, ended, json }
    }

    fn add(&mut self, choice: &Choice) {
        for part in &choice.parts {
            match &part.content {
                Content::Text(text) => self.text.push_str(&text.as_str()),
                Content::Thinking(thinking) => self.thinking.push_str(&thinking.text.as_str()),
                Content::ToolCall(call) => self.calls.push(Call {
                    name: call.name.as_str().into_owned(),
                    arguments: call.arguments.as_str().into_owned(),
                }),
                _ => {}
            }
        }
        self.finish = self.finish.or(choice.finish.as_ref().map(reason));
    }

    /// Takes up the next event of a stream. `lanes` has the lane of each call.
    fn follow(&mut self, event: &Event, lanes: &mut Vec<Lane>) {
        match event {
            Event::Open { lane, what: Opening::ToolCall { name, .. } } => {
                lanes.push(*lane);
                self.calls.push(Call { name: name.as_str().into_owned(), arguments: String::new() });
            }
            Event::Delta { delta: Delta::Text(text), .. } => self.text.push_str(&text.as_str()),
            Event::Delta { delta: Delta::Thinking(text), .. } => self.thinking.push_str(&text.as_str()),
            Event::Delta { lane, delta: Delta::Arguments(piece) } => {
                let call = lanes.iter().position(|known| known == lane).and_then(|at| self.calls.get_mut(at));
                if let Some(call) = call {
                    call.arguments.push_str(&piece.as_str());
                }
            }
            Event::Finish { finish, .. } => self.finish = self.finish.or(Some(reason(finish))),
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            Event::Failed(failure) => {
                self.ended = Ended::Error;
                self.code = failure.reply.code.clone().unwrap_or_default().to_string();
            }
            _ => {}
        }
    }
}

fn reason(finish: &Finish) -> FinishReason {
    finish.reason
}

/// OpenAI's `error.code`, and for lack of it the `error.type` that Anthropic has.
fn code_of(body: &Value) -> String {
    let error = body.get("error");
    let field = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str).map(ToOwned::to_owned);
    field("code").or_else(|| field("type")).unwrap_or_default()
}

pub fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// What each event of a stream holds.
fn payloads(body: &[u8]) -> Value {
    let mut reader = SseReader::new(Payloads(Vec::new()));
    // What comes before a record that cannot be read still counts.
    let _ = reader.feed(Bytes::copy_from_slice(body), &mut Vec::new());
    Value::Array(reader.into_records().0)
}

struct Payloads(Vec<Value>);

impl Records for Payloads {
    fn dialect(&self) -> DialectId {
        DialectId::OPENAI_CHAT
    }

    fn record(&mut self, record: &Record, _: &mut Events) -> Result<(), Malformed> {
        if record.has_data {
            self.0.push(json_or_text(&record.data));
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Events) -> Result<(), Cut> {
        Ok(())
    }
}
