//! Texts of requests and answers, for collectors that are to have them.
//!
//! There are two sides: what really went upstream and came from there, and what the caller has sent and got. Of each no
//! more is kept than [`LONGEST`] bytes a direction, and of all that waits no more than [`ROOM`]; what is cut says so.
//! Pictures, sound and files are told by their kind alone. Requests that are forwarded [unread] are read when they are
//! told of, and not before.

mod asked;
mod heard;
mod unread;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::chat::{Frame, Request};
use heard::Heard;
use unread::Unread;

/// Which texts a collector gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Content {
    #[default]
    None,
    /// What went upstream, and what came from there.
    Redacted,
    /// What the caller has sent and got.
    Raw,
}

/// Bytes of text that are kept of a request, or of an answer.
const LONGEST: usize = 64 << 10;
/// Bytes of text that wait for collectors, of all requests together.
const ROOM: usize = 64 << 20;

/// Where texts wait. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|all| *all <= ROOM);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The texts of one request.
#[derive(Debug)]
pub struct Texts {
    upstream: Option<Side>,
    caller: Option<Side>,
}

/// A request and its answer as somebody sees them, as JSON lists of messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spoken {
    pub input: Option<String>,
    pub output: Option<String>,
}

impl Texts {
    /// For collectors that get texts of these kinds; `None` if there are none.
    pub fn wanted(kinds: impl IntoIterator<Item = Content>, room: &Room) -> Option<Arc<Self>> {
        let (mut upstream, mut caller) = (false, false);
        for kind in kinds {
            upstream |= kind == Content::Redacted;
            caller |= kind == Content::Raw;
        }
        let side = |is_wanted: bool| is_wanted.then(|| Side { said: Mutex::default(), room: room.clone() });
        (upstream || caller).then(|| Arc::new(Self { upstream: side(upstream), caller: side(caller) }))
    }

    /// The caller has sent this.
    pub fn came(&self, request: &Request) {
        self.caller.iter().for_each(|side| side.asked(request));
    }

    /// This goes upstream.
    pub fn goes(&self, request: &Request) {
        self.upstream.iter().for_each(|side| side.asked(request));
    }

    /// Upstream says this.
    pub fn hears(&self, frames: &[Frame]) {
        self.upstream.iter().for_each(|side| side.heard(frames));
    }

    /// The caller gets this.
    pub fn gives(&self, frames: &[Frame]) {
        self.caller.iter().for_each(|side| side.heard(frames));
    }

    /// The caller has sent this document, if it is one, to an endpoint whose bodies are not read.
    pub fn came_unread(&self, endpoint: &'static str, document: Option<Bytes>) {
        self.caller.iter().for_each(|side| side.asked_unread(endpoint, document.as_ref()));
    }

    /// This document goes upstream, unread.
    pub fn goes_unread(&self, endpoint: &'static str, document: Option<Bytes>) {
        self.upstream.iter().for_each(|side| side.asked_unread(endpoint, document.as_ref()));
    }

    /// Upstream sends these bytes, which nobody reads.
    pub fn hears_unread(&self, bytes: &Bytes) {
        self.upstream.iter().for_each(|side| side.heard_unread(bytes));
    }

    /// The caller gets these.
    pub fn gives_unread(&self, bytes: &Bytes) {
        self.caller.iter().for_each(|side| side.heard_unread(bytes));
    }

    /// Of the same kinds, for a request that is put beside this one.
    pub fn beside(&self) -> Arc<Self> {
        let like = |side: &Side| Side { said: Mutex::default(), room: side.room.clone() };
        Arc::new(Self { upstream: self.upstream.as_ref().map(like), caller: self.caller.as_ref().map(like) })
    }

    /// What a collector gets.
    pub fn told(&self, content: Content) -> Option<Spoken> {
        match content {
            Content::None => None,
            Content::Redacted => self.upstream.as_ref().map(Side::spoken),
            Content::Raw => self.caller.as_ref().map(Side::spoken),
        }
    }
}

#[derive(Debug)]
struct Side {
    said: Mutex<Said>,
    room: Room,
}

#[derive(Debug, Default)]
struct Said {
    input: Option<String>,
    output: Heard,
    /// In the place of both, if nobody reads them.
    unread: Option<Unread>,
    /// What of the room is taken.
    taken: usize,
}

impl Side {
    fn asked(&self, request: &Request) {
        let input = asked::messages(&request.messages, LONGEST);
        let mut said = self.lock();
        said.input = Some(if self.room.take(input.len()) {
            said.taken += input.len();
            input
        } else {
            asked::nothing()
        });
    }

    fn heard(&self, frames: &[Frame]) {
        let mut said = self.lock();
        let before = said.output.bytes();
        frames.iter().flat_map(|frame| frame.iter()).for_each(|event| said.output.add(event, LONGEST));
        let more = said.output.bytes() - before;
        if more == 0 {
            return;
        }
        if self.room.take(more) {
            said.taken += more;
        } else {
            said.output.forget(more);
        }
    }

    fn asked_unread(&self, endpoint: &'static str, document: Option<&Bytes>) {
        let Some(document) = document else { return };
        let Some(unread) = Unread::new(endpoint, document) else { return };
        let mut said = self.lock();
        if document.len() <= unread::MOST && self.room.take(document.len()) {
            said.taken += document.len();
            said.unread = Some(unread);
        } else {
            said.input = Some(asked::nothing());
        }
    }

    fn heard_unread(&self, bytes: &Bytes) {
        let mut said = self.lock();
        let Said { unread: Some(unread), taken, .. } = &mut *said else { return };
        let kept = unread.room_for(bytes.len());
        let kept = if self.room.take(kept) { kept } else { 0 };
        unread.hear(bytes, kept);
        *taken += kept;
    }

    fn spoken(&self) -> Spoken {
        let said = self.lock();
        if let Some(unread) = &said.unread {
            return unread.spoken();
        }
        Spoken { input: said.input.clone(), output: said.output.messages() }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let taken = self.lock().taken;
        self.room.give_back(taken);
    }
}

/// What stands for what is left out.
fn cut(count: usize, what: &str) -> String {
    format!("…[cut: {count} {what}]")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::base::ids::DialectId;
    use crate::chat::{Message, Part, Role};

    fn request(texts: &[&str]) -> Request {
        let message = |text: &&str| Message::new(Role::User, vec![Part::text(*text)]);
        Request { messages: texts.iter().map(message).collect(), ..Request::new(DialectId::OPENAI_CHAT, "m") }
    }

    fn input(texts: &Texts, content: Content) -> Value {
        serde_json::from_str(&texts.told(content).unwrap().input.unwrap()).unwrap()
    }

    #[test]
    fn each_side_has_its_own_words_and_only_what_is_wanted_is_kept() {
        let texts = Texts::wanted([Content::None, Content::Redacted, Content::Raw], &Room::default()).unwrap();
        texts.came(&request(&["jane"]));
        texts.goes(&request(&["<NAME_1>"]));
        assert_eq!(input(&texts, Content::Raw)[0]["parts"][0], json!({ "type": "text", "content": "jane" }));
        assert_eq!(input(&texts, Content::Redacted)[0]["parts"][0]["content"], "<NAME_1>");
        assert_eq!(texts.told(Content::None), None);
        assert!(Texts::wanted([Content::None], &Room::default()).is_none());
        let redacted = Texts::wanted([Content::Redacted], &Room::default()).unwrap();
        redacted.came(&request(&["jane"]));
        assert_eq!((redacted.told(Content::Raw), redacted.told(Content::Redacted)), (None, Some(Spoken::default())));
    }

    #[test]
    fn of_what_is_too_long_the_newest_stays_and_what_is_cut_says_so() {
        let texts = Texts::wanted([Content::Raw], &Room::default()).unwrap();
        let long = "é".repeat(LONGEST);
        texts.came(&request(&["first", &long]));
        let told = input(&texts, Content::Raw);
        let last = told[1]["parts"][0]["content"].as_str().unwrap();
        assert!(last.len() < LONGEST + 64 && last.ends_with(" bytes]") && last.starts_with('é'), "{}", last.len());
        assert_eq!(told[0]["parts"][0]["content"], "…[cut: 1 messages]");
    }

    #[test]
    fn no_more_waits_than_there_is_room_for_and_what_is_gone_makes_room() {
        let room = Room::default();
        let long = "x".repeat(LONGEST - 1);
        let all: Vec<_> = (0..2 * ROOM / LONGEST)
            .map(|_| {
                let texts = Texts::wanted([Content::Raw], &room).unwrap();
                texts.came(&request(&[&long]));
                texts
            })
            .collect();
        assert!(room.0.load(Ordering::Relaxed) <= ROOM);
        assert_eq!(input(all.last().unwrap(), Content::Raw)[0]["parts"][0]["content"], "…[cut: all, for want of room]");
        drop(all);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }
}
