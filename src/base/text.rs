//! Text that stays where it came from.
//!
//! A prompt of 256 KiB is not copied to be looked at: a [`Text`] borrows the body it was read from, and a
//! JSON string with escapes stays escaped until somebody asks for its characters. It also remembers
//! *where* in the body it stood, so that an edit of a text can be a splice of bytes
//! (see [`Verbatim`](crate::chat::Verbatim)).

use std::borrow::Cow;
use std::fmt;

use bytestring::ByteString;

use super::json::next_special;

/// Some text of a request or an answer.
#[derive(Clone, Default)]
pub struct Text {
    wire: ByteString,
    form: Form,
    at: Option<Place>,
}

/// How the bytes of a [`Text`] relate to its characters.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Form {
    /// The characters themselves; may hold what JSON must escape.
    #[default]
    Loose,
    /// The characters themselves, none of which JSON must escape.
    Plain,
    /// The inside of a JSON string, escapes and all.
    Escaped,
    /// A JSON value that is its own text, like the `input` of a tool call.
    Json,
}

/// A range of bytes in the JSON document a text was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub start: u32,
    pub len: u32,
}

impl Text {
    pub fn new(text: impl Into<ByteString>) -> Self {
        Self { wire: text.into(), form: Form::Loose, at: None }
    }

    /// The inside of a JSON string that stood at `start` of its document.
    pub(crate) fn inside_string(wire: ByteString, start: usize, has_escapes: bool) -> Self {
        let form = if has_escapes { Form::Escaped } else { Form::Plain };
        let at = Place::of(start, wire.len());
        Self { wire, form, at }
    }

    /// A JSON value that stood at `start` of its document, taken as a text of its own.
    pub(crate) fn json_value(wire: ByteString, start: usize) -> Self {
        let at = Place::of(start, wire.len());
        Self { wire, form: Form::Json, at }
    }

    /// The characters: borrowed unless escapes must be undone.
    pub fn as_str(&self) -> Cow<'_, str> {
        match self.form {
            Form::Escaped => Cow::Owned(unescape(&self.wire)),
            Form::Loose | Form::Plain | Form::Json => Cow::Borrowed(&self.wire),
        }
    }

    /// Puts other characters in this text's place, and keeps the place.
    pub fn set(&mut self, text: impl Into<ByteString>) {
        self.wire = text.into();
        if self.form != Form::Json {
            self.form = Form::Loose;
        }
    }

    /// Where this text, or the one it has replaced, stood in the document it was read from.
    pub fn place(&self) -> Option<Place> {
        self.at
    }

    /// The same text, of which more than its one place would have to change: an edit cannot be a splice.
    #[must_use]
    pub fn unplaced(mut self) -> Self {
        self.at = None;
        self
    }

    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }

    /// An upper bound of the characters' bytes.
    pub fn len(&self) -> usize {
        self.wire.len()
    }

    /// Appends what stands between the quotes of a JSON string.
    pub(crate) fn write_escaped(&self, out: &mut Vec<u8>) {
        match self.form {
            Form::Plain | Form::Escaped => out.extend_from_slice(self.wire.as_bytes()),
            Form::Loose | Form::Json => escape(&self.wire, out),
        }
    }

    /// Appends what must stand at [`Text::place`] for this text to be read there again.
    pub(crate) fn write_in_place(&self, out: &mut Vec<u8>) {
        match self.form {
            Form::Json => out.extend_from_slice(self.wire.as_bytes()),
            Form::Plain | Form::Escaped | Form::Loose => self.write_escaped(out),
        }
    }
}

impl Place {
    fn of(start: usize, len: usize) -> Option<Self> {
        Some(Self { start: u32::try_from(start).ok()?, len: u32::try_from(len).ok()? })
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(ByteString::from(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(ByteString::from(text))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Eq for Text {}

/// Prompts and answers must not reach a log by way of a `{:?}`: only the length is shown.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.wire.len())
    }
}

/// Undoes the escapes of a JSON string. Half of a surrogate pair becomes U+FFFD.
pub fn unescape(wire: &str) -> String {
    let mut out = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(found) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(found);
        out.push_str(before);
        let (c, used) = one_escape(escape);
        out.push(c);
        rest = escape.get(used..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

/// The character an escape at the head of `escape` stands for, and its length in bytes.
fn one_escape(escape: &str) -> (char, usize) {
    let simple = match escape.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'u') => return unicode_escape(escape),
        _ => return (char::REPLACEMENT_CHARACTER, escape.chars().take(2).map(char::len_utf8).sum()),
    };
    (simple, 2)
}

fn unicode_escape(escape: &str) -> (char, usize) {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(2) else { return (char::REPLACEMENT_CHARACTER, escape.len().min(2)) };
    if let Some(c) = char::from_u32(first) {
        return (c, 6);
    }
    let second = if first < 0xdc00 && escape.get(6..8) == Some("\\u") { unit(8) } else { None };
    match second {
        Some(second @ 0xdc00..=0xdfff) => {
            let c = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            (c.unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// Appends `text` as the inside of a JSON string.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = next_special(bytes, from);
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let Some(&byte) = bytes.get(at) else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_escaped_reads_back_and_is_valid_json(text in any::<String>()) {
            let mut out = Vec::new();
            escape(&text, &mut out);
            let wire = String::from_utf8(out).unwrap();
            prop_assert_eq!(unescape(&wire), text.clone());
            prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{wire}\"")).unwrap(), text);
        }

        #[test]
        fn unescaping_agrees_with_serde_json(text in any::<String>()) {
            // An ASCII-only encoder escapes everything it can, surrogate pairs included.
            let ascii: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(unescape(&ascii), text);
        }

        #[test]
        fn no_escape_however_broken_panics(text in "(\\\\|u|d8|[0-9a-f]|é|\"){0,20}") {
            unescape(&text);
        }
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        assert_eq!(unescape(r"a\ud83dz"), "a\u{fffd}z");
        assert_eq!(unescape(r"\udc00\ud83d\ude00"), "\u{fffd}😀");
    }

    #[test]
    fn the_debug_print_of_a_text_does_not_show_it() {
        assert!(!format!("{:?}", Text::from("canary")).contains("canary"));
    }
}
