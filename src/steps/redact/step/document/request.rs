//! Going through a request of an endpoint whose shape is known.

use bytes::Bytes;
use bytestring::ByteString;

use super::super::config::Where;
use super::super::request::holds_data;
use super::super::scrub::Scrub;
use super::shape::{self, Is, Places};
use super::walk::{Editor, Stopped, Walk};
use crate::base::ids::DialectId;
use crate::base::json::{Kind, Reader};
use crate::base::stop::Refusal;
use crate::base::text::Text;
use crate::chat::Verbatim;

/// The document as it may leave.
///
/// # Errors
/// When something is in it that the policy refuses, or that nobody can look into. It is not to be sent then.
pub fn go_through(places: &Places, body: &Bytes, scrub: &mut Scrub<'_>) -> Result<Bytes, Refusal> {
    let unread = || Refusal::malformed("the body is not UTF-8, so nobody can tell what is in it");
    let text = ByteString::try_from(body.clone()).map_err(|_| unread())?;
    let mut document = Verbatim::read((), DOCUMENT, body.clone(), Some(0));
    let mut editor = Outward { scrub, has_tokens: false };
    document
        .edit_texts(|(), edits| {
            Walk::new(places, Is::Text(Where::User), &mut editor, edits).through(Reader::strict(&text))
        })
        .map_err(|stopped| match stopped {
            Stopped::Refused(refusal) => refusal,
            Stopped::Malformed(malformed) => Refusal::malformed(malformed.to_string()),
        })?;
    // Nothing but splices has happened to it.
    document.wire(DOCUMENT).ok_or_else(|| Refusal::too_large(u32::MAX as usize))
}

const DOCUMENT: DialectId = DialectId("json");

struct Outward<'a, 'b> {
    scrub: &'a mut Scrub<'b>,
    /// Whether tokens were come upon: one is like the other.
    has_tokens: bool,
}

impl Editor for Outward<'_, '_> {
    fn turn(&self, tag: &str) -> Option<Is> {
        shape::speaker(tag)
    }

    fn within(&self, is: Is) -> Is {
        match is {
            Is::Text(place) | Is::Words(place) | Is::Arguments(place) | Is::Json(place) => Is::Json(place),
            _ => Is::Json(Where::Metadata),
        }
    }

    fn edit(&mut self, is: Is, kind: Kind, text: &Text) -> Result<Option<String>, Refusal> {
        let words = text.as_str();
        match is {
            Is::Words(place) if kind == Kind::Number => {
                if !std::mem::replace(&mut self.has_tokens, true) {
                    self.scrub.unseen(place, "tokens")?;
                }
                Ok(None)
            }
            Is::Unseen(what) => {
                self.scrub.unseen(Where::User, what)?;
                // What a URL says goes upstream itself.
                if kind != Kind::String {
                    return self.scrub.json(Where::User, &words);
                }
                if words.starts_with("data:") || holds_data(&words) {
                    Ok(None)
                } else {
                    self.scrub.text(Where::User, &words, "")
                }
            }
            Is::Text(place) | Is::Words(place) if kind == Kind::String => self.scrub.text(place, &words, ""),
            Is::Arguments(place) if kind == Kind::String => self.scrub.json(place, &words),
            Is::Text(place) | Is::Words(place) | Is::Arguments(place) | Is::Json(place) => {
                if place != Where::Tools && place != Where::Metadata && holds_data(&words) {
                    self.scrub.unseen(place, "data")?;
                }
                self.scrub.json(place, &words)
            }
            Is::Kept | Is::Turn | Is::Said(_) | Is::Spelled => Ok(None),
        }
    }
}
