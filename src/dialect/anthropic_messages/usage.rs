//! Token counts.
//!
//! Anthropic's `input_tokens` is what neither came from a cache nor went to one, so its input counts are
//! disjoint already; `output_tokens` includes thinking, which is taken out of it where it is told.

use crate::base::json::{Json, Kind, Reader, Result, Writer};
use crate::chat::Usage;

/// Reads the instalments of one answer's usage. A later one may name only the total of what an earlier one
/// broke down, so the breakdown is remembered.
#[derive(Debug, Default)]
pub(super) struct Tally {
    write_1h: Option<u64>,
    thinking: Option<u64>,
}

#[derive(Default)]
struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    write_5m: Option<u64>,
    write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

/// Reads the usage of a whole answer.
pub(super) fn read(raw: Json) -> Result<Usage> {
    Tally::default().read(raw)
}

impl Tally {
    /// # Errors
    /// When `raw` is not an object. A count that is no number is as good as none.
    pub fn read(&mut self, raw: Json) -> Result<Usage> {
        let counts = Counts::read(&raw)?;
        self.write_1h = counts.write_1h.or(self.write_1h);
        self.thinking = counts.thinking.or(self.thinking);
        let (cache_write_5m, cache_write_1h) = self.cache_write(&counts);
        let reasoning_out = self.thinking.map(|thinking| counts.output.map_or(thinking, |all| thinking.min(all)));
        Ok(Usage {
            text_in: counts.input,
            cache_read: counts.cache_read,
            cache_write_5m,
            cache_write_1h,
            out: counts.output.map(|all| all - reasoning_out.unwrap_or(0)),
            reasoning_out: reasoning_out.filter(|_| counts.output.is_some() || counts.thinking.is_some()),
            wire: Some(raw),
            ..Usage::default()
        })
    }

    /// The two lifetimes; what no breakdown accounts for is taken to be short-lived.
    fn cache_write(&self, counts: &Counts) -> (Option<u64>, Option<u64>) {
        let Some(total) = counts.cache_write else { return (counts.write_5m, counts.write_1h) };
        let long = self.write_1h.map(|long| if counts.write_1h.is_some() { long } else { long.min(total) });
        let short = total.saturating_sub(long.unwrap_or(0)).max(counts.write_5m.unwrap_or(0));
        (Some(short), long)
    }
}

impl Counts {
    fn read(raw: &Json) -> Result<Self> {
        let mut counts = Self::default();
        raw.reader().object(|reader, key| {
            match key {
                "input_tokens" => counts.input = count(reader)?,
                "cache_read_input_tokens" => counts.cache_read = count(reader)?,
                "cache_creation_input_tokens" => counts.cache_write = count(reader)?,
                "output_tokens" => counts.output = count(reader)?,
                "cache_creation" => members(reader, |reader, key| match key {
                    "ephemeral_5m_input_tokens" => count(reader).map(|n| counts.write_5m = n),
                    "ephemeral_1h_input_tokens" => count(reader).map(|n| counts.write_1h = n),
                    _ => Ok(()),
                })?,
                "output_tokens_details" => members(reader, |reader, key| match key {
                    "thinking_tokens" => count(reader).map(|n| counts.thinking = n),
                    _ => Ok(()),
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(counts)
    }
}

fn count(reader: &mut Reader<'_>) -> Result<Option<u64>> {
    match reader.peek()? {
        Kind::Number => reader.count(),
        _ => reader.skip().map(|()| None),
    }
}

/// Reads an object; anything else is passed by.
fn members(reader: &mut Reader<'_>, member: impl FnMut(&mut Reader<'_>, &str) -> Result<()>) -> Result<()> {
    match reader.peek()? {
        Kind::Object => reader.object(member),
        _ => reader.skip(),
    }
}

/// Writes the usage of an answer of Anthropic's own: its own object, however little it says, unless the counts
/// were changed since.
pub(super) fn write_own(usage: &Usage, writer: &mut Writer) {
    match &usage.wire {
        Some(wire) if read(wire.clone()).is_ok_and(|again| again == *usage) => writer.raw(wire),
        _ => write(usage, writer),
    }
}

/// Writes usage: the provider's own object if it is one of ours and says the same.
pub(super) fn write(usage: &Usage, writer: &mut Writer) {
    if let Some(wire) = usage.wire.as_ref().filter(|wire| says(wire, usage)) {
        return writer.raw(wire);
    }
    writer.object(|writer| {
        let cached = usage.cache_write().saturating_add(usage.cache_read.unwrap_or(0));
        writer.key("input_tokens").u64(usage.input().saturating_sub(cached));
        writer.key("cache_creation_input_tokens").u64(usage.cache_write());
        writer.key("cache_read_input_tokens").u64(usage.cache_read.unwrap_or(0));
        if let Some(long) = usage.cache_write_1h {
            writer.key("cache_creation").object(|writer| {
                writer.key("ephemeral_5m_input_tokens").u64(usage.cache_write_5m.unwrap_or(0));
                writer.key("ephemeral_1h_input_tokens").u64(long);
            });
        }
        writer.key("output_tokens").u64(usage.output());
        if let Some(thinking) = usage.reasoning_out {
            writer.key("output_tokens_details").object(|writer| writer.key("thinking_tokens").u64(thinking));
        }
    });
}

/// True if `wire` is a usage object of Anthropic's and says what `usage` says.
fn says(wire: &Json, usage: &Usage) -> bool {
    let is_ours = wire.kind() == Kind::Object
        && read(wire.clone()).is_ok_and(|again| again == *usage && (again.text_in.is_some() || again.out.is_some()));
    is_ours && !is_foreign(wire)
}

/// Another dialect has counts of the same names, which mean something else.
fn is_foreign(wire: &Json) -> bool {
    let mut found = false;
    let read = wire.reader().object(|_, key| {
        found |= matches!(key, "input_tokens_details" | "total_tokens");
        Ok(())
    });
    found || read.is_err()
}
