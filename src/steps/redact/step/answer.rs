//! Going through an answer as it passes.
//!
//! Each text of it has a state of its own: a choice's words, its reasoning, the arguments of each tool it calls. What
//! may still become a finding is held back; what was held back leaves before its part ends, before the answer ends,
//! and before a fault of the upstream is told of, judged each time. A frame in which nothing changes keeps its bytes.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use super::config::Where;
use super::guard::Guard;
use super::lanes::{Passage, Said, Tools};
use super::scrub::{Findings, Scrub};
use super::tally::Tally;
use crate::base::ids::DialectId;
use crate::base::json::Json;
use crate::base::stop::{Refusal, Stop};
use crate::chat::{Choice, Completion, Content, Delta, Edits, Event, Events, Extra, Frame, Lane, Opening, Part, Usage};
use crate::pipeline::trail::Counts;
use crate::pipeline::{Answer, Burst, Tap};
use crate::steps::redact::{Action, Vault};

/// What an answer is gone through with.
pub struct Returns {
    pub guard: Arc<Guard>,
    /// What was taken from the request.
    pub given: Vault,
    /// What is taken from the answer.
    pub taken: Vault,
    /// Where findings in the answer are noted, if there may be any.
    pub counts: Option<Arc<Counts>>,
    pub tally: Arc<Tally>,
    /// Whether the answer spells out its tokens beside its text.
    pub has_logprobs: bool,
}

impl Tap for Returns {
    fn wrap(self: Box<Self>, answer: Answer) -> Answer {
        let frames = Gone {
            dialect: answer.head.dialect,
            frames: Some(answer.frames),
            returns: *self,
            passages: BTreeMap::new(),
            stop: None,
        };
        Answer { head: answer.head, frames: frames.boxed() }
    }

    fn learns(&self) -> bool {
        self.guard.is_on_answers()
    }
}

impl Returns {
    fn tally(&self, kinds: &BTreeMap<String, u64>) {
        let kinds = || kinds.iter().map(|(kind, count)| (kind.as_str(), *count));
        self.tally.count(kinds(), |kind| self.guard.done_about(kind));
        for (counts, (kind, count)) in self.counts.iter().flat_map(|counts| kinds().map(move |kind| (counts, kind))) {
            counts.add(kind, count);
        }
    }

    /// Works on a text, and notes what there was.
    pub fn with<T>(
        &mut self,
        place: Where,
        work: impl FnOnce(&mut Tools<'_>) -> Result<T, crate::steps::redact::Refused>,
    ) -> Result<T, Refusal> {
        let mut seen = BTreeMap::new();
        let mut tell = |kind: &str, count: u64| *seen.entry(kind.to_owned()).or_default() += count;
        let worked =
            work(&mut Tools { guard: &self.guard, given: &self.given, taken: &mut self.taken, tell: &mut tell });
        if !seen.is_empty() {
            self.tally(&seen);
        }
        worked.map_err(|refused| self.guard.refuse(&refused, place))
    }

    /// What only its own dialect knows is gone through as the JSON it is.
    fn value(&mut self, json: &mut Json, edits: &mut Edits) -> Result<(), Refusal> {
        let mut findings = Findings::default();
        let guard = Arc::clone(&self.guard);
        let gone = Scrub::new(&guard, &mut self.taken, &mut findings).value(Where::AnswerText, json);
        self.tally(&findings.kinds().map(|(kind, count)| (kind.to_owned(), count)).collect());
        if let Some(new) = gone? {
            *json = new;
            edits.rewrite();
        }
        Ok(())
    }

    fn extra(&mut self, extra: &mut Extra, edits: &mut Edits) -> Result<(), Refusal> {
        let is_changed = extra.change(|value| {
            let mut new = value.clone();
            self.value(&mut new, &mut Edits::default())?;
            Ok::<_, Refusal>((new != *value).then_some(new))
        })?;
        if is_changed {
            edits.rewrite();
        }
        Ok(())
    }

    fn completion(&mut self, completion: &mut Completion, edits: &mut Edits) -> Result<(), Refusal> {
        for choice in &mut completion.choices {
            self.choice(choice, edits)?;
        }
        self.extra(&mut completion.extra, edits)
    }

    fn choice(&mut self, choice: &mut Choice, edits: &mut Edits) -> Result<(), Refusal> {
        for part in &mut choice.parts {
            self.part(part, edits)?;
        }
        // They spell out what may have been taken away.
        if self.guard.covers(Where::AnswerText) && choice.logprobs.take().is_some() {
            edits.rewrite();
        }
        self.extra(&mut choice.extra, edits)
    }

    fn part(&mut self, part: &mut Part, edits: &mut Edits) -> Result<(), Refusal> {
        let (said, text) = match &mut part.content {
            Content::Text(text) => (Said::Text, text),
            Content::Refusal(text) => (Said::Refusal, text),
            Content::Thinking(thinking) => (Said::Thinking, &mut thinking.text),
            Content::ToolCall(call) => (Said::Arguments, &mut call.arguments),
            Content::Other(other) => {
                self.value(&mut other.json, edits)?;
                return self.extra(&mut part.extra, edits);
            }
            _ => return self.extra(&mut part.extra, edits),
        };
        let old = text.as_str();
        let new = self.with(said.place(), |tools| Passage::whole(said, &old, tools))?;
        if new != old {
            edits.set(text, new);
        }
        self.extra(&mut part.extra, edits)
    }
}

/// An answer that is gone through.
struct Gone {
    /// The dialect its frames came in.
    dialect: DialectId,
    /// `None` once the answer is over, so that the upstream is let go.
    frames: Option<BoxStream<'static, Result<Burst, Stop>>>,
    returns: Returns,
    /// The texts that have begun and not ended.
    passages: BTreeMap<Lane, Passage>,
    /// What is left to be said when everything before it has been.
    stop: Option<Stop>,
}

impl Gone {
    /// Goes through a burst as far as it may leave.
    fn burst(&mut self, burst: Burst) -> Burst {
        let mut out = Vec::with_capacity(burst.len());
        for frame in burst {
            let usage = usage_of(&frame);
            if let Err(refusal) = self.frame(frame, &mut out) {
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
        self.frames = None;
        self.passages.clear();
        self.stop = Some(stop);
    }

    fn frame(&mut self, mut frame: Frame, out: &mut Burst) -> Result<(), Refusal> {
        if !frame.iter().any(is_of_interest) {
            out.push(frame);
            return Ok(());
        }
        let mut early = Events::new();
        let has_emptied = frame.edit_texts(|events, edits| self.events(events, edits, &mut early))?;
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
    fn says_more(&self, frame: &Frame) -> bool {
        let guard = &self.returns.guard;
        let has_whole = frame.iter().any(|event| matches!(event, Event::Whole(_)));
        let wire = frame.wire(self.dialect).filter(|_| !has_whole && guard.is_on_answers());
        let findings = |wire: &[u8]| guard.detector().findings(&String::from_utf8_lossy(wire), "");
        let matters = |shape| guard.action_of(guard.detector().name(shape)) != Action::Report;
        wire.is_some_and(|wire| findings(&wire).iter().any(|finding| matters(finding.shape)))
    }

    /// Goes through the events of a frame. What must leave before it is put into `early`. Tells whether something
    /// in it has nothing left to say.
    fn events(&mut self, events: &mut Events, edits: &mut Edits, early: &mut Events) -> Result<bool, Refusal> {
        let mut has_emptied = false;
        for at in 0..events.len() {
            let (before, rest) = events.split_at_mut(at);
            let Some(event) = rest.first_mut() else { break };
            match event {
                Event::Delta { lane, delta } => has_emptied |= self.delta(*lane, delta, edits)?,
                Event::Open { what: Opening::Other(json), .. } => self.returns.value(json, edits)?,
                Event::Close { lane } => {
                    let lane = *lane;
                    self.close(lane, before, edits, early)?;
                }
                Event::Finish { choice, .. } => {
                    let choice = *choice;
                    self.close_all(|lane| lane.choice == choice, before, edits, early)?;
                }
                Event::End => self.close_all(|_| true, before, edits, early)?,
                Event::Whole(completion) => self.returns.completion(completion, edits)?,
                _ => {}
            }
        }
        Ok(has_emptied)
    }

    /// A further piece of a text. Tells whether nothing of it may leave yet.
    fn delta(&mut self, lane: Lane, delta: &mut Delta, edits: &mut Edits) -> Result<bool, Refusal> {
        if let Delta::Other(json) = delta {
            self.returns.value(json, edits)?;
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
    fn over(&mut self, stop: Option<Stop>) -> Burst {
        self.frames = None;
        self.stop = stop;
        self.rest().unwrap_or_else(|refusal| {
            self.give_up(refusal.into());
            Vec::new()
        })
    }
}

impl Stream for Gone {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(frames) = &mut self.frames else { return Poll::Ready(self.stop.take().map(Err)) };
            let out = match ready!(frames.as_mut().poll_next(cx)) {
                Some(Ok(burst)) => self.burst(burst),
                Some(Err(stop)) => self.over(Some(stop)),
                None => self.over(None),
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(out)));
            }
        }
    }
}

/// Whether there may be something in an event to look at, or to do about it.
fn is_of_interest(event: &Event) -> bool {
    match event {
        Event::Delta { .. } | Event::Close { .. } | Event::Finish { .. } | Event::End | Event::Whole(_) => true,
        Event::Open { what, .. } => matches!(what, Opening::Other(_)),
        Event::Start(_) | Event::Usage(_) | Event::Ping | Event::Failed(_) => false,
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::chat::{Finish, FinishReason};
    use crate::pipeline::Head;
    use crate::steps::redact::Key;
    use crate::steps::redact::step::{Config, Sought};

    fn returns() -> (Returns, String) {
        let find = ["email", "phone", "card"].map(|name| Sought::try_from(name.to_owned()).unwrap()).to_vec();
        let guard = Guard::new(&Config { find, restore: true, ..Config::default() }, "p").unwrap();
        let mut given = Vault::new(Key::derive(b"secret", "request"));
        let placeholder = given.placeholder("EMAIL", "jo@example.org");
        let (taken, counts) = (Vault::new(Key::derive(b"secret", "answer")), Some(Arc::default()));
        let tally = Arc::default();
        (Returns { guard: Arc::new(guard), given, taken, counts, tally, has_logprobs: false }, placeholder)
    }

    /// What is left of each choice's text after these events have passed.
    fn passed(returns: Returns, events: Vec<Event>) -> BTreeMap<u32, String> {
        let bursts = events.into_iter().map(|event| Ok(vec![Frame::new(Events::from_iter([event]))]));
        let head = Head {
            target: None,
            provider: None,
            model: Default::default(),
            dialect: DialectId::OPENAI_CHAT,
            headers: Default::default(),
        };
        let answer = Answer { head, frames: futures_util::stream::iter(bursts.collect::<Vec<_>>()).boxed() };
        let out: Vec<_> = Box::new(returns).wrap(answer).frames.collect().now_or_never().unwrap();
        let mut said = BTreeMap::new();
        let mut is_over = BTreeMap::new();
        for event in out.into_iter().flat_map(Result::unwrap).flat_map(Frame::into_value) {
            match event {
                Event::Delta { lane, delta } => {
                    assert!(!is_over.contains_key(&lane.choice), "something is said after the end");
                    let said: &mut String = said.entry(lane.choice).or_default();
                    said.push_str(&delta.text().unwrap().as_str());
                }
                Event::Close { lane } => drop(is_over.insert(lane.choice, ())),
                _ => {}
            }
        }
        said
    }

    fn delta(choice: u32, text: &str) -> Event {
        Event::Delta { lane: Lane { choice, part: 0 }, delta: Delta::Text(text.into()) }
    }

    fn ends(choice: u32) -> [Event; 2] {
        let finish = Box::new(Finish::new(FinishReason::Stop, "stop"));
        [Event::Close { lane: Lane { choice, part: 0 } }, Event::Finish { choice, finish }]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn however_two_answers_are_cut_and_mixed_each_comes_out_as_it_would_alone(
            sizes in prop::collection::vec((0u32..2, 1usize..9), 0..80),
        ) {
            let (tap, placeholder) = returns();
            let texts = [
                format!("to {placeholder}, card 4111 1111 1111 1111, +49 30 901820"),
                format!("mail ann@example.com or {placeholder}\u{e9}{placeholder}"),
            ];
            let alone: Vec<_> = texts.iter().map(|text| {
                let [close, finish] = ends(0);
                passed(returns().0, vec![delta(0, text), close, finish]).remove(&0).unwrap()
            }).collect();
            prop_assert!(alone[0].starts_with("to jo@example.org, card <CARD_1_") && !alone[0].contains("901820"));
            let mut left = texts.clone().map(|text| text.chars().collect::<Vec<_>>());
            let mut events = Vec::new();
            for (choice, size) in sizes {
                let rest = &mut left[choice as usize];
                let piece: String = rest.drain(..size.min(rest.len())).collect();
                events.push(delta(choice, &piece));
            }
            for (choice, rest) in (0..).zip(left) {
                events.push(delta(choice, &rest.iter().collect::<String>()));
                events.extend(ends(choice));
            }
            let mixed = passed(tap, events);
            // Placeholders of one vault are numbered by the order in which values come.
            let bare = |text: &str| text.replace("_2_", "_1_");
            for (choice, alone) in (0..).zip(&alone) {
                prop_assert_eq!(bare(&mixed[&choice]), bare(alone));
            }
        }
    }
}
