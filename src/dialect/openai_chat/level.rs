//! The levels of a document, read and written.
//!
//! A canonical value often stands for two nested objects of the wire (a tool and its `function`). It has one
//! [`Extra`]: the inner object's fields are kept in it under the inner object's name and a dot,
//! `function.deprecated`. [`Level`] keeps them so, [`object`] puts each back at its own level.
//!
//! A field that is known is written from the canonical value alone; what an extra says of it counts only
//! while the canonical value says nothing. So an edit always wins.
//!
//! An outer field whose own name is `function.deprecated` would be taken for an inner one. None is known.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::base::json::{Json, Kind, Reader, Result, Writer};
use crate::base::text::Text;
use crate::chat::Extra;

/// Where the fields of the object being read are kept.
pub struct Level<'e> {
    pub extra: &'e mut Extra,
    /// What stands before the keys: nothing, or the inner object's name and a dot.
    at: &'static str,
}

impl<'e> Level<'e> {
    pub fn outer(extra: &'e mut Extra) -> Self {
        Self { extra, at: "" }
    }

    pub fn inner(extra: &'e mut Extra, at: &'static str) -> Self {
        Self { extra, at }
    }

    pub fn keep(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let value = reader.raw()?;
        self.put(key, value);
        Ok(())
    }

    pub fn put(&mut self, key: &str, value: Json) {
        self.extra.put(&self.name(key), value);
    }

    pub fn note(&mut self, key: &str, value: Json) {
        self.extra.note(&self.name(key), value);
    }

    /// A field that may be null.
    pub fn known<'r, T>(
        &mut self,
        key: &str,
        reader: &mut Reader<'r>,
        value: impl FnOnce(&mut Reader<'r>) -> Result<T>,
    ) -> Result<Option<T>> {
        if reader.peek()? == Kind::Null {
            self.keep(key, reader)?;
            return Ok(None);
        }
        value(reader).map(Some)
    }

    /// A text that says nothing if it is null or empty.
    pub fn text(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<Option<Text>> {
        let text = self.known(key, reader, Reader::text)?;
        if text.as_ref().is_some_and(Text::is_empty) {
            self.note(key, Json(r#""""#.into()));
            return Ok(None);
        }
        Ok(text)
    }

    /// A list that says nothing if it is null or empty.
    pub fn list<'r, T>(
        &mut self,
        key: &str,
        reader: &mut Reader<'r>,
        item: impl FnMut(&mut Reader<'r>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let list = self.known(key, reader, |reader| reader.list(item))?;
        if list.as_ref().is_some_and(Vec::is_empty) {
            self.note(key, Json("[]".into()));
        }
        Ok(list.unwrap_or_default())
    }

    /// A constant: its value, kept only to be written again.
    pub fn constant(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let value = reader.raw()?;
        self.note(key, value);
        Ok(())
    }

    fn name<'k>(&self, key: &'k str) -> Cow<'k, str> {
        if self.at.is_empty() { Cow::Borrowed(key) } else { Cow::Owned(format!("{}{key}", self.at)) }
    }
}

/// The extra of a value that is being written, and the level in it.
#[derive(Clone, Copy)]
pub struct Rest<'e> {
    extra: Option<&'e Extra>,
    at: &'static str,
    /// The inner objects whose fields are in the extra too.
    inner: &'static [&'static str],
}

impl<'e> Rest<'e> {
    pub const NONE: Self = Self { extra: None, at: "", inner: &[] };

    pub fn of(extra: Option<&'e Extra>, inner: &'static [&'static str]) -> Self {
        Self { extra, at: "", inner }
    }

    pub fn inside(extra: Option<&'e Extra>, at: &'static str, inner: &'static [&'static str]) -> Self {
        Self { extra, at, inner }
    }

    /// The level of an inner object of the same value.
    pub fn within(self, at: &'static str, inner: &'static [&'static str]) -> Self {
        Self { extra: self.extra, at, inner }
    }

    pub fn has(&self, key: &str) -> bool {
        self.fields().any(|(name, _)| name == key)
    }

    pub fn has_mark(&self, bit: u32) -> bool {
        self.extra.is_some_and(|extra| extra.has_mark(bit))
    }

    fn fields(&self) -> impl Iterator<Item = (&'e str, &'e Json)> {
        let (at, inner) = (self.at, self.inner);
        self.extra
            .into_iter()
            .flat_map(Extra::fields)
            .filter_map(move |(key, value)| Some((key.strip_prefix(at)?, value)))
            .filter(move |(key, _)| !inner.iter().any(|inner| key.starts_with(inner)))
    }
}

/// The object being written, and which of its members have been.
pub struct Members<'w> {
    writer: &'w mut Writer,
    said: SmallVec<[&'static str; 12]>,
}

impl Members<'_> {
    /// Begins a member; its value comes next.
    pub fn key(&mut self, key: &'static str) -> &mut Writer {
        self.said.push(key);
        self.writer.key(key)
    }

    pub fn str(&mut self, key: &'static str, value: &str) {
        self.key(key).str(value);
    }

    pub fn text(&mut self, key: &'static str, value: Option<&Text>) {
        if let Some(value) = value {
            self.key(key).text(value);
        }
    }

    pub fn raw(&mut self, key: &'static str, value: Option<&Json>) {
        if let Some(value) = value {
            self.key(key).raw(value);
        }
    }
}

/// Writes an object: what `known` says, and then what is left of `rest`.
pub fn object(writer: &mut Writer, rest: Rest<'_>, known: impl FnOnce(&mut Members<'_>)) {
    writer.object(|writer| {
        let mut members = Members { writer, said: SmallVec::new() };
        known(&mut members);
        let Members { writer, said } = members;
        for (key, value) in rest.fields().filter(|(key, _)| !said.contains(key)) {
            writer.any_key(key).raw(value);
        }
    });
}

/// A text as a JSON value of its own.
pub fn json_of(text: &Text) -> Json {
    let mut writer = Writer::new();
    writer.text(text);
    writer.into_json()
}
