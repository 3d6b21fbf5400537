//! Wire dialects: bytes in, values out, and back.
//!
//! A dialect knows its own wire and the canonical vocabulary ([`chat`](crate::chat)), and no other dialect.
//! It is pure: it opens no socket and reads no clock. What it reads it can write again without loss; what
//! it cannot express of another dialect's it reports as a [`Loss`](crate::chat::Loss).

pub mod anthropic_messages;
pub mod openai_chat;
mod sse;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::base::ids::{DialectId, ModelName};
pub use crate::base::json::Malformed;
use crate::base::stop::{Failure, Stop};
use crate::chat::{Completion, Event, Frame, Losses, Request, Verbatim};

pub use sse::{Record, Records, SseReader};

/// A wire format that chat requests and answers come and go in.
pub trait Dialect: Send + Sync {
    fn id(&self) -> DialectId;

    /// The path of its chat endpoint, below a provider's base URL.
    fn chat_path(&self) -> &'static str;

    /// Reads a request. Fields it does not know are kept, not refused.
    ///
    /// # Errors
    /// When the body is not JSON or a field it knows has the wrong shape; the path names the field.
    fn read_request(&self, body: &ByteString) -> Result<Request, Malformed>;

    /// Writes a request for a target that wants things as `quirks` says.
    fn write_request(&self, request: &Request, quirks: &Quirks, losses: &mut Losses) -> Vec<u8>;

    /// Sees to it that a streamed request, about to leave as its own bytes, asks for usage; where it does
    /// not, the bytes are spliced. Written requests ask by themselves.
    fn ask_for_usage(&self, request: &mut Verbatim<Request>, quirks: &Quirks);

    /// Asks the provider's own cache to keep what begins the request and stays the same from one to the next, where that
    /// must be asked for and it has at least so many bytes. Says how many markers that took.
    fn mark_prefixes(&self, _request: &mut Verbatim<Request>, _least: u64) -> usize {
        0
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// When the body is not what the dialect promises.
    fn read_completion(&self, body: &ByteString) -> Result<Completion, Malformed>;

    /// Reads of a whole answer what the gateway itself goes by: who says it, usage, and how each choice ended. For an answer
    /// that nobody looks into and that leaves as its own bytes: without its parts it must not be written.
    ///
    /// # Errors
    /// When the body is not JSON or plainly no answer; what is passed by is not held against the dialect.
    fn skim_completion(&self, body: &ByteString) -> Result<Completion, Malformed>;

    fn write_completion(&self, completion: &Completion, losses: &mut Losses) -> Vec<u8>;

    /// Whether what is written of a whole answer as a stream says all that it says as a whole, but for how it was made.
    fn can_be_streamed(&self, completion: &Completion) -> bool;

    /// A reader for one streamed answer.
    fn stream_reader(&self) -> Box<dyn StreamReader>;

    /// A writer for one streamed answer to `request`.
    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter>;

    /// What an answer with an error status says.
    fn read_failure(&self, status: u16, body: &Bytes) -> Failure;

    /// The body of an answer that is an error. `request_id` is the gateway's.
    fn write_failure(&self, stop: &Stop, request_id: &str) -> Vec<u8>;
}

/// Reads one streamed answer, however its bytes are cut.
pub trait StreamReader: Send {
    /// Takes the next bytes and appends the frames they complete.
    ///
    /// # Errors
    /// When a frame is not what the dialect promises; the stream is of no use from there on.
    fn feed(&mut self, bytes: Bytes, frames: &mut Vec<Frame>) -> Result<(), Malformed>;

    /// There are no more bytes. Appends what they left unsaid, if they are a complete answer.
    ///
    /// # Errors
    /// When the answer is not complete: it was cut.
    fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), Cut>;
}

/// Writes one streamed answer.
pub trait StreamWriter: Send {
    fn content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// Appends the bytes that tell the caller of this frame: its own bytes, if it came in this dialect and
    /// was not touched.
    fn write(&mut self, frame: &Frame, out: &mut BytesMut);

    /// Appends what tells the caller that the answer ends here and is not complete.
    fn fail(&mut self, stop: &Stop, request_id: &str, out: &mut BytesMut);
}

/// What the caller asked for that shapes the stream it gets.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The model as the caller named it.
    pub model: ModelName,
    /// Whether the stream shall end with usage.
    pub wants_usage: bool,
    /// Unix seconds, where a dialect must state a time and the upstream's does not.
    pub created: u64,
}

/// An answer that ended before it was complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut(pub Cow<'static, str>);

/// How a target departs from its dialect. Data of the provider catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// The token limit is called `max_completion_tokens`; otherwise `max_tokens`.
    pub max_completion_tokens: bool,
    /// Usage at the end of a stream must be asked for, with `stream_options`.
    pub stream_options: bool,
    /// The role `developer` is understood; otherwise `system` is sent.
    pub developer_role: bool,
    /// Schemas of structured output are understood; otherwise only "some JSON object".
    pub json_schema: bool,
    /// The token limit to send where the caller named none and the dialect needs one.
    pub default_max_tokens: u32,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            max_completion_tokens: false,
            stream_options: true,
            developer_role: false,
            json_schema: true,
            default_max_tokens: 4096,
        }
    }
}

/// Every dialect there is.
pub static ALL: [&dyn Dialect; 2] = [&openai_chat::OpenAiChat, &anthropic_messages::AnthropicMessages];

/// The dialect of this name.
pub fn by_id(id: DialectId) -> Option<&'static dyn Dialect> {
    ALL.iter().copied().find(|dialect| dialect.id() == id)
}

/// True if the answer these events belong to has begun to be one.
pub fn is_semantic(events: &[Event]) -> bool {
    events.iter().any(Event::is_semantic)
}
