//! Lists and maps: what is known to be faulty is passed over, what nobody knows is refused.

use serde::de::value::{BorrowedStrDeserializer, U32Deserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::error::{self, Error};
use super::{AT, Cx, Decoder};
use crate::policy::codes;
use crate::policy::document::{hints, planned};
use crate::policy::problem::{Problem, nearest};
use crate::policy::source::Span;
use crate::policy::tree::{Entry, Key, Node};

/// The items of a list.
pub(super) struct Items<'a, 'c> {
    items: std::slice::Iter<'a, Node>,
    cx: &'c Cx<'a>,
}

impl<'a, 'c> Items<'a, 'c> {
    pub fn new(items: &'a [Node], cx: &'c Cx<'a>) -> Self {
        Self { items: items.iter(), cx }
    }
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        match self.items.find(|item| !self.cx.is_hidden(item)) {
            Some(item) => self.cx.run(item, None, seed).map(Some),
            None => Ok(None),
        }
    }
}

/// The entries of a map; of a struct, only those it has fields for.
pub(super) struct Fields<'a, 'c> {
    entries: std::slice::Iter<'a, Entry>,
    of: Option<(&'static str, &'static [&'static str])>,
    value: Option<&'a Entry>,
    cx: &'c Cx<'a>,
}

impl<'a, 'c> Fields<'a, 'c> {
    pub fn new(entries: &'a [Entry], of: Option<(&'static str, &'static [&'static str])>, cx: &'c Cx<'a>) -> Self {
        Self { entries: entries.iter(), of, value: None, cx }
    }

    fn is_known(&self, entry: &Entry) -> bool {
        let Some((name, fields)) = self.of else { return true };
        if fields.contains(&entry.key.text.as_str()) {
            return true;
        }
        self.cx.note(unknown_field(&entry.key, name, fields));
        self.cx.hide(&entry.value);
        false
    }
}

fn unknown_field(key: &Key, name: &'static str, fields: &[&str]) -> Problem {
    let word = &key.text;
    if planned::is_planned(name, word) {
        return Problem::error(codes::NOT_AVAILABLE, format!("`{word}` is not available in this version"))
            .at(key.span, "")
            .help("leave it out: what is written must be what is done");
    }
    let label = match meant(name, word, fields) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => hints::belongs_elsewhere(name, word).unwrap_or_default().to_owned(),
    };
    Problem::error(codes::UNKNOWN_FIELD, format!("unknown field `{word}`"))
        .at(key.span, label)
        .help(error::fields_of(name, fields))
}

/// The field that is likely meant by a word that is none.
fn meant<'a>(name: &str, word: &str, fields: &[&'a str]) -> Option<&'a str> {
    hints::called_here(name, word).or_else(|| nearest(word, fields.iter().copied()))
}

/// Whether a field that was not found is there all the same: faulty, or under a name that is unknown.
pub(super) fn is_there(entries: &[Entry], field: &str, name: &str, fields: &[&str], cx: &Cx<'_>) -> bool {
    entries.iter().filter(|entry| cx.is_hidden(&entry.value)).any(|entry| {
        let word = entry.key.text.as_str();
        word == field || (!fields.contains(&word) && meant(name, word, fields) == Some(field))
    })
}

impl<'a> MapAccess<'a> for Fields<'a, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        while let Some(entry) = self.entries.next() {
            if self.cx.is_hidden(&entry.value) || !self.is_known(entry) {
                continue;
            }
            self.value = Some(entry);
            return match seed.deserialize(KeyDecoder(&entry.key)) {
                Ok(key) => Ok(Some(key)),
                Err(error) => Err(self.cx.settle(error.at(entry.key.span), &entry.value, None)),
            };
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.value.take() {
            Some(entry) => self.cx.run(&entry.value, Some(entry.key.span), seed),
            None => Err(serde::de::Error::custom("a value without a key")),
        }
    }
}

/// A key is text, however it was written.
struct KeyDecoder<'a>(&'a Key);

impl<'a> Deserializer<'a> for KeyDecoder<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(&self.0.text)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == AT {
            return visitor.visit_seq(KeyPieces { place: Place::of(self.0.span), key: Some(self.0) });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(&self.0.text))
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple map struct identifier ignored_any
    }
}

/// The three numbers of a span, one after the other.
struct Place(std::array::IntoIter<u32, 3>);

impl Place {
    fn of(span: Span) -> Self {
        Self([span.file.0, span.start, span.end].into_iter())
    }

    fn next(&mut self) -> Option<U32Deserializer<Error>> {
        self.0.next().map(IntoDeserializer::into_deserializer)
    }
}

/// A value behind its place.
pub(super) struct Pieces<'a, 'c> {
    place: Place,
    whole: Option<Decoder<'a, 'c>>,
}

impl<'a, 'c> Pieces<'a, 'c> {
    pub fn new(whole: Decoder<'a, 'c>) -> Self {
        Self { place: Place::of(whole.node.point(whole.cx.sources)), whole: Some(whole) }
    }
}

impl<'a> SeqAccess<'a> for Pieces<'a, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if let Some(number) = self.place.next() {
            return seed.deserialize(number).map(Some);
        }
        self.whole.take().map(|whole| seed.deserialize(whole)).transpose()
    }
}

struct KeyPieces<'a> {
    place: Place,
    key: Option<&'a Key>,
}

impl<'a> SeqAccess<'a> for KeyPieces<'a> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if let Some(number) = self.place.next() {
            return seed.deserialize(number).map(Some);
        }
        self.key.take().map(|key| seed.deserialize(KeyDecoder(key))).transpose()
    }
}
