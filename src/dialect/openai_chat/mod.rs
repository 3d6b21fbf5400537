//! The OpenAI chat-completions dialect, and the many vendors' variants of it.
//!
//! One rule holds it together: what was read here is written again as it was. How a known field was spelled
//! is kept as [`marks`], what is not known as [`Extra`](crate::chat::Extra), each at its own level. Vendors'
//! additions that have a canonical meaning are understood: `reasoning_content` (DeepSeek), `reasoning` and
//! `reasoning_details` (OpenRouter), thinking as a content part (Mistral), `cache_control` on parts.
//!
//! It does not judge what a vendor will accept: an unedited request leaves as it came.

mod beside;
mod completion;
mod failure;
mod finish;
mod level;
mod marks;
mod read_message;
mod read_part;
mod read_request;
mod stream_choice;
mod stream_options;
mod stream_read;
mod stream_write;
mod usage;
mod write_completion;
mod write_message;
mod write_part;
mod write_request;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use bytestring::ByteString;

use crate::base::ids::DialectId;
use crate::base::json::Reader;
use crate::base::stop::{Failure, Stop};
use crate::chat::{Completion, Losses, Request, Usage, Verbatim};
use crate::dialect::{Asked, Dialect, Malformed, Quirks, SseReader, StreamReader, StreamWriter};

const ID: DialectId = DialectId::OPENAI_CHAT;

pub struct OpenAiChat;

/// Reads the object `usage` that a text begins with, as this vendor's endpoints write it; `None` if it is none.
pub fn read_usage(text: &ByteString) -> Option<Usage> {
    usage::read(&mut Reader::new(text)).ok()
}

impl Dialect for OpenAiChat {
    fn id(&self) -> DialectId {
        ID
    }

    fn chat_path(&self) -> &'static str {
        "/chat/completions"
    }

    fn read_request(&self, body: &ByteString) -> Result<Request, Malformed> {
        read_request::read(body)
    }

    fn write_request(&self, request: &Request, quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
        write_request::write(request, quirks, losses)
    }

    fn ask_for_usage(&self, request: &mut Verbatim<Request>, quirks: &Quirks) {
        stream_options::ask_for_usage(request, quirks);
    }

    fn read_completion(&self, body: &ByteString) -> Result<Completion, Malformed> {
        completion::read(body)
    }

    fn skim_completion(&self, body: &ByteString) -> Result<Completion, Malformed> {
        completion::skim(body)
    }

    fn write_completion(&self, completion: &Completion, losses: &mut Losses) -> Vec<u8> {
        write_completion::write(completion, losses)
    }

    fn can_be_streamed(&self, completion: &Completion) -> bool {
        beside::can_be_streamed(completion)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(SseReader::new(stream_read::Chunks::default()))
    }

    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(stream_write::Chunks::new(asked))
    }

    fn read_failure(&self, status: u16, body: &Bytes) -> Failure {
        failure::read(status, body)
    }

    fn write_failure(&self, stop: &Stop, request_id: &str) -> Vec<u8> {
        failure::write(stop, request_id)
    }
}
