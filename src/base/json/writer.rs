//! Writing: front to back, without a tree.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::temporal::DateTimePrinter;

use super::{Json, Number, moment};
use crate::base::ids::RequestId;
use crate::base::millis::Millis;
use crate::base::money::{Dollars, Nanos};
use crate::base::text::{self, Text};

/// A key that needs no escapes, as it stands in an object behind another member.
macro_rules! member {
    ($key:literal) => {
        concat!(",\"", $key, "\":")
    };
}
pub(crate) use member;

/// Writes a JSON document front to back.
#[derive(Default)]
pub struct Writer {
    out: Vec<u8>,
    needs_comma: bool,
}

impl Writer {
    pub fn new() -> Self {
        Self::with_capacity(256)
    }

    pub fn with_capacity(bytes: usize) -> Self {
        Self::after(Vec::with_capacity(bytes))
    }

    /// Writes a document behind what is there already.
    pub fn after(out: Vec<u8>) -> Self {
        Self { out, needs_comma: false }
    }

    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.open(b'{');
        members(self);
        self.close(b'}');
    }

    pub fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.open(b'[');
        items(self);
        self.close(b']');
    }

    /// Writes the key of an object's member; its value comes next. A key that stands in the source is not searched for
    /// what must be escaped.
    pub fn key(&mut self, key: &'static str) -> &mut Self {
        self.word(key);
        self.keyed()
    }

    /// The same, spelled out by `member!`: one piece to copy instead of four.
    pub fn member(&mut self, member: &'static str) -> &mut Self {
        let member = if self.needs_comma { member } else { member.trim_start_matches(',') };
        self.out.extend_from_slice(member.as_bytes());
        self.needs_comma = false;
        self
    }

    /// The same for a key that came from elsewhere.
    pub fn any_key(&mut self, key: &str) -> &mut Self {
        self.str(key);
        self.keyed()
    }

    fn keyed(&mut self) -> &mut Self {
        self.out.push(b':');
        self.needs_comma = false;
        self
    }

    /// Writes a string that stands in the source and has nothing to escape.
    pub fn word(&mut self, word: &'static str) {
        debug_assert!(!needs_escapes(word), "{word:?} needs escapes");
        self.value(|out| {
            out.reserve(word.len() + 3);
            out.push(b'"');
            out.extend_from_slice(word.as_bytes());
            out.push(b'"');
        });
    }

    /// Writes a string made of pieces that have nothing to escape.
    pub fn plain(&mut self, pieces: &[&str]) {
        debug_assert!(!pieces.iter().any(|piece| needs_escapes(piece)), "{pieces:?} need escapes");
        self.value(|out| {
            out.push(b'"');
            pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
            out.push(b'"');
        });
    }

    pub fn str(&mut self, value: &str) {
        self.value(|out| {
            out.push(b'"');
            text::escape(value, out);
            out.push(b'"');
        });
    }

    pub fn text(&mut self, value: &Text) {
        self.value(|out| {
            out.push(b'"');
            value.write_escaped(out);
            out.push(b'"');
        });
    }

    /// Writes a text that is itself a JSON value, such as a tool call's arguments, unquoted.
    pub fn json_text(&mut self, value: &Text) {
        self.value(|out| out.extend_from_slice(value.as_str().as_bytes()));
    }

    pub fn raw(&mut self, value: &Json) {
        self.value(|out| out.extend_from_slice(value.0.as_bytes()));
    }

    pub fn number(&mut self, value: &Number) {
        self.value(|out| out.extend_from_slice(value.0.as_bytes()));
    }

    pub fn u64(&mut self, value: u64) {
        self.value(|out| out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()));
    }

    pub fn i64(&mut self, value: i64) {
        self.value(|out| out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()));
    }

    pub fn millis(&mut self, value: Millis) {
        self.value(|out| out.extend_from_slice(value.as_bytes()));
    }

    /// US dollars, exact to the last place.
    pub fn dollars(&mut self, amount: Nanos) {
        self.value(|out| out.extend_from_slice(Dollars::of(amount).as_str().as_bytes()));
    }

    pub fn request_id(&mut self, id: &RequestId) {
        self.value(|out| {
            out.push(b'"');
            out.extend_from_slice(id.as_bytes());
            out.push(b'"');
        });
    }

    pub fn time(&mut self, time: Timestamp) {
        self.value(|out| {
            out.push(b'"');
            moment::write(time, out);
            out.push(b'"');
        });
    }

    pub fn date(&mut self, date: Date) {
        self.value(|out| {
            out.push(b'"');
            // Writing to a vector cannot fail.
            let _ = PRINTER.print_date(&date, &mut *out);
            out.push(b'"');
        });
    }

    pub fn bool(&mut self, value: bool) {
        self.value(|out| out.extend_from_slice(if value { b"true" } else { b"false" }));
    }

    pub fn null(&mut self) {
        self.value(|out| out.extend_from_slice(b"null"));
    }

    /// Writes anything serde can.
    pub fn serde(&mut self, value: &impl serde::Serialize) {
        self.value(|out| {
            if serde_json::to_writer(&mut *out, value).is_err() {
                out.extend_from_slice(b"null");
            }
        });
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// What was written, as a value to put elsewhere.
    pub fn into_json(self) -> Json {
        Json(String::from_utf8(self.out).unwrap_or_default().into())
    }

    fn value(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.needs_comma {
            self.out.push(b',');
        }
        write(&mut self.out);
        self.needs_comma = true;
    }

    pub(super) fn open(&mut self, bracket: u8) {
        self.value(|out| out.push(bracket));
        self.needs_comma = false;
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.needs_comma = true;
    }
}

fn needs_escapes(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
}

/// ISO 8601, in UTC.
static PRINTER: DateTimePrinter = DateTimePrinter::new();
