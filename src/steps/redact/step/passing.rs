//! The events of an answer on their way to the caller.
//!
//! Each text of it has a state of its own: a choice's words, its reasoning, the arguments of each tool it calls. What
//! may still become a finding is held back; what was held back leaves before its part ends, before the answer ends,
//! and before a fault of the upstream is told of, judged each time. A frame in which nothing changes keeps its bytes.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::lanes::{Passage, Said};
use super::returns::Returns;
use crate::base::aside::Wanted;
use crate::base::ids::DialectId;
use crate::base::stop::{Refusal, Stop};
use crate::base::text::Text;
use crate::chat::{Delta, Edits, Event, Events, Frame, Lane, Opening, Usage};
use crate::pipeline::Burst;
use crate::steps::redact::Action;

/// How far an answer has passed.
pub struct Passing {
    /// The dialect its frames came in.
    dialect: DialectId,
    returns: Returns,
    /// The texts that have begun and not ended.
    passages: BTreeMap<Lane, Passage>,
    /// What stood around the text of an earlier frame, and holds nothing that must not leave.
    known: [Bytes; 2],
    /// What is left to be said when everything before it has been.
    stop: Option<Stop>,
}

impl Passing {
    pub fn new(dialect: DialectId, returns: Returns) -> Self {
        Self { dialect, returns, passages: BTreeMap::new(), known: Default::default(), stop: None }
    }

    /// Why nothing more leaves, if that is so.
    pub fn stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// Goes through a burst as far as it may leave, while `wanted` holds.
    pub fn burst(&mut self, burst: Burst, wanted: &Wanted) -> Burst {
        let mut out = Vec::with_capacity(burst.len());
        for frame in burst {
            let usage = usage_of(&frame);
            if let Err(refusal) = self.frame(frame, &mut out, wanted) {
                // What is refused has been paid for all the same.
                out.extend(usage.map(|usage| Frame::new(Events::from_iter([Event::Usage(usage)]))));
                self.give_up(refusal.into());
                break;
            }
        }
        out
    }

    /// Nothing more of the answer leaves, what is held back least of all.
    fn give_up(&mut self, stop: Stop) {
        self.passages.clear();
        self.stop = Some(stop);
    }

    fn frame(&mut self, mut frame: Frame, out: &mut Burst, wanted: &Wanted) -> Result<(), Refusal> {
        if !frame.iter().any(is_of_interest) {
            out.push(frame);
            return Ok(());
        }
        let mut early = Events::new();
        let has_emptied = frame.edit_texts(|events, edits| self.events(events, edits, &mut early, wanted))?;
        if self.says_more(&frame) {
            frame.edit();
        }
        if !early.is_empty() {
            out.push(Frame::new(early));
        }
        // A frame of which nothing may leave yet need not leave either.
        if !has_emptied || !frame.iter().all(is_empty) {
            out.push(frame);
        }
        Ok(())
    }

    /// Whether the bytes of a frame hold what its events do not and what must not leave: its dialect may have more fields
    /// than anybody reads.
    ///
    /// Most frames of a stream differ in their text alone, which has been gone through: what stands around it is looked
    /// at once.
    fn says_more(&mut self, frame: &Frame) -> bool {
        let has_whole = frame.iter().any(|event| matches!(event, Event::Whole(_)));
        if has_whole || !self.returns.guard.is_on_answers() {
            return false;
        }
        let Some(around) = self.around(frame) else {
            return frame.wire(self.dialect).is_some_and(|wire| self.must_not_leave(&wire));
        };
        let says = around.iter().zip(&self.known).any(|(part, known)| part != known && self.must_not_leave(part));
        if !says {
            self.known = around;
        }
        says
    }

    /// What stands around the text of a frame that has one, and nothing else to go through.
    fn around(&self, frame: &Frame) -> Option<[Bytes; 2]> {
        let mut texts = frame.iter().filter_map(|event| match event {
            Event::Delta { delta: Delta::Signature(_) | Delta::Other(_), .. } => Some(None),
            Event::Delta { delta, .. } => Some(delta.text().and_then(Text::place)),
            Event::Open { what: Opening::Other(_), .. } => Some(None),
            _ => None,
        });
        let place = texts.next()??;
        if texts.next().is_some() {
            return None;
        }
        let document = frame.document(self.dialect)?;
        let (start, end) = (place.start as usize, place.start as usize + place.len as usize);
        (end <= document.len()).then(|| [document.slice(..start), document.slice(end..)])
    }

    fn must_not_leave(&self, wire: &[u8]) -> bool {
        let guard = &self.returns.guard;
        let matters = |shape| guard.action_of(guard.detector().name(shape)) != Action::Report;
        guard.detector().findings(&String::from_utf8_lossy(wire), "").iter().any(|finding| matters(finding.shape))
    }

    /// Goes through the events of a frame. What must leave before it is put into `early`. Tells whether something
    /// in it has nothing left to say.
    fn events(
        &mut self,
        events: &mut Events,
        edits: &mut Edits,
        early: &mut Events,
        wanted: &Wanted,
    ) -> Result<bool, Refusal> {
        let mut has_emptied = false;
        for at in 0..events.len() {
            let (before, rest) = events.split_at_mut(at);
            let Some(event) = rest.first_mut() else { break };
            match event {
                Event::Delta { lane, delta } => has_emptied |= self.delta(*lane, delta, edits, wanted)?,
                Event::Open { what: Opening::Other(json), .. } => self.returns.value(json, edits, wanted)?,
                Event::Close { lane } => {
                    let lane = *lane;
                    self.close(lane, before, edits, early)?;
                }
                Event::Finish { choice, .. } => {
                    let choice = *choice;
                    self.close_all(|lane| lane.choice == choice, before, edits, early)?;
                }
                Event::End => self.close_all(|_| true, before, edits, early)?,
                Event::Whole(completion) => self.returns.completion(completion, edits, wanted)?,
                _ => {}
            }
        }
        Ok(has_emptied)
    }

    /// A further piece of a text. Tells whether nothing of it may leave yet.
    fn delta(&mut self, lane: Lane, delta: &mut Delta, edits: &mut Edits, wanted: &Wanted) -> Result<bool, Refusal> {
        if let Delta::Other(json) = delta {
            self.returns.value(json, edits, wanted)?;
            return Ok(false);
        }
        let Some((said, text)) = Said::of(delta) else { return Ok(false) };
        let passages = &mut self.passages;
        let old = text.as_str();
        let new = self.returns.with(said.place(), |tools| {
            let passage = passages.entry(lane).or_insert_with(|| Passage::new(said, tools));
            passage.push(&old, tools)
        })?;
        if self.returns.has_logprobs && self.returns.guard.covers(said.place()) {
            edits.rewrite();
        }
        if new == old {
            return Ok(false);
        }
        let is_emptied = new.is_empty();
        edits.set(text, new);
        Ok(is_emptied)
    }

    fn close_all(
        &mut self,
        is_meant: impl Fn(&Lane) -> bool,
        before: &mut [Event],
        edits: &mut Edits,
        early: &mut Events,
    ) -> Result<(), Refusal> {
        let lanes: Vec<Lane> = self.passages.keys().copied().filter(is_meant).collect();
        lanes.into_iter().try_for_each(|lane| self.close(lane, before, edits, early))
    }

    /// A part ends: what was held back of it goes with its last piece in this frame, or before the frame if there is
    /// none.
    fn close(
        &mut self,
        lane: Lane,
        before: &mut [Event],
        edits: &mut Edits,
        early: &mut Events,
    ) -> Result<(), Refusal> {
        let Some((said, rest)) = self.rest_of(lane)? else { return Ok(()) };
        let last = before.iter_mut().rev().find_map(|event| match event {
            Event::Delta { lane: of, delta } if *of == lane => Said::of(delta).map(|(_, text)| text),
            _ => None,
        });
        match last {
            Some(text) => {
                let all = text.as_str().into_owned() + &rest;
                edits.set(text, all);
            }
            None => early.push(Event::Delta { lane, delta: said.delta(rest) }),
        }
        Ok(())
    }

    /// What was held back of a text that ends.
    fn rest_of(&mut self, lane: Lane) -> Result<Option<(Said, String)>, Refusal> {
        let Some(mut passage) = self.passages.remove(&lane) else { return Ok(None) };
        let rest = self.returns.with(passage.said.place(), |tools| passage.end(tools))?;
        Ok((!rest.is_empty()).then_some((passage.said, rest)))
    }

    /// The answer is over, in whatever way: what was held back of all its texts.
    fn rest(&mut self) -> Result<Burst, Refusal> {
        let lanes: Vec<Lane> = self.passages.keys().copied().collect();
        let mut events = Events::new();
        for lane in lanes {
            if let Some((said, rest)) = self.rest_of(lane)? {
                events.push(Event::Delta { lane, delta: said.delta(rest) });
            }
        }
        Ok(if events.is_empty() { Vec::new() } else { vec![Frame::new(events)] })
    }

    /// The upstream has no more to say, or says that it has failed.
    pub fn over(&mut self, stop: Option<Stop>) -> Burst {
        self.stop = stop;
        self.rest().unwrap_or_else(|refusal| {
            self.give_up(refusal.into());
            Vec::new()
        })
    }
}

/// Whether there may be something in an event to look at, or to do about it.
fn is_of_interest(event: &Event) -> bool {
    match event {
        Event::Delta { .. } | Event::Close { .. } | Event::Finish { .. } | Event::End | Event::Whole(_) => true,
        Event::Open { what, .. } => matches!(what, Opening::Other(_)),
        Event::Start(_) | Event::Usage(_) | Event::Ping | Event::Unread | Event::Failed(_) => false,
    }
}

/// What an answer that is there as a whole says of its usage.
fn usage_of(frame: &Frame) -> Option<Box<Usage>> {
    frame.iter().find_map(|event| match event {
        Event::Whole(completion) => completion.usage.clone().map(Box::new),
        _ => None,
    })
}

fn is_empty(event: &Event) -> bool {
    matches!(event, Event::Delta { delta, .. } if delta.is_empty())
}
