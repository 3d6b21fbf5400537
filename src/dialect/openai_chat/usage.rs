//! Token counts, which this dialect nests and the canonical vocabulary keeps apart.
//!
//! `prompt_tokens` includes what was cached and what was sound, `completion_tokens` includes reasoning and
//! sound. The parts always add up to the two, even where a vendor's details claim more than the whole.

use crate::base::json::{Json, Kind, Reader, Result, Writer};
use crate::chat::Usage;

/// The provider's numbers, before they are taken apart.
#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    /// OpenRouter's `cache_write_tokens`.
    cache_write: Option<u64>,
    audio_in: Option<u64>,
    image_in: Option<u64>,
    reasoning: Option<u64>,
    audio_out: Option<u64>,
}

/// Reads a `usage` object. A number that is none is taken for silence: usage never spoils an answer.
pub fn read(reader: &mut Reader<'_>) -> Result<Usage> {
    let mut counts = Counts::default();
    let ((), wire) = reader.with_raw(|reader| reader.object(|reader, key| counts.member(key, reader)))?;
    Ok(counts.apart(wire))
}

impl Counts {
    fn member(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        match key {
            // The second names are those of the vendor's later endpoints.
            "prompt_tokens" | "input_tokens" => self.prompt = count(reader)?,
            "completion_tokens" | "output_tokens" => self.completion = count(reader)?,
            "total_tokens" => self.total = count(reader)?,
            // DeepSeek's name for what others call `cached_tokens`; it sends both.
            "prompt_cache_hit_tokens" => self.cached = count(reader)?.or(self.cached),
            "prompt_tokens_details" | "input_tokens_details" if reader.peek()? == Kind::Object => {
                reader.object(|reader, key| {
                    match key {
                        "cached_tokens" => self.cached = count(reader)?.or(self.cached),
                        "cache_write_tokens" => self.cache_write = count(reader)?,
                        "audio_tokens" => self.audio_in = count(reader)?,
                        "image_tokens" => self.image_in = count(reader)?,
                        _ => {}
                    }
                    Ok(())
                })?
            }
            "completion_tokens_details" | "output_tokens_details" if reader.peek()? == Kind::Object => {
                reader.object(|reader, key| {
                    match key {
                        "reasoning_tokens" => self.reasoning = count(reader)?,
                        "audio_tokens" => self.audio_out = count(reader)?,
                        _ => {}
                    }
                    Ok(())
                })?
            }
            _ => {}
        }
        Ok(())
    }

    fn apart(self, wire: Json) -> Usage {
        let mut input = Whole(self.prompt.unwrap_or(0));
        let cache_read = input.take(self.cached);
        let cache_write_5m = input.take(self.cache_write);
        let audio_in = input.take(self.audio_in);
        let image_in = input.take(self.image_in);
        let mut output = Whole(self.completion.unwrap_or(0).saturating_add(self.reasoning_beside()));
        let reasoning_out = output.take(self.reasoning);
        let audio_out = output.take(self.audio_out);
        Usage {
            text_in: self.prompt.map(|_| input.0),
            cache_read,
            cache_write_5m,
            cache_write_1h: None,
            audio_in,
            image_in,
            out: self.completion.map(|_| output.0),
            reasoning_out,
            audio_out,
            service: None,
            wire: Some(wire),
        }
    }

    /// Reasoning that `completion_tokens` leaves out, as xAI once counted: the total tells.
    fn reasoning_beside(&self) -> u64 {
        let (Some(prompt), Some(completion), Some(total), Some(reasoning)) =
            (self.prompt, self.completion, self.total, self.reasoning)
        else {
            return 0;
        };
        let is_beside = prompt.checked_add(completion).and_then(|sum| sum.checked_add(reasoning)) == Some(total);
        if is_beside { reasoning } else { 0 }
    }
}

/// What is left of a whole from which parts are taken.
struct Whole(u64);

impl Whole {
    /// Takes a part, or what is left if that is less.
    fn take(&mut self, part: Option<u64>) -> Option<u64> {
        let part = part?.min(self.0);
        self.0 -= part;
        Some(part)
    }
}

fn count(reader: &mut Reader<'_>) -> Result<Option<u64>> {
    if reader.peek()? != Kind::Number {
        return Ok(None);
    }
    reader.count()
}

/// Writes a `usage` object from canonical counts.
pub fn write(writer: &mut Writer, usage: &Usage) {
    writer.object(|writer| {
        writer.key("prompt_tokens").u64(usage.input());
        writer.key("completion_tokens").u64(usage.output());
        writer.key("total_tokens").u64(usage.total());
        writer.key("prompt_tokens_details").object(|writer| {
            writer.key("cached_tokens").u64(usage.cache_read.unwrap_or(0));
            let cache_write = Some(usage.cache_write()).filter(|tokens| *tokens > 0);
            for (key, tokens) in [
                ("cache_write_tokens", cache_write),
                ("audio_tokens", usage.audio_in),
                ("image_tokens", usage.image_in),
            ] {
                if let Some(tokens) = tokens {
                    writer.key(key).u64(tokens);
                }
            }
        });
        writer.key("completion_tokens_details").object(|writer| {
            writer.key("reasoning_tokens").u64(usage.reasoning_out.unwrap_or(0));
            if let Some(tokens) = usage.audio_out {
                writer.key("audio_tokens").u64(tokens);
            }
        });
    });
}
