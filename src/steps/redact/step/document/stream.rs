//! Going through a stream of events, as endpoints have it that are forwarded without being understood.
//!
//! A text that comes in pieces has a state of its own, as in a [chat](super::super::answer). What was held back of it
//! leaves with its last piece, or in an event like its last one: such an event has the number of the one it is like.
//! All else that an event says is gone through as it is in a whole answer, so that a text that comes piece by piece and
//! then once more as a whole says the same both times.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::super::lanes::{Passage, Said};
use super::super::returns::Returns;
use super::answer::{Inward, SAID};
use super::shape::{Pieces, Places};
use super::walk::{Stopped, Walk};
use crate::base::aside::Wanted;
use crate::base::ids::DialectId;
use crate::base::json::{Kind, Malformed, Reader};
use crate::base::stop::Refusal;
use crate::base::text::Text;
use crate::chat::{self, Edits, Frame, Verbatim};
use crate::dialect::{Cut, Record, Records, SseReader, StreamReader as _};

/// A stream that is gone through.
pub struct Events {
    reader: SseReader<Collected>,
    places: &'static Places,
    pieces: &'static Pieces,
    /// The texts that have begun and not ended.
    open: BTreeMap<String, Running>,
}

/// A text that has begun.
struct Running {
    passage: Passage,
    /// Its last event, for one more like it.
    event: ByteString,
    data: ByteString,
}

/// What a record is, beside its bytes.
struct Collected(Vec<(ByteString, Option<ByteString>)>);

impl Records for Collected {
    fn dialect(&self) -> DialectId {
        EVENTS
    }

    fn record(&mut self, record: &Record, _: &mut chat::Events) -> Result<(), Malformed> {
        self.0.push((record.event.clone(), record.has_data.then(|| record.data.clone())));
        Ok(())
    }

    fn end(&mut self, _: &mut chat::Events) -> Result<(), Cut> {
        Ok(())
    }
}

const EVENTS: DialectId = DialectId("events");

/// A piece of a text in an event.
struct Piece {
    key: String,
    said: Said,
    text: Text,
    ends: bool,
}

impl Events {
    pub fn new(places: &'static Places, pieces: &'static Pieces) -> Self {
        Self { reader: SseReader::new(Collected(Vec::new())), places, pieces, open: BTreeMap::new() }
    }

    /// Takes further bytes, and gives what may leave.
    ///
    /// # Errors
    /// When nothing more may leave.
    pub fn push(&mut self, bytes: Bytes, returns: &mut Returns) -> Result<Bytes, Refusal> {
        let mut frames = Vec::new();
        let fed = self.reader.feed(bytes, &mut frames);
        let out = self.pass(frames, returns)?;
        fed.map_err(|malformed| garbled(malformed.to_string()))?;
        Ok(out)
    }

    /// The stream is over, in whatever way. An event that has no end is none.
    ///
    /// # Errors
    /// When nothing more may leave.
    pub fn end(&mut self, returns: &mut Returns) -> Result<Bytes, Refusal> {
        let mut frames = Vec::new();
        // Whether it was cut is for those to say who know how it should end.
        let _ = self.reader.finish(&mut frames);
        let mut out = BytesMut::from(&*self.pass(frames, returns)?);
        self.close(|_| true, &mut out, returns)?;
        Ok(out.freeze())
    }

    fn pass(&mut self, frames: Vec<Frame>, returns: &mut Returns) -> Result<Bytes, Refusal> {
        let records = std::mem::take(&mut self.reader.records_mut().0);
        let mut out = BytesMut::new();
        for (frame, (event, data)) in frames.into_iter().zip(records) {
            match data {
                Some(data) => self.event(frame, &event, &data, &mut out, returns)?,
                None => out.extend_from_slice(&frame.wire(EVENTS).unwrap_or_default()),
            }
        }
        Ok(out.freeze())
    }

    fn event(
        &mut self,
        mut frame: Frame,
        event: &ByteString,
        data: &ByteString,
        out: &mut BytesMut,
        returns: &mut Returns,
    ) -> Result<(), Refusal> {
        let Ok(mut pieces) = self.pieces_of(data) else { return self.unread(frame, data, out, returns) };
        self.close_before(data, out, returns)?;
        let is_said_in_pieces = !pieces.is_empty();
        let mut has_emptied = is_said_in_pieces;
        let mut go_through = |edits: &mut Edits| {
            for piece in &mut pieces {
                let is_emptied = self.piece(piece, event, data, edits, returns).map_err(Stopped::Refused)?;
                has_emptied &= is_emptied;
            }
            let mut editor = Inward { returns };
            let mut walk = Walk::new(self.places, SAID, &mut editor, edits);
            walk.passed_by = is_said_in_pieces.then_some(self.pieces.path);
            walk.through(Reader::new(data))
        };
        // Of data on several lines nothing has a place in the event's bytes. It has one in the data.
        let mut apart = frame.document(EVENTS).is_none().then(|| of_its_own(data));
        let walked = match &mut apart {
            Some(document) => document.edit_texts(|(), edits| go_through(edits)),
            None => frame.edit_texts(|_, edits| go_through(edits)),
        };
        walked.map_err(|stopped| match stopped {
            Stopped::Refused(refusal) => refusal,
            Stopped::Malformed(malformed) => garbled(malformed.to_string()),
        })?;
        // An event of which nothing may leave yet need not leave either.
        if has_emptied {
            return Ok(());
        }
        match apart.filter(|document| !document.is_untouched(EVENTS)) {
            Some(document) => write(out, event, &document.wire(EVENTS).ok_or_else(unwritten)?),
            None => out.extend_from_slice(&frame.wire(EVENTS).ok_or_else(unwritten)?),
        }
        Ok(())
    }

    /// What is no JSON object: the word that all is over, or a text.
    fn unread(
        &mut self,
        frame: Frame,
        data: &ByteString,
        out: &mut BytesMut,
        returns: &mut Returns,
    ) -> Result<(), Refusal> {
        self.close(|_| true, out, returns)?;
        let new = returns.whole(Said::Text, data, &Wanted::always())?;
        if new == **data {
            out.extend_from_slice(&frame.wire(EVENTS).unwrap_or_default());
        } else {
            write(out, "", new.as_bytes());
        }
        Ok(())
    }

    /// Takes a piece of a text. Tells whether it had something to say, and nothing of it may leave yet.
    fn piece(
        &mut self,
        piece: &mut Piece,
        event: &ByteString,
        data: &ByteString,
        edits: &mut Edits,
        returns: &mut Returns,
    ) -> Result<bool, Refusal> {
        let open = &mut self.open;
        let old = piece.text.as_str().into_owned();
        let (key, said, ends) = (&piece.key, piece.said, piece.ends);
        let new = returns.with(said.place(), |tools| {
            let running = open.entry(key.clone()).or_insert_with(|| Running {
                passage: Passage::new(said, tools),
                event: ByteString::new(),
                data: ByteString::new(),
            });
            (running.event, running.data) = (event.clone(), data.clone());
            let mut new = running.passage.push(&old, tools)?;
            if ends {
                new.push_str(&running.passage.end(tools)?);
            }
            Ok(new)
        })?;
        if ends {
            self.open.remove(key);
        }
        let is_emptied = new.is_empty() && !old.is_empty() && !ends;
        if new != old {
            edits.set(&mut piece.text, new);
        }
        Ok(is_emptied)
    }

    /// Ends the texts that this event says are over.
    fn close_before(&mut self, data: &ByteString, out: &mut BytesMut, returns: &mut Returns) -> Result<(), Refusal> {
        let reader = Reader::new(data);
        let Some(kind) = reader.glimpse("type") else { return Ok(()) };
        if self.pieces.over.contains(&&*kind) {
            return self.close(|_| true, out, returns);
        }
        match kind.strip_suffix(DONE) {
            Some(_) => {
                let ended = self.key(&reader);
                self.close(|key| *key == ended, out, returns)
            }
            None => Ok(()),
        }
    }

    /// What was held back of some texts leaves.
    fn close(
        &mut self,
        is_meant: impl Fn(&String) -> bool,
        out: &mut BytesMut,
        returns: &mut Returns,
    ) -> Result<(), Refusal> {
        let keys: Vec<String> = self.open.keys().filter(|key| is_meant(key)).cloned().collect();
        for key in keys {
            let Some(mut running) = self.open.remove(&key) else { continue };
            let place = running.passage.said.place();
            let rest = returns.with(place, |tools| running.passage.end(tools))?;
            if !rest.is_empty() {
                self.say(&running, &key, rest, out);
            }
        }
        Ok(())
    }

    /// One more event like the last of a text, with the rest of it, and nothing of other texts.
    fn say(&self, running: &Running, key: &str, rest: String, out: &mut BytesMut) {
        let mut document = of_its_own(&running.data);
        let mut pieces = self.pieces_of(&running.data).unwrap_or_default();
        document.edit_texts(|(), edits| {
            let mut rest = Some(rest);
            for piece in &mut pieces {
                let text = if piece.key == key { rest.take().unwrap_or_default() } else { String::new() };
                edits.set(&mut piece.text, text);
            }
        });
        if let Some(data) = document.wire(EVENTS) {
            write(out, &running.event, &data);
        }
    }

    /// The pieces of texts in an event.
    fn pieces_of(&self, data: &ByteString) -> Result<Vec<Piece>, Malformed> {
        let mut pieces = Vec::new();
        let mut reader = Reader::new(data);
        let Some(list) = self.pieces.list else {
            self.read_piece(&mut reader, &mut pieces)?;
            return Ok(pieces);
        };
        reader.object(|reader, name| {
            if name != list || reader.peek()? != Kind::Array {
                return Ok(());
            }
            reader.array(|reader, _| match reader.peek()? {
                Kind::Object => self.read_piece(reader, &mut pieces),
                _ => Ok(()),
            })
        })?;
        Ok(pieces)
    }

    fn read_piece(&self, reader: &mut Reader<'_>, pieces: &mut Vec<Piece>) -> Result<(), Malformed> {
        let (key, kind) = (self.key(reader), reader.glimpse("type"));
        let kind = kind.as_deref().unwrap_or_default();
        let (mut found, mut ends) = (None, false);
        reader.object(|reader, name| {
            if name == self.pieces.piece && reader.peek()? == Kind::String {
                found = Some(reader.text()?);
            } else if Some(name) == self.pieces.ends && reader.peek()? != Kind::Null {
                ends = true;
            }
            Ok(())
        })?;
        let said = self.pieces.kinds.iter().find(|(beginning, _)| kind.starts_with(beginning));
        let said = said.map_or(Said::Text, |(_, said)| *said);
        pieces.extend(found.map(|text| Piece { key, said, text, ends }));
        Ok(())
    }

    /// What tells the text of an event, or of an item of its list, from others.
    fn key(&self, reader: &Reader<'_>) -> String {
        let mut ahead = reader.clone();
        let mut parts = vec![String::new(); self.pieces.keys.len()];
        // What cannot be read is found out when the event is.
        let _ = ahead.object(|reader, name| {
            let at = self.pieces.keys.iter().position(|key| *key == name);
            if let Some(part) = at.and_then(|at| parts.get_mut(at)) {
                let value = reader.raw()?;
                let value = value.0.trim_matches('"');
                value.strip_suffix(DELTA).or(value.strip_suffix(DONE)).unwrap_or(value).clone_into(part);
            }
            Ok(())
        });
        parts.join(";")
    }
}

/// The data of an event as a document of its own.
fn of_its_own(data: &ByteString) -> Verbatim<()> {
    Verbatim::read((), EVENTS, data.clone().into_bytes(), Some(0))
}

fn garbled(why: String) -> Refusal {
    Refusal::new(502, "upstream_garbled", why)
}

fn unwritten() -> Refusal {
    Refusal::internal("an event could not be written anew")
}

fn write(out: &mut BytesMut, event: &str, data: &[u8]) {
    if !event.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.extend_from_slice(b"\n");
    }
    for line in data.split(|byte| *byte == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"\n");
}

const DELTA: &str = ".delta";
const DONE: &str = ".done";
