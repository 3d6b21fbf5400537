//! Going through the answer of an endpoint whose shape is known.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::super::config::{Unscannable, Where};
use super::super::lanes::Said;
use super::super::returns::Returns;
use super::shape::{self, Is, Places, Shape};
use super::stream::Events;
use super::walk::{Editor, Stopped, Walk};
use crate::base::aside::Wanted;
use crate::base::ids::DialectId;
use crate::base::json::{Kind, Reader};
use crate::base::stop::Refusal;
use crate::base::text::Text;
use crate::chat::Verbatim;
use crate::pipeline::passing::{ByteTap, Handing};

/// The answer to one request, on its way back.
pub struct Answers {
    shape: &'static Shape,
    returns: Returns,
    /// What has come of a whole answer.
    whole: BytesMut,
    /// `None` if it is no stream.
    events: Option<Events>,
}

impl Answers {
    pub fn new(shape: &'static Shape, returns: Returns) -> Self {
        Self { shape, returns, whole: BytesMut::new(), events: None }
    }
}

impl ByteTap for Answers {
    fn begin(&mut self, headers: &HeaderMap) -> Result<Handing, Refusal> {
        let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
        let is = |wanted: &[u8]| kind.get(..wanted.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(wanted));
        let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
        match (self.shape.answer, self.shape.pieces) {
            (Some(_), _) if is_plain && is(b"application/json") => Ok(Handing::Whole),
            (Some(places), Some(pieces)) if is_plain && is(b"text/event-stream") => {
                self.events = Some(Events::new(places, pieces));
                Ok(Handing::InPieces)
            }
            _ if self.returns.guard.unscannable() == Some(Unscannable::Pass) => Ok(Handing::Unread),
            _ => Err(self.returns.guard.refuse_unseen("the answer")),
        }
    }

    fn push(&mut self, bytes: Bytes) -> Result<Bytes, Refusal> {
        match &mut self.events {
            Some(events) => events.push(bytes, &mut self.returns),
            None => {
                self.whole.extend_from_slice(&bytes);
                Ok(Bytes::new())
            }
        }
    }

    fn end(&mut self) -> Result<Bytes, Refusal> {
        if let Some(events) = &mut self.events {
            return events.end(&mut self.returns);
        }
        let body = std::mem::take(&mut self.whole).freeze();
        let places = self.shape.answer.unwrap_or_default();
        if body.is_empty() { Ok(body) } else { whole(places, body, &mut self.returns) }
    }
}

/// An answer that is there as a whole.
fn whole(places: &Places, body: Bytes, returns: &mut Returns) -> Result<Bytes, Refusal> {
    let garbled = || Refusal::new(502, "upstream_garbled", "the answer is not the JSON it is said to be");
    let text = ByteString::try_from(body.clone()).map_err(|_| garbled())?;
    let mut document = Verbatim::read((), DOCUMENT, body, Some(0));
    let mut editor = Inward { returns };
    let walked =
        document.edit_texts(|(), edits| Walk::new(places, SAID, &mut editor, edits).through(Reader::new(&text)));
    match walked {
        Ok(()) => document.wire(DOCUMENT).ok_or_else(garbled),
        Err(Stopped::Refused(refusal)) => Err(refusal),
        Err(Stopped::Malformed(_)) => Err(garbled()),
    }
}

/// What a text of an answer is where nothing says otherwise.
pub const SAID: Is = Is::Said(Said::Text);
const DOCUMENT: DialectId = DialectId("json");

/// Goes through what an answer says.
pub struct Inward<'a> {
    pub returns: &'a mut Returns,
}

impl Editor for Inward<'_> {
    fn turn(&self, tag: &str) -> Option<Is> {
        shape::voice(tag)
    }

    fn within(&self, _: Is) -> Is {
        Is::Said(Said::Document)
    }

    fn edit(&mut self, is: Is, kind: Kind, text: &Text) -> Result<Option<String>, Refusal> {
        let said = match is {
            // They spell out what may have been taken away.
            Is::Spelled => return Ok(self.unspelled(kind)),
            Is::Said(said) if is.is_text(kind) => said,
            // What is no text where one is looked for is gone through as what it is, and as its place has it.
            Is::Said(said) if said.place() == Where::AnswerToolCalls => Said::Arguments,
            _ => Said::Document,
        };
        let old = text.as_str();
        let new = self.returns.whole(said, &old, &Wanted::always())?;
        Ok((new != old).then_some(new))
    }
}

impl Inward<'_> {
    fn unspelled(&self, kind: Kind) -> Option<String> {
        let nothing = if kind == Kind::Array { "[]" } else { "null" };
        self.returns.guard.covers(Where::AnswerText).then(|| nothing.to_owned())
    }
}
