//! Fields of answers that nobody here reads, and whether one says something of what is answered.
//!
//! Vendors say with each answer how it was made: by which build, in which class of service, after how long, and that no
//! filter found anything in it. Without these an answer is the same one. Everything else that is not known may matter to
//! whoever asked: where it is from, how likely each of its words was.

use crate::base::json::{Json, Kind, Reader, Result};
use crate::chat::{Choice, Completion, Content, Extra};
use crate::dialect::openai_chat::ID;

/// Passes by a field of a chunk, a choice, a delta or a tool call, and takes note if it says more than what is read.
pub fn pass_by(key: &str, reader: &mut Reader<'_>, says_more: &mut bool) -> Result<()> {
    if *says_more || reader.peek()? == Kind::Null || MAKING.contains(&key) {
        return reader.skip();
    }
    *says_more = !reader.raw()?.is_void();
    Ok(())
}

/// Whether a stream says all that a whole answer says. One of another dialect is said as far as this one can say it.
pub fn can_be_streamed(completion: &Completion) -> bool {
    completion.dialect != ID || !says_more(&completion.extra) && completion.choices.iter().all(is_choice_streamed)
}

fn is_choice_streamed(choice: &Choice) -> bool {
    let is_streamed = |content: &Content| match content {
        Content::Text(_) | Content::Refusal(_) | Content::ToolCall(_) => true,
        Content::Thinking(thinking) => thinking.signature.is_none() && thinking.sealed.is_none(),
        _ => false,
    };
    choice.logprobs.as_ref().is_none_or(Json::is_void)
        && !says_more(&choice.extra)
        && choice.parts.iter().all(|part| is_streamed(&part.content) && !says_more(&part.extra))
}

fn says_more(extra: &Extra) -> bool {
    extra.telling_fields().any(|(name, value)| {
        let key = name.strip_prefix("message.").unwrap_or(name);
        !MAKING.contains(&key) && !value.is_void()
    })
}

/// How an answer was made, or where in it things stand, by vendors' words at whatever level.
const MAKING: [&str; 22] = [
    "id",
    "object",
    "created",
    "model",
    "index",
    "role",
    "type",
    "usage",
    "service_tier",
    "system_fingerprint",
    // So long that the length of a frame does not tell what is in it; Mistral's is called `p`.
    "obfuscation",
    "p",
    // Azure's filters, which end an answer by a reason of its own where they find something.
    "prompt_filter_results",
    "content_filter_results",
    "content_filter_offsets",
    // OpenRouter's: whose model it was, and how that one calls the reason for its end.
    "provider",
    "native_finish_reason",
    // Groq's, Cerebras', llama.cpp's, vLLM's and SGLang's.
    "x_groq",
    "time_info",
    "timings",
    "stop_reason",
    "matched_stop",
];

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;

    fn says_more(key: &str, value: &'static str) -> bool {
        let (source, mut says_more) = (ByteString::from_static(value), false);
        let mut reader = Reader::new(&source);
        pass_by(key, &mut reader, &mut says_more).unwrap();
        reader.end().unwrap();
        says_more
    }

    #[test]
    fn a_field_says_more_unless_it_is_empty_or_about_the_making() {
        assert!(says_more("citations", r#"["https://x.test"]"#) && says_more("logprobs", r#"{"content":[]}"#));
        assert!(!says_more("citations", "[]") && !says_more("logprobs", "null"));
        assert!(!says_more("service_tier", r#""default""#) && !says_more("timings", r#"{"ms":1}"#));
    }
}
