//! Reading: one pass, no copies, everything checked.

mod tokens;

use std::borrow::Cow;

use bytestring::ByteString;

use super::keys::Keys;
use super::{Json, Kind, Malformed, Number, Result, value};
use crate::base::text::{self, Text};

/// How deep a document may nest.
const MAX_DEPTH: u16 = 128;

/// Pulls values out of a JSON document, front to back. A clone can look ahead.
#[derive(Clone)]
pub struct Reader<'a> {
    source: &'a ByteString,
    at: usize,
    depth: u16,
    is_strict: bool,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a ByteString) -> Self {
        Self { source, at: 0, depth: 0, is_strict: false }
    }

    /// One that refuses an object with a key twice: of the two values others may take the one that we do not. An object
    /// that is passed by is not looked into.
    pub fn strict(source: &'a ByteString) -> Self {
        Self { is_strict: true, ..Self::new(source) }
    }

    /// A reader of a value that was set aside, as strict as this one.
    pub fn aside<'j>(&self, value: &'j Json) -> Reader<'j> {
        Reader { is_strict: self.is_strict, ..value.reader() }
    }

    /// What kind of value comes next.
    #[inline]
    pub fn peek(&mut self) -> Result<Kind> {
        match self.next_byte() {
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
        ahead.next_byte();
        ahead.eat(b'{').then_some(())?;
        loop {
            (ahead.next_byte() == Some(b'"')).then_some(())?;
            let key = ahead.key().ok()?;
            ahead.colon().ok()?;
            if key == name {
                return (ahead.next_byte() == Some(b'"')).then(|| ahead.key().ok())?;
            }
            ahead.skip().ok()?;
            ahead.next_byte();
            ahead.eat(b',').then_some(())?;
        }
    }

    /// Reads an object: `member` is called for each key and reads its value. A value it does not read is skipped.
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        self.want(Kind::Object)?;
        if self.opens_empty(b'}')? {
            return Ok(());
        }
        let mut keys = self.is_strict.then(Keys::default);
        loop {
            self.want_key()?;
            let key = self.key()?;
            if keys.as_mut().is_some_and(|keys| !keys.add(key.clone())) {
                return Err(Malformed::new("is there twice").within(key));
            }
            self.colon()?;
            // A look at the value's kind passes the space before it, and that is not reading it.
            self.next_byte();
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
        if self.opens_empty(b']')? {
            return Ok(());
        }
        for index in 0.. {
            self.next_byte();
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
        self.count()?.ok_or_else(|| Malformed::new("expected a whole number that is not negative"))
    }

    /// The same; `None` for a number of another kind.
    pub fn count(&mut self) -> Result<Option<u64>> {
        self.want(Kind::Number)?;
        let start = self.at;
        self.skip_number()?;
        Ok(value::whole(self.source.get(start..self.at).unwrap_or_default()))
    }

    pub fn bool(&mut self) -> Result<bool> {
        self.want(Kind::Bool)?;
        let is_true = self.byte() == Some(b't');
        self.literal(if is_true { "true" } else { "false" })?;
        Ok(is_true)
    }

    /// Any value, as its bytes.
    pub fn raw(&mut self) -> Result<Json> {
        self.next_byte();
        let start = self.at;
        self.skip()?;
        Ok(Json(self.slice(start, self.at)))
    }

    /// What `value` reads, and its bytes.
    pub fn with_raw<T>(&mut self, value: impl FnOnce(&mut Self) -> Result<T>) -> Result<(T, Json)> {
        self.next_byte();
        let start = self.at;
        let value = value(self)?;
        Ok((value, Json(self.slice(start, self.at))))
    }

    /// Any value, as a text of its own that can be edited in place.
    pub fn raw_text(&mut self) -> Result<Text> {
        self.next_byte();
        let start = self.at;
        self.skip()?;
        Ok(Text::json_value(self.slice(start, self.at), start))
    }

    /// Checks any value and passes it by.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek()? {
            Kind::Object => self.skip_object(),
            Kind::Array => self.array(|reader, _| reader.skip()),
            Kind::String => self.skip_string().map(drop),
            Kind::Number => self.skip_number(),
            Kind::Bool => self.bool().map(drop),
            Kind::Null => self.literal("null"),
        }
    }

    /// Checks an object and passes it by: nobody asks for its keys.
    fn skip_object(&mut self) -> Result<()> {
        if self.opens_empty(b'}')? {
            return Ok(());
        }
        loop {
            self.want_key()?;
            self.skip_string()?;
            self.colon()?;
            self.skip()?;
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    /// The document must end here.
    pub fn end(mut self) -> Result<()> {
        match self.next_byte() {
            None => Ok(()),
            Some(_) => Err(self.not_json("expected the end of the document")),
        }
    }

    #[inline]
    fn want_key(&mut self) -> Result<()> {
        if self.next_byte() == Some(b'"') { Ok(()) } else { Err(self.not_json("expected a key")) }
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

    /// Enters an object or an array. True if there is nothing in it, which is then behind.
    #[inline]
    fn opens_empty(&mut self, close: u8) -> Result<bool> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed::new(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.at += 1;
        let is_empty = self.next_byte() == Some(close);
        if is_empty {
            self.at += 1;
        } else {
            self.depth += 1;
        }
        Ok(is_empty)
    }

    #[inline]
    fn colon(&mut self) -> Result<()> {
        if self.next_byte() != Some(b':') {
            return Err(self.not_json("expected `:`"));
        }
        self.at += 1;
        Ok(())
    }

    /// After an item: true at the closing bracket, false after a comma.
    #[inline]
    fn ends(&mut self, close: u8) -> Result<bool> {
        match self.next_byte() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(true)
            }
            _ => Err(self.not_json(if close == b'}' { "expected `,` or `}`" } else { "expected `,` or `]`" })),
        }
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

    /// The next byte that is no space. It is not passed by.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                found => return found,
            }
        }
    }

    /// A part of the source. Its ends are always next to ASCII, so it is always there.
    fn slice(&self, from: usize, to: usize) -> ByteString {
        self.source.get(from..to).map(|part| self.source.slice_ref(part)).unwrap_or_default()
    }

    #[cold]
    fn not_json(&self, what: &str) -> Malformed {
        Malformed::new(format!("not valid JSON: {what} at byte {}", self.at))
    }
}
