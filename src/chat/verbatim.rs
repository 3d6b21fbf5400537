//! Keeping the wire until somebody touches it.
//!
//! A [`Verbatim`] value remembers the bytes it was read from. As long as nobody edits it, it leaves in the
//! same dialect as those very bytes; a text that is edited in place is spliced into them; any other edit
//! drops them, and the value is written anew. That is what makes a pass through the gateway lossless by
//! type rather than by care.

use std::ops::Deref;

use bytes::Bytes;
use bytestring::ByteString;

use crate::base::ids::DialectId;
use crate::base::text::{Place, Text};

/// A value with the bytes it was read from, for as long as they say the same.
#[derive(Debug, Clone)]
pub struct Verbatim<T> {
    value: T,
    wire: Option<Wire>,
}

#[derive(Clone)]
struct Wire {
    dialect: DialectId,
    bytes: Bytes,
    /// Where in `bytes` the JSON document begins whose [`Place`]s the value's texts have; `None` if it is
    /// not there in one piece.
    document_at: Option<usize>,
    splices: Vec<(Place, Vec<u8>)>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({}, {} bytes)", self.dialect, self.bytes.len())
    }
}

impl<T> Verbatim<T> {
    /// A value made here: it has no wire yet.
    pub fn new(value: T) -> Self {
        Self { value, wire: None }
    }

    /// A value read from `bytes`, whose JSON document begins at `document_at`.
    pub fn read(value: T, dialect: DialectId, bytes: Bytes, document_at: Option<usize>) -> Self {
        Self { value, wire: Some(Wire { dialect, bytes, document_at, splices: Vec::new() }) }
    }

    /// The value, to change in any way. The bytes are forgotten.
    pub fn edit(&mut self) -> &mut T {
        self.wire = None;
        &mut self.value
    }

    /// Changes one text and keeps the bytes around it.
    pub fn edit_text(&mut self, text: impl FnOnce(&mut T) -> &mut Text, new: impl Into<bytestring::ByteString>) {
        let text = text(&mut self.value);
        text.set(new);
        let mut written = Vec::new();
        text.write_in_place(&mut written);
        match text.place() {
            Some(place) => self.splice(place, written),
            None => self.wire = None,
        }
    }

    /// Changes texts wherever in the value they are, and keeps the bytes around them. `change` hands each text it has
    /// another wording for to the [`Edits`], and tells them if it changes anything else.
    ///
    /// What it has changed is kept, whatever it comes to.
    pub fn edit_texts<R>(&mut self, change: impl FnOnce(&mut T, &mut Edits) -> R) -> R {
        let mut edits = Edits::default();
        let result = change(&mut self.value, &mut edits);
        if edits.is_rewritten {
            self.wire = None;
        }
        for (place, with) in edits.splices {
            self.splice(place, with);
        }
        result
    }

    /// Puts `with` in the place of some bytes of the document. The value must already say so.
    pub fn splice(&mut self, place: Place, with: Vec<u8>) {
        match &mut self.wire {
            Some(wire) if wire.document_at.is_some() => {
                wire.splices.retain(|(other, _)| *other != place);
                wire.splices.push((place, with));
            }
            _ => self.wire = None,
        }
    }

    /// The bytes that say this value in `dialect`, if nothing but splices happened since they were read.
    pub fn wire(&self, dialect: DialectId) -> Option<Bytes> {
        let wire = self.wire.as_ref().filter(|wire| wire.dialect == dialect)?;
        if wire.splices.is_empty() {
            return Some(wire.bytes.clone());
        }
        wire.spliced()
    }

    /// The JSON document the value was read from, as it was then: what a [`Place`] is counted in.
    pub fn document(&self, dialect: DialectId) -> Option<Bytes> {
        let wire = self.wire.as_ref().filter(|wire| wire.dialect == dialect)?;
        let start = wire.document_at.filter(|start| *start <= wire.bytes.len())?;
        Some(wire.bytes.slice(start..))
    }

    pub fn into_value(self) -> T {
        self.value
    }

    /// True while the value leaves in `dialect` as the very bytes it came in.
    pub fn is_untouched(&self, dialect: DialectId) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.dialect == dialect && wire.splices.is_empty())
    }
}

/// What is changed in a value, and whether the bytes it was read from can follow.
#[derive(Debug, Default)]
pub struct Edits {
    splices: Vec<(Place, Vec<u8>)>,
    is_rewritten: bool,
}

impl Edits {
    /// Puts other characters in a text's place.
    pub fn set(&mut self, text: &mut Text, new: impl Into<ByteString>) {
        text.set(new);
        match text.place() {
            Some(place) => {
                let mut written = Vec::new();
                text.write_in_place(&mut written);
                self.splices.push((place, written));
            }
            None => self.is_rewritten = true,
        }
    }

    /// Something else has changed: the bytes are to be forgotten.
    pub fn rewrite(&mut self) {
        self.is_rewritten = true;
    }
}

impl Wire {
    fn spliced(&self) -> Option<Bytes> {
        let base = self.document_at?;
        let mut splices: Vec<_> = self.splices.iter().collect();
        splices.sort_by_key(|(place, _)| place.start);
        let added: usize = splices.iter().map(|(_, with)| with.len()).sum();
        let mut out = Vec::with_capacity(self.bytes.len() + added);
        let mut done = 0;
        for (place, with) in splices {
            let start = base + place.start as usize;
            out.extend_from_slice(self.bytes.get(done..start)?);
            out.extend_from_slice(with);
            done = start + place.len as usize;
        }
        out.extend_from_slice(self.bytes.get(done..)?);
        Some(out.into())
    }
}

impl<T> Deref for Verbatim<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json::Reader;

    const DIALECT: DialectId = DialectId("test");

    /// Two texts read from `{"a": …, "b": …}`.
    fn pair(source: &'static str) -> Verbatim<(Text, Text)> {
        let body = ByteString::from_static(source);
        let mut pair = (Text::default(), Text::default());
        Reader::new(&body)
            .object(|reader, key| {
                *(if key == "a" { &mut pair.0 } else { &mut pair.1 }) = reader.text()?;
                Ok(())
            })
            .unwrap();
        Verbatim::read(pair, DIALECT, Bytes::from_static(source.as_bytes()), Some(0))
    }

    #[test]
    fn an_untouched_value_leaves_as_its_very_bytes() {
        let value = pair(r#"{ "b":"x" , "a" : "y" }"#);
        assert_eq!(value.wire(DIALECT).unwrap(), r#"{ "b":"x" , "a" : "y" }"#);
        assert_eq!(value.wire(DialectId("other")), None);
    }

    #[test]
    fn an_edited_text_is_spliced_in_and_nothing_else_moves() {
        let mut value = pair(r#"{ "b":"x\n" , "a" : "y" }"#);
        value.edit_text(|pair| &mut pair.0, "a \"quoted\" one");
        value.edit_text(|pair| &mut pair.1, "first");
        value.edit_text(|pair| &mut pair.1, "");
        assert_eq!(value.wire(DIALECT).unwrap(), r#"{ "b":"" , "a" : "a \"quoted\" one" }"#);
        assert_eq!(value.0, "a \"quoted\" one");
    }

    #[test]
    fn several_texts_are_spliced_in_at_once_unless_something_else_changes() {
        let mut value = pair(r#"{ "b":"x" , "a" : "y" }"#);
        value.edit_texts(|pair, edits| {
            edits.set(&mut pair.0, "one");
            edits.set(&mut pair.1, "two");
        });
        assert_eq!(value.wire(DIALECT).unwrap(), r#"{ "b":"two" , "a" : "one" }"#);
        value.edit_texts(|_, edits| edits.rewrite());
        assert_eq!(value.wire(DIALECT), None);
    }

    #[test]
    fn any_other_edit_drops_the_bytes() {
        let mut value = pair(r#"{"a":"x","b":"y"}"#);
        value.edit().0 = Text::from("z");
        assert_eq!(value.wire(DIALECT), None);
    }
}
