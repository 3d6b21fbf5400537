//! JSON, read in one pass without copies, and written without a tree.
//!
//! [`Reader`] pulls values out of a body; texts and raw values it yields borrow the body and know where
//! they stood, which is what lets an unedited request keep its exact bytes. What is read is checked: the
//! whole document is valid JSON once the reader has come to its end. [`Writer`] is its counterpart.
//!
//! This is not a general JSON library: it has no tree and no conversion to Rust types. serde_json does
//! that elsewhere, and the tests hold this module against it.

use std::borrow::Cow;
use std::fmt;

use bytestring::ByteString;

use crate::base::text::{self, Text};

/// How deep a document may nest.
const MAX_DEPTH: u16 = 128;

/// A document, or a value in it, is not what its reader was promised.
#[derive(Clone, PartialEq, Eq)]
pub struct Malformed(Box<Wrong>);

#[derive(Clone, PartialEq, Eq)]
struct Wrong {
    /// Keys and indices from the inside out.
    path: Vec<String>,
    message: Cow<'static, str>,
}

impl Malformed {
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Wrong { path: Vec::new(), message: message.into() }))
    }

    /// The place of the fault in the document: `messages[2].content`; empty for the whole of it.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for part in self.0.path.iter().rev() {
            if !path.is_empty() && !part.starts_with('[') {
                path.push('.');
            }
            path.push_str(part);
        }
        path
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Says that the fault lies inside the member `part` of what is being read.
    #[must_use]
    pub fn within(mut self, part: impl Into<String>) -> Self {
        self.0.path.push(part.into());
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.path.is_empty() {
            return f.write_str(&self.0.message);
        }
        write!(f, "`{}`: {}", self.path(), self.0.message)
    }
}

impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Malformed({self})")
    }
}

impl std::error::Error for Malformed {}

pub type Result<T> = std::result::Result<T, Malformed>;

/// A JSON value as its bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Json(pub ByteString);

impl Json {
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(&self.0)
    }

    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// What kind of value this is.
    pub fn kind(&self) -> Kind {
        self.reader().peek().unwrap_or(Kind::Null)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// A JSON number as it was written, so that `1.0` does not become `1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Number(ByteString);

impl Number {
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(0.0)
    }

    /// The number, if it is a whole one that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok().or_else(|| {
            let float = self.as_f64();
            (float >= 0.0 && float < 2f64.powi(53) && float.fract() == 0.0).then_some(float as u64)
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        Self(n.to_string().into())
    }
}

impl From<f64> for Number {
    /// A number JSON cannot write (NaN, an infinity) becomes 0.
    fn from(n: f64) -> Self {
        Self(if n.is_finite() { n.to_string().into() } else { ByteString::from_static("0") })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    fn with_article(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        }
    }
}

/// Pulls values out of a JSON document, front to back. A clone can look ahead.
#[derive(Clone)]
pub struct Reader<'a> {
    source: &'a ByteString,
    at: usize,
    depth: u16,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a ByteString) -> Self {
        Self { source, at: 0, depth: 0 }
    }

    /// What kind of value comes next.
    #[inline]
    pub fn peek(&mut self) -> Result<Kind> {
        self.skip_space();
        match self.byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.not_json("expected a value")),
            None => Err(self.not_json("expected a value, found the end")),
        }
    }

    /// The string that the object coming next has as its member `name`, seen without moving on. It costs
    /// next to nothing where that member is the first, as a `type` commonly is.
    pub fn glimpse(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut ahead = self.clone();
        ahead.skip_space();
        ahead.eat(b'{').then_some(())?;
        loop {
            ahead.skip_space();
            (ahead.byte() == Some(b'"')).then_some(())?;
            let key = ahead.key().ok()?;
            ahead.skip_space();
            ahead.eat(b':').then_some(())?;
            ahead.skip_space();
            if key == name {
                return (ahead.byte() == Some(b'"')).then(|| ahead.key().ok())?;
            }
            ahead.skip().ok()?;
            ahead.skip_space();
            ahead.eat(b',').then_some(())?;
        }
    }

    /// Reads an object: `member` is called for each key and reads its value. A value it does not read is skipped.
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        self.want(Kind::Object)?;
        self.enter()?;
        self.skip_space();
        if self.eat(b'}') {
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.byte() != Some(b'"') {
                return Err(self.not_json("expected a key"));
            }
            let key = self.key()?;
            self.skip_space();
            if !self.eat(b':') {
                return Err(self.not_json("expected `:`"));
            }
            // A look at the value's kind passes the space before it, and that is not reading it.
            self.skip_space();
            let before = self.at;
            member(self, &key).map_err(|wrong| wrong.within(key.as_ref()))?;
            if self.at == before {
                self.skip().map_err(|wrong| wrong.within(key.as_ref()))?;
            }
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads an array: `item` is called with each index and reads the item. An item it does not read is skipped.
    pub fn array(&mut self, mut item: impl FnMut(&mut Self, usize) -> Result<()>) -> Result<()> {
        self.want(Kind::Array)?;
        self.enter()?;
        self.skip_space();
        if self.eat(b']') {
            self.depth -= 1;
            return Ok(());
        }
        for index in 0.. {
            self.skip_space();
            let before = self.at;
            item(self, index).map_err(|wrong| wrong.within(format!("[{index}]")))?;
            if self.at == before {
                self.skip().map_err(|wrong| wrong.within(format!("[{index}]")))?;
            }
            if self.ends(b']')? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Collects an array of what `item` reads.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        self.array(|reader, _| {
            items.push(item(reader)?);
            Ok(())
        })?;
        Ok(items)
    }

    /// `None` for null, otherwise what `value` reads.
    pub fn nullable<T>(&mut self, value: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.peek()? == Kind::Null {
            self.skip()?;
            return Ok(None);
        }
        value(self).map(Some)
    }

    pub fn text(&mut self) -> Result<Text> {
        self.want(Kind::String)?;
        let start = self.at + 1;
        let has_escapes = self.skip_string()?;
        let inside = self.slice(start, self.at - 1);
        Ok(Text::inside_string(inside, start, has_escapes))
    }

    /// A short string, copied out: a role, a type, an id.
    pub fn string(&mut self) -> Result<String> {
        Ok(self.text()?.as_str().into_owned())
    }

    pub fn number(&mut self) -> Result<Number> {
        self.want(Kind::Number)?;
        let start = self.at;
        self.skip_number()?;
        Ok(Number(self.slice(start, self.at)))
    }

    /// A whole number that is not negative.
    pub fn u64(&mut self) -> Result<u64> {
        let number = self.number()?;
        number.as_u64().ok_or_else(|| Malformed::new("expected a whole number that is not negative"))
    }

    pub fn bool(&mut self) -> Result<bool> {
        self.want(Kind::Bool)?;
        let is_true = self.byte() == Some(b't');
        self.literal(if is_true { "true" } else { "false" })?;
        Ok(is_true)
    }

    /// Any value, as its bytes.
    pub fn raw(&mut self) -> Result<Json> {
        self.skip_space();
        let start = self.at;
        self.skip()?;
        Ok(Json(self.slice(start, self.at)))
    }

    /// What `value` reads, and its bytes.
    pub fn with_raw<T>(&mut self, value: impl FnOnce(&mut Self) -> Result<T>) -> Result<(T, Json)> {
        self.skip_space();
        let start = self.at;
        let value = value(self)?;
        Ok((value, Json(self.slice(start, self.at))))
    }

    /// Any value, as a text of its own that can be edited in place.
    pub fn raw_text(&mut self) -> Result<Text> {
        self.skip_space();
        let start = self.at;
        self.skip()?;
        Ok(Text::json_value(self.slice(start, self.at), start))
    }

    /// Checks any value and passes it by.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek()? {
            Kind::Object => self.object(|reader, _| reader.skip()),
            Kind::Array => self.array(|reader, _| reader.skip()),
            Kind::String => self.skip_string().map(drop),
            Kind::Number => self.skip_number(),
            Kind::Bool => self.bool().map(drop),
            Kind::Null => self.literal("null"),
        }
    }

    /// The document must end here.
    pub fn end(mut self) -> Result<()> {
        self.skip_space();
        match self.byte() {
            None => Ok(()),
            Some(_) => Err(self.not_json("expected the end of the document")),
        }
    }

    /// A key's characters. Keys are many and soon forgotten: they hold no share of the body.
    fn key(&mut self) -> Result<Cow<'a, str>> {
        let source = self.source;
        let start = self.at + 1;
        let has_escapes = self.skip_string()?;
        let inside = source.get(start..self.at - 1).unwrap_or_default();
        Ok(if has_escapes { Cow::Owned(text::unescape(inside)) } else { Cow::Borrowed(inside) })
    }

    #[inline]
    fn want(&mut self, kind: Kind) -> Result<()> {
        let found = self.peek()?;
        if found == kind {
            return Ok(());
        }
        Err(Malformed::new(format!("expected {}, found {}", kind.with_article(), found.with_article())))
    }

    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Malformed::new(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    /// After an item: true at the closing bracket, false after a comma.
    #[inline]
    fn ends(&mut self, close: u8) -> Result<bool> {
        self.skip_space();
        if self.eat(b',') {
            return Ok(false);
        }
        if self.eat(close) {
            self.depth -= 1;
            return Ok(true);
        }
        Err(self.not_json(if close == b'}' { "expected `,` or `}`" } else { "expected `,` or `]`" }))
    }

    /// Passes a string by; true if it has escapes.
    fn skip_string(&mut self) -> Result<bool> {
        let bytes = self.source.as_bytes();
        let mut at = self.at + 1;
        let mut has_escapes = false;
        loop {
            at = next_special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    at += self.check_escape(bytes.get(at + 1..).unwrap_or_default())?;
                }
                Some(_) => return Err(self.not_json("a control character in a string must be escaped")),
                None => return Err(self.not_json("a string has no end")),
            }
        }
        self.at = at + 1;
        Ok(has_escapes)
    }

    /// The length of an escape, backslash included, whose rest is `after`.
    fn check_escape(&self, after: &[u8]) -> Result<usize> {
        match after {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(2),
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|hex| hex.is_ascii_hexdigit()) => Ok(6),
            _ => Err(self.not_json("an escape in a string is not valid")),
        }
    }

    fn skip_number(&mut self) -> Result<()> {
        self.eat(b'-');
        if !self.eat(b'0') && self.digits() == 0 {
            return Err(self.not_json("a number is not valid"));
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(self.not_json("a number is not valid"));
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            if self.digits() == 0 {
                return Err(self.not_json("a number is not valid"));
            }
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    #[inline]
    fn literal(&mut self, word: &'static str) -> Result<()> {
        let rest = self.source.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.not_json("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// A part of the source. Its ends are always next to ASCII, so it is always there.
    fn slice(&self, from: usize, to: usize) -> ByteString {
        self.source.get(from..to).map(|part| self.source.slice_ref(part)).unwrap_or_default()
    }

    fn not_json(&self, what: &str) -> Malformed {
        Malformed::new(format!("not valid JSON: {what} at byte {}", self.at))
    }
}

/// Where the first byte stands that means something inside a string: a quote, a backslash, a control character.
///
/// Most strings are short and some are very long, so eight bytes are looked at in one word: each of the three
/// tests sets the high bit of the bytes it finds. A borrow may set a bit too many, but only above the first.
#[inline]
fn next_special(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let mut at = from;
    let (words, rest) = bytes.get(from..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let (quote, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        if found & HIGH != 0 {
            return at + (found & HIGH).trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

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
        Self { out: Vec::with_capacity(bytes), needs_comma: false }
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

    /// Writes the key of an object's member; its value comes next.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.str(key);
        self.out.push(b':');
        self.needs_comma = false;
        self
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
        self.value(|out| out.extend_from_slice(value.to_string().as_bytes()));
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

    fn open(&mut self, bracket: u8) {
        self.value(|out| out.push(bracket));
        self.needs_comma = false;
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.needs_comma = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Reads with our reader and writes with our writer.
    fn copy(reader: &mut Reader<'_>, writer: &mut Writer) -> Result<()> {
        match reader.peek()? {
            Kind::Object => {
                writer.open(b'{');
                reader.object(|reader, key| {
                    writer.key(key);
                    copy(reader, writer)
                })?;
                writer.close(b'}');
            }
            Kind::Array => {
                writer.open(b'[');
                reader.array(|reader, _| copy(reader, writer))?;
                writer.close(b']');
            }
            Kind::String => writer.text(&reader.text()?),
            Kind::Number => writer.number(&reader.number()?),
            Kind::Bool => writer.bool(reader.bool()?),
            Kind::Null => {
                reader.skip()?;
                writer.null();
            }
        }
        Ok(())
    }

    fn accepts(text: &str) -> bool {
        let source = ByteString::from(text);
        let mut reader = Reader::new(&source);
        reader.skip().is_ok() && reader.end().is_ok()
    }

    proptest! {
        #[test]
        fn what_is_read_and_written_is_the_same_value(value in json_value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let source = ByteString::from(text);
            let mut writer = Writer::new();
            copy(&mut Reader::new(&source), &mut writer).unwrap();
            let written: Value = serde_json::from_slice(&writer.into_bytes()).unwrap();
            prop_assert_eq!(written, serde_json::from_str::<Value>(&source).unwrap());
        }

        #[test]
        fn the_first_special_byte_is_found_wherever_it_stands(bytes in prop::collection::vec(any::<u8>(), 0..40), from in 0usize..40) {
            let from = from.min(bytes.len());
            let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let expected = bytes[from..].iter().position(is_special).map_or(bytes.len(), |found| from + found);
            prop_assert_eq!(next_special(&bytes, from), expected);
        }

        #[test]
        fn accepts_what_serde_json_accepts(text in r#"[\[\]{},:"\\ a0-9eE.+\-ntrufals]{0,24}"#) {
            // serde_json rejects numbers out of the range of f64 and lone surrogates; neither occurs in this alphabet below e+308.
            let huge = text.contains(['e', 'E']);
            let theirs = serde_json::from_str::<Value>(&text).is_ok();
            prop_assert!(accepts(&text) == theirs || huge, "{} differs: serde_json says {}", text, theirs);
        }
    }

    #[test]
    fn a_fault_names_its_place() {
        let source = ByteString::from(r#"{"messages":[{"role":"user"},{"role":7}]}"#);
        let wrong = Reader::new(&source)
            .object(|reader, _| reader.array(|reader, _| reader.object(|reader, _| reader.text().map(drop))))
            .unwrap_err();
        assert_eq!(wrong.to_string(), "`messages[1].role`: expected a string, found a number");
    }

    #[test]
    fn a_value_that_was_only_looked_at_is_passed_by() {
        let source = ByteString::from(r#"{"a" : {"b": [ 1 , 2 ]} , "c": 3}"#);
        let mut keys = Vec::new();
        Reader::new(&source)
            .object(|reader, key| {
                keys.push((key.to_owned(), reader.peek()?));
                Ok(())
            })
            .unwrap();
        assert_eq!(keys, [("a".to_owned(), Kind::Object), ("c".to_owned(), Kind::Number)]);
    }

    #[test]
    fn a_deep_document_is_refused_and_does_not_overflow_the_stack() {
        assert!(!accepts(&"[".repeat(100_000)));
        assert!(accepts(&format!("{}{}", "[".repeat(128), "]".repeat(128))));
    }

    #[test]
    fn a_member_can_be_glimpsed_before_its_object_is_read() {
        let glimpse = |text: &str| Reader::new(&ByteString::from(text)).glimpse("type").map(Cow::into_owned);
        assert_eq!(glimpse(r#" {"type":"a"}"#), Some("a".into()));
        assert_eq!(glimpse(r#"{"x":{"type":"b"},"type" : "a"}"#), Some("a".into()));
        assert_eq!(glimpse(r#"{"x":1}"#), None);
        assert_eq!(glimpse(r#"{"type":1}"#), None);
        assert_eq!(glimpse(r#"["type"]"#), None);
    }

    #[test]
    fn texts_know_where_they_stood() {
        let source = ByteString::from(r#"{"a": "x\ny", "b": {"c":1}}"#);
        let mut places = Vec::new();
        Reader::new(&source)
            .object(|reader, key| {
                let text = if key == "a" { reader.text()? } else { reader.raw_text()? };
                places.push((text.place().unwrap(), text.as_str().into_owned()));
                Ok(())
            })
            .unwrap();
        let at = |place: text::Place| &source[place.start as usize..(place.start + place.len) as usize];
        assert_eq!((at(places[0].0), places[0].1.as_str()), (r"x\ny", "x\ny"));
        assert_eq!((at(places[1].0), places[1].1.as_str()), (r#"{"c":1}"#, r#"{"c":1}"#));
    }
}
