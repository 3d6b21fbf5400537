//! Server-sent events, however their bytes are cut.
//!
//! [`SseReader`] finds the records of a `text/event-stream` (WHATWG HTML, section 9.2) and hands each to a
//! dialect. Lines may end in `\n`, `\r\n` or `\r`, in any mixture; data may have several lines; comments
//! and a byte order mark may occur. A record that arrives whole in one read is not copied. A frame's bytes
//! always end in a blank line, so that others may follow them.
//!
//! It does not reconnect, and it ignores `id` and `retry`: model answers cannot be resumed.

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use crate::base::ids::DialectId;
use crate::base::json::Malformed;
use crate::chat::{Events, Frame};
use crate::dialect::{Cut, StreamReader};

/// The longest record that is held while its end is awaited.
const MAX_RECORD: usize = 16 * 1024 * 1024;

/// One record of an event stream.
pub struct Record {
    /// The `event:` field; empty if there was none.
    pub event: ByteString,
    /// The `data:` lines, joined by newlines.
    pub data: ByteString,
    /// True if the record was only a comment: a sign of life.
    pub is_comment: bool,
    /// True if it had a `data:` line.
    pub has_data: bool,
    /// Where `data` begins in the record's bytes, if it is there in one piece.
    data_at: Option<usize>,
}

/// What a dialect makes of the records of its streams.
pub trait Records: Send {
    fn dialect(&self) -> DialectId;

    /// Appends the events a record brought.
    ///
    /// # Errors
    /// When the record is not what the dialect promises.
    fn record(&mut self, record: &Record, events: &mut Events) -> Result<(), Malformed>;

    /// The bytes have ended in good order. Appends what they left unsaid.
    ///
    /// # Errors
    /// When the answer is not complete.
    fn end(&mut self, events: &mut Events) -> Result<(), Cut>;
}

/// Splits bytes into records and lets a dialect read them.
pub struct SseReader<R> {
    records: R,
    /// The beginning of a record whose end has not come.
    partial: BytesMut,
    /// How much of `partial` is known to hold no end.
    scanned: usize,
    started: bool,
    /// The last record ended in `\r`; a `\n` at the head of the next bytes belongs to it.
    skip_newline: bool,
}

impl<R: Records> SseReader<R> {
    pub fn new(records: R) -> Self {
        Self { records, partial: BytesMut::new(), scanned: 0, started: false, skip_newline: false }
    }

    /// What reads the records.
    pub fn records_mut(&mut self) -> &mut R {
        &mut self.records
    }

    /// What has read the records.
    pub fn into_records(self) -> R {
        self.records
    }

    fn take(&mut self, wire: Bytes, frames: &mut Vec<Frame>) -> Result<(), Malformed> {
        let wire = with_end(wire);
        let text = ByteString::try_from(wire.clone()).map_err(|_| Malformed::new("a stream record is not UTF-8"))?;
        let Some(record) = Record::read(&text) else { return Ok(()) };
        let mut events = Events::new();
        self.records.record(&record, &mut events)?;
        frames.push(Frame::read(events, self.records.dialect(), wire, record.data_at));
        Ok(())
    }

    /// Drops what may stand before a record: a byte order mark, the second half of a `\r\n`.
    fn trim_head(&mut self, bytes: &mut Bytes) {
        if self.skip_newline && !bytes.is_empty() {
            self.skip_newline = false;
            if bytes.first() == Some(&b'\n') {
                bytes.advance(1);
            }
        }
    }
}

impl<R: Records> StreamReader for SseReader<R> {
    fn feed(&mut self, mut bytes: Bytes, frames: &mut Vec<Frame>) -> Result<(), Malformed> {
        self.trim_head(&mut bytes);
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(&bytes);
            if self.partial.len() > MAX_RECORD {
                return Err(Malformed::new(format!("a stream record is longer than {MAX_RECORD} bytes")));
            }
            bytes = std::mem::take(&mut self.partial).freeze();
        }
        if !self.started && bytes.len() >= 3 {
            self.started = true;
            if bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.advance(3);
            }
        }
        let mut scanned = std::mem::take(&mut self.scanned);
        while let Some(end) = record_end(&bytes, scanned) {
            scanned = 0;
            self.started = true;
            let wire = bytes.split_to(end);
            self.skip_newline = wire.last() == Some(&b'\r');
            self.trim_head(&mut bytes);
            self.take(wire, frames)?;
        }
        if !bytes.is_empty() {
            // A line end may be cut in two: look at the last few bytes again.
            self.scanned = bytes.len().saturating_sub(3);
            self.partial = BytesMut::from(bytes);
        }
        Ok(())
    }

    fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), Cut> {
        let rest = std::mem::take(&mut self.partial).freeze();
        let mut held = Vec::new();
        // Some servers leave out the last blank line. What is no whole record is a cut, not garbage.
        if rest.iter().any(|byte| !byte.is_ascii_whitespace()) {
            self.take(rest, &mut held).map_err(|_| Cut("the stream ended in the middle of a record".into()))?;
        }
        frames.append(&mut held);
        let mut events = Events::new();
        self.records.end(&mut events)?;
        if !events.is_empty() {
            frames.push(Frame::new(events));
        }
        Ok(())
    }
}

impl Record {
    /// Reads a record's lines; `None` if it says nothing at all.
    fn read(wire: &ByteString) -> Option<Self> {
        let mut record = Self {
            event: ByteString::new(),
            data: ByteString::new(),
            is_comment: false,
            has_data: false,
            data_at: None,
        };
        let mut several: Option<String> = None;
        let mut at = 0;
        for line in lines(wire) {
            let start = at;
            at += line.len() + line_end(wire, start + line.len());
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if !line.is_empty() => record.is_comment = true,
                "event" => record.event = wire.slice_ref(value),
                "data" if !record.has_data => {
                    record.has_data = true;
                    record.data = wire.slice_ref(value);
                    record.data_at = Some(start + line.len() - value.len());
                }
                "data" => {
                    let joined = several.get_or_insert_with(|| record.data.to_string());
                    joined.push('\n');
                    joined.push_str(value);
                }
                _ => {}
            }
        }
        if let Some(joined) = several {
            record.data = joined.into();
            record.data_at = None;
        }
        record.is_comment &= !record.has_data;
        (record.has_data || record.is_comment || !record.event.is_empty()).then_some(record)
    }
}

/// The lines of a record, without their ends.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
            None => rest.take(),
            Some(end) => {
                rest = text.get(end + line_end(text, end)..);
                text.get(..end)
            }
        }
    })
}

/// How many bytes the line end at `at` has.
fn line_end(text: &str, at: usize) -> usize {
    match text.as_bytes().get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// Where the first record ends: after a line end that is followed by another, both included.
fn record_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'\n', b'\r', bytes.get(at..)?)?;
        let next = match bytes.get(at..)? {
            [b'\r', b'\n', ..] => at + 2,
            // A `\r` at the very end may yet become `\r\n`.
            [b'\r'] => return None,
            _ => at + 1,
        };
        match bytes.get(next..)? {
            [b'\r', b'\n', ..] => return Some(next + 2),
            [b'\r' | b'\n', ..] => return Some(next + 1),
            _ => at = next,
        }
    }
}

/// A record's bytes with what they lack of their blank line: the last record of a stream may have none, and
/// the second half of a `\r\n` may come too late. Clients may know no blank line but a plain one.
fn with_end(wire: Bytes) -> Bytes {
    let missing: &[u8] = match &*wire {
        [.., b'\n', b'\r'] => b"\n",
        [.., b'\n', b'\n'] | [.., b'\r', b'\r'] | [.., b'\n', b'\r', b'\n'] => return wire,
        [.., b'\n'] => b"\n",
        _ => b"\n\n",
    };
    let mut whole = BytesMut::with_capacity(wire.len() + missing.len());
    whole.extend_from_slice(&wire);
    whole.extend_from_slice(missing);
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Notes the records it is shown.
    #[derive(Default)]
    struct Notes(std::sync::Arc<std::sync::Mutex<Vec<(String, String, bool)>>>);

    impl Records for Notes {
        fn dialect(&self) -> DialectId {
            DialectId("notes")
        }

        fn record(&mut self, record: &Record, _: &mut Events) -> Result<(), Malformed> {
            self.0.lock().unwrap().push((record.event.to_string(), record.data.to_string(), record.is_comment));
            Ok(())
        }

        fn end(&mut self, _: &mut Events) -> Result<(), Cut> {
            Ok(())
        }
    }

    fn read(pieces: &[&[u8]]) -> Vec<(String, String, bool)> {
        let notes = Notes::default();
        let seen = notes.0.clone();
        let mut reader = SseReader::new(notes);
        let mut frames = Vec::new();
        for piece in pieces {
            reader.feed(Bytes::copy_from_slice(piece), &mut frames).unwrap();
        }
        reader.finish(&mut frames).unwrap();
        seen.lock().unwrap().clone()
    }

    #[test]
    fn records_are_found_with_every_kind_of_line_end() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = "\u{feff}event: a|data: 1|data:2||: ping||data: é||".replace('|', end);
            let expected = vec![
                ("a".into(), "1\n2".into(), false),
                (String::new(), String::new(), true),
                (String::new(), "é".to_string(), false),
            ];
            assert_eq!(read(&[stream.as_bytes()]), expected, "{end:?}");
        }
    }

    #[test]
    fn a_frames_bytes_end_in_a_blank_line_wherever_the_stream_was_cut() {
        let stream = b"data: 1\r\n\r\ndata: 2\r\n\r\ndata: 3";
        for cut in 0..=stream.len() {
            let mut reader = SseReader::new(Notes::default());
            let mut frames = Vec::new();
            reader.feed(Bytes::copy_from_slice(&stream[..cut]), &mut frames).unwrap();
            reader.feed(Bytes::copy_from_slice(&stream[cut..]), &mut frames).unwrap();
            reader.finish(&mut frames).unwrap();
            let wires: Vec<_> = frames.iter().map(|frame| frame.wire(DialectId("notes")).unwrap()).collect();
            assert_eq!(wires, ["data: 1\r\n\r\n", "data: 2\r\n\r\n", "data: 3\n\n"], "cut at {cut}");
        }
    }

    #[test]
    fn a_cut_at_any_byte_changes_no_record() {
        for end in ["\n", "\r\n", "\r"] {
            let stream =
                "\u{feff}event: a|data: 1|data: 2|id: 7||: ping|||data: {\"é\":\"😀\"}||data: last".replace('|', end);
            let bytes = stream.as_bytes();
            let whole = read(&[bytes]);
            for cut in 0..=bytes.len() {
                assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut} with {end:?}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&single), whole, "byte by byte with {end:?}");
        }
    }

    proptest! {
        #[test]
        fn any_cutting_of_any_stream_changes_no_record(
            stream in "(data: x|data:|event: e|: c|é|\n|\r|\r\n){0,12}",
            cuts in prop::collection::vec(0usize..60, 0..6),
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= bytes.len()).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut done = 0;
            for cut in cuts {
                pieces.push(&bytes[done..cut]);
                done = cut;
            }
            pieces.push(&bytes[done..]);
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }
    }
}
