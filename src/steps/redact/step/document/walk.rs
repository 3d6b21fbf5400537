//! Going through a JSON document, place by place.
//!
//! It says what stands where, and leaves to an [`Editor`] what becomes of it. What the shape names neither itself nor in
//! what it stands in is handed over as the JSON it is.

use super::shape::{ALIASES, Is, Places};
use crate::base::json::{Kind, Malformed, Reader};
use crate::base::stop::Refusal;
use crate::base::text::Text;
use crate::chat::Edits;

/// Decides what becomes of what a document holds.
pub trait Editor {
    /// What [`Is::Turn`] is beside this `type` or `role`; `None` if that says nothing of it.
    fn turn(&self, tag: &str) -> Option<Is>;

    /// What is not named within something else that is.
    fn within(&self, is: Is) -> Is;

    /// Another wording for what stands somewhere, if it needs one: [a text](Is::is_text), or else JSON.
    ///
    /// # Errors
    /// When the document must not go on.
    fn edit(&mut self, is: Is, kind: Kind, text: &Text) -> Result<Option<String>, Refusal>;
}

/// Why a document was not gone through.
pub enum Stopped {
    Refused(Refusal),
    Malformed(Malformed),
}

/// A walk through one document.
pub struct Walk<'a, E> {
    pub places: &'a Places,
    pub editor: &'a mut E,
    pub edits: &'a mut Edits,
    /// A place that somebody else sees to.
    pub passed_by: Option<&'static str>,
    path: String,
    turn: Is,
    refused: Option<Refusal>,
}

impl<'a, E: Editor> Walk<'a, E> {
    /// `turn` is what [`Is::Turn`] is where nothing says whose.
    pub fn new(places: &'a Places, turn: Is, editor: &'a mut E, edits: &'a mut Edits) -> Self {
        Self { places, editor, edits, passed_by: None, path: String::new(), turn, refused: None }
    }

    /// # Errors
    /// When the editor stops, or the document is not JSON.
    pub fn through(mut self, mut reader: Reader<'_>) -> Result<(), Stopped> {
        let outermost = self.editor.within(Is::Kept);
        let walked = self.value(&mut reader, outermost).and_then(|()| reader.end());
        match (self.refused, walked) {
            (Some(refusal), _) => Err(Stopped::Refused(refusal)),
            (None, Err(malformed)) => Err(Stopped::Malformed(malformed)),
            (None, Ok(())) => Ok(()),
        }
    }

    /// The value at the current path; `otherwise` if nothing is known of it.
    fn value(&mut self, reader: &mut Reader<'_>, otherwise: Is) -> Result<(), Malformed> {
        let named = self.places.iter().find(|(path, _)| *path == self.path).map(|(_, is)| *is);
        let is = if self.passed_by == Some(self.path.as_str()) { Is::Kept } else { named.unwrap_or(otherwise) };
        let kind = reader.peek()?;
        let path = self.path.as_str();
        let has = |next: &str| {
            let below = |known: &str| known.strip_prefix(path).is_some_and(|rest| rest.starts_with(next));
            self.places.iter().any(|(known, _)| below(known))
        };
        match kind {
            Kind::Object if (path.is_empty() && is != Is::Kept) || has(".") => self.object(reader, is),
            Kind::Array if has("[]") => self.array(reader, is),
            _ => self.leaf(reader, is, kind),
        }
    }

    fn object(&mut self, reader: &mut Reader<'_>, is: Is) -> Result<(), Malformed> {
        let outer = self.turn;
        let tag = |name| reader.glimpse(name).and_then(|tag| self.editor.turn(&tag));
        self.turn = tag("type").or_else(|| tag("role")).unwrap_or(outer);
        let is = if is == Is::Turn { self.turn } else { is };
        let otherwise = self.editor.within(is);
        let walked = reader.object(|reader, key| {
            let length = self.path.len();
            let alias = ALIASES.iter().find(|(name, _)| length == 0 && *name == key);
            match alias {
                Some((_, path)) => self.path.push_str(path),
                None if length == 0 => self.path.push_str(key),
                None => self.path.extend([".", key]),
            }
            let walked = self.value(reader, otherwise);
            self.path.truncate(length);
            walked
        });
        self.turn = outer;
        walked
    }

    fn array(&mut self, reader: &mut Reader<'_>, is: Is) -> Result<(), Malformed> {
        let length = self.path.len();
        self.path.push_str("[]");
        let otherwise = self.editor.within(if is == Is::Turn { self.turn } else { is });
        let walked = reader.array(|reader, _| self.value(reader, otherwise));
        self.path.truncate(length);
        walked
    }

    fn leaf(&mut self, reader: &mut Reader<'_>, is: Is, kind: Kind) -> Result<(), Malformed> {
        let is = if is == Is::Turn { self.turn } else { is };
        if is == Is::Kept || matches!(kind, Kind::Null | Kind::Bool) {
            return reader.skip();
        }
        let mut text = if is.is_text(kind) { reader.text()? } else { reader.raw_text()? };
        match self.editor.edit(is, kind, &text) {
            Ok(Some(new)) => {
                self.edits.set(&mut text, new);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(refusal) => {
                self.refused = Some(refusal);
                Err(Malformed::new("it is refused"))
            }
        }
    }
}
