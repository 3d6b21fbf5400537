//! What a forwarded answer says it took.
//!
//! Such answers are of any size and form, and are passed on unread. Those that report their usage do so near the end,
//! in an object `usage` of a document or of a stream's last event, so their last bytes are kept as they pass. Text in a
//! JSON document cannot look like that object: its quotation marks are escaped.

use bytestring::ByteString;
use memchr::memmem;

use crate::chat::Usage;
use crate::dialect::openai_chat::read_usage;

/// The last bytes of an answer.
#[derive(Default)]
pub struct Tail(Vec<u8>);

impl Tail {
    pub fn push(&mut self, bytes: &[u8]) {
        let kept = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default();
        if self.0.len() + kept.len() > 2 * KEPT {
            let spare = (self.0.len() + kept.len()).saturating_sub(KEPT).min(self.0.len());
            self.0.drain(..spare);
        }
        self.0.extend_from_slice(kept);
    }

    /// The last usage it reports.
    pub fn usage(&self) -> Option<Usage> {
        let mut before = self.0.as_slice();
        while let Some(at) = memmem::rfind(before, NAME) {
            let (head, behind) = (before.get(..at)?, self.0.get(at + NAME.len()..)?);
            if head.last() != Some(&b'\\')
                && let Some(usage) = after_name(behind)
            {
                return Some(usage);
            }
            before = head;
        }
        None
    }
}

/// The usage behind its name.
fn after_name(behind: &[u8]) -> Option<Usage> {
    let value = behind.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    // What follows the object is of no interest.
    let text = ByteString::try_from(value).ok()?;
    let mut usage = read_usage(&text).filter(|usage| usage.input_said().or(usage.output_said()).is_some())?;
    // An answer that is no text has no tokens of output, and says nothing of them.
    usage.out = usage.out.or(usage.output_said().is_none().then_some(0));
    Some(usage)
}

const NAME: &[u8] = b"\"usage\"";
/// Enough for what stands behind usage: sixteen pieces of metadata, at most.
const KEPT: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of input and output, however the answer is cut.
    fn told(answer: &str) -> Option<(u64, u64)> {
        let pieces = [1, 7, 4096, answer.len().max(1)].map(|size| {
            let mut tail = Tail::default();
            answer.as_bytes().chunks(size).for_each(|piece| tail.push(piece));
            tail.usage().map(|usage| (usage.input(), usage.output()))
        });
        assert!(pieces.iter().all(|told| *told == pieces[0]), "{pieces:?}");
        pieces[0]
    }

    #[test]
    fn embeddings_say_what_they_took_behind_any_number_of_vectors() {
        let vectors = "0.0123456789,".repeat(20_000);
        let answer = format!(
            r#"{{"object":"list","data":[{{"embedding":[{vectors}1]}}],"model":"m","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
        );
        assert_eq!(told(&answer), Some((8, 0)));
        let pretty = "{\n  \"data\": [],\n  \"usage\": {\n    \"prompt_tokens\": 8,\n    \"total_tokens\": 8\n  }\n}\n";
        assert_eq!(told(pretty), Some((8, 0)));
    }

    #[test]
    fn a_stream_says_so_in_one_of_its_last_events() {
        let answer = "event: response.created\ndata: {\"response\":{\"usage\":null}}\n\n\
            event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":37,\
            \"input_tokens_details\":{\"cached_tokens\":30},\"output_tokens\":11,\"output_tokens_details\":{\"reasoning_tokens\":5},\
            \"total_tokens\":48},\"user\":null,\"metadata\":{}}}\n\n";
        assert_eq!(told(answer), Some((37, 11)));
        let mut tail = Tail::default();
        tail.push(answer.as_bytes());
        let usage = tail.usage().unwrap();
        assert_eq!((usage.cache_read, usage.reasoning_out), (Some(30), Some(5)));
    }

    #[test]
    fn words_and_schemas_that_look_like_usage_are_none() {
        for answer in [
            r#"{"choices":[{"text":"say \"usage\":{\"prompt_tokens\":1}"}]}"#,
            r#"{"tools":[{"parameters":{"properties":{"usage":{"type":"object","input_tokens":{"type":"integer"}}}}}]}"#,
            r#"{"usage":null}"#,
            r#"{"usage":{"prompt_tok"#,
            "",
        ] {
            assert_eq!(told(answer), None, "{answer}");
        }
    }
}
