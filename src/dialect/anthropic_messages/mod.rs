//! Anthropic's Messages API, both ways.
//!
//! The one rule: what Anthropic wrote is written again as it was. What the vocabulary has no word for is
//! kept at its own level ([`Extra`](crate::chat::Extra)); a block of a type it does not know stays whole.
//! Requests of other dialects are made to obey what Anthropic insists on (turns that alternate, results
//! before text, arguments that are objects), and each thing that gets lost on the way is named.
//!
//! It does not know which model is behind a target, so it cannot know which of Anthropic's options that
//! model takes; where that matters, the choice is documented with the function that makes it.

mod block_read;
mod block_write;
mod completion;
mod failure;
mod finish;
mod mark;
mod member;
mod prefix;
mod read_request;
mod reasoning;
mod source;
mod stream_blocks;
mod stream_read;
mod stream_write;
mod tool;
mod turns;
mod usage;
mod write_request;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use bytestring::ByteString;

use crate::base::ids::DialectId;
use crate::base::stop::{Failure, Stop};
use crate::chat::{Completion, Losses, Request, Verbatim};
use crate::dialect::{Asked, Dialect, Malformed, Quirks, SseReader, StreamReader, StreamWriter};

/// The dialect of Anthropic's `/v1/messages`.
#[derive(Debug, Clone, Copy)]
pub struct AnthropicMessages;

/// This dialect's name.
const ID: DialectId = DialectId::ANTHROPIC_MESSAGES;

impl Dialect for AnthropicMessages {
    fn id(&self) -> DialectId {
        ID
    }

    fn chat_path(&self) -> &'static str {
        "/messages"
    }

    fn read_request(&self, body: &ByteString) -> Result<Request, Malformed> {
        read_request::read(body)
    }

    fn write_request(&self, request: &Request, quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
        write_request::write(request, quirks, losses)
    }

    /// Nothing to do: these streams always carry usage.
    fn ask_for_usage(&self, _: &mut Verbatim<Request>, _: &Quirks) {}

    fn mark_prefixes(&self, request: &mut Verbatim<Request>, least: u64) -> usize {
        prefix::mark(request, least)
    }

    fn read_completion(&self, body: &ByteString) -> Result<Completion, Malformed> {
        completion::read(body)
    }

    fn skim_completion(&self, body: &ByteString) -> Result<Completion, Malformed> {
        completion::skim(body)
    }

    fn write_completion(&self, completion: &Completion, losses: &mut Losses) -> Vec<u8> {
        completion::write(completion, losses)
    }

    fn can_be_streamed(&self, completion: &Completion) -> bool {
        stream_write::can_say(completion)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(SseReader::new(stream_read::Reader::default()))
    }

    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(stream_write::Writer::new(asked))
    }

    fn read_failure(&self, status: u16, body: &Bytes) -> Failure {
        failure::read(status, body)
    }

    fn write_failure(&self, stop: &Stop, request_id: &str) -> Vec<u8> {
        failure::write(stop, request_id)
    }
}
