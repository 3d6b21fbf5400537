//! Members of JSON objects: the ones that may be null, and the ones that are not known.
//!
//! A null is kept beside the unknown members, so that it is written again unless a value has come in its
//! place. Extras of another dialect are never written; each is a loss.

use std::fmt;

use smallvec::SmallVec;

use crate::base::json::{Json, Kind, Malformed, Reader, Result, Writer};
use crate::base::text::Text;
use crate::chat::{Extra, Losses};

/// Reads a member that may be null; a null stays in `extra`.
pub(super) fn optional<'a, T>(
    extra: &mut Extra,
    key: &str,
    reader: &mut Reader<'a>,
    value: impl FnOnce(&mut Reader<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if reader.peek()? == Kind::Null {
        extra.keep(key, reader)?;
        return Ok(None);
    }
    value(reader).map(Some)
}

pub(super) fn required<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| Malformed::new("is missing").within(key))
}

/// An object as its bytes. Its keys are seen, whether or not anybody asks for them.
pub(super) fn raw_object(reader: &mut Reader<'_>) -> Result<Json> {
    if reader.peek()? != Kind::Object {
        return Err(Malformed::new("expected an object"));
    }
    let ((), raw) = reader.with_raw(|reader| reader.object(|_, _| Ok(())))?;
    Ok(raw)
}

/// What is left of an object when `take` has taken the members it understands; `None` if nothing is, though
/// something was.
pub(super) fn remainder(
    raw: &Json,
    mut take: impl FnMut(&str, Kind, &mut Reader<'_>) -> Result<bool>,
) -> Result<Option<Json>> {
    let mut writer = Writer::new();
    let (mut taken, mut left) = (false, false);
    let mut wrong = None;
    writer.object(|writer| {
        let read = raw.reader().object(|reader, key| {
            let kind = reader.peek()?;
            if take(key, kind, reader)? {
                taken = true;
                return Ok(());
            }
            left = true;
            writer.any_key(key).raw(&reader.raw()?);
            Ok(())
        });
        wrong = read.err();
    });
    match wrong {
        Some(wrong) => Err(wrong),
        None => Ok((left || !taken).then(|| writer.into_json())),
    }
}

/// A text that does not remember its place: it was read from a document of its own.
pub(super) fn placeless(text: &Text) -> Text {
    Text::from(text.as_str().into_owned())
}

/// Whether what is written came in this dialect, and what had to be left out of it.
pub(super) struct Cx<'l> {
    /// True if extras and marks are ours, and what we do not understand may pass.
    pub own: bool,
    pub losses: &'l mut Losses,
}

impl Cx<'_> {
    pub fn left_out(&mut self, at: fmt::Arguments<'_>) {
        self.losses.left_out(at.to_string());
    }

    pub fn add(&mut self, at: fmt::Arguments<'_>, instead: &'static str) {
        self.losses.add(at.to_string(), instead);
    }

    pub fn has_mark(&self, extra: &Extra, mark: u32) -> bool {
        self.own && extra.has_mark(mark)
    }

    /// Reports the fields of another dialect's extra, which stay behind.
    pub fn leave(&mut self, extra: &Extra, at: fmt::Arguments<'_>) {
        for key in extra.telling().filter(|_| !self.own) {
            self.losses.left_out(format!("{at}{key}"));
        }
    }
}

/// The members of one object as they are written: no key twice.
pub(super) struct Members<'w> {
    writer: &'w mut Writer,
    written: SmallVec<[&'static str; 8]>,
}

/// Writes an object.
pub(super) fn object(writer: &mut Writer, members: impl FnOnce(&mut Members<'_>)) {
    writer.object(|writer| members(&mut Members { writer, written: SmallVec::new() }));
}

impl Members<'_> {
    /// Writes a key; its value comes next.
    pub fn key(&mut self, key: &'static str) -> &mut Writer {
        self.written.push(key);
        self.writer.key(key)
    }

    pub fn str(&mut self, key: &'static str, value: &str) {
        self.key(key).str(value);
    }

    pub fn text(&mut self, key: &'static str, value: &Text) {
        self.key(key).text(value);
    }

    /// Writes the extras, `at` being where they stand: `messages[3].`
    pub fn rest(&mut self, extra: &Extra, cx: &mut Cx<'_>, at: fmt::Arguments<'_>) {
        if !cx.own {
            return cx.leave(extra, at);
        }
        for (key, value) in extra.fields() {
            self.unless_written(key, value);
        }
    }

    /// Writes the members of an object that was kept whole, but for those written already.
    pub fn rest_of(&mut self, raw: &Json) {
        // It was read before, so it is an object and well formed.
        let _ = raw.reader().object(|reader, key| {
            let value = reader.raw()?;
            self.unless_written(key, &value);
            Ok(())
        });
    }

    fn unless_written(&mut self, key: &str, value: &Json) {
        if !self.written.contains(&key) {
            self.writer.any_key(key).raw(value);
        }
    }
}
