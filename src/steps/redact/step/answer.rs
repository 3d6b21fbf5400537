//! Going through an answer as it passes: event by event as [`Passing`] has it, on this thread unless that takes long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use super::passing::Passing;
use super::returns::Returns;
use super::{AT_ONCE, broke_off};
use crate::base::aside::{Aside, Wanted};
use crate::base::stop::Stop;
use crate::base::text::Text;
use crate::chat::{Event, Part};
use crate::pipeline::{Answer, Burst, Tap};

impl Tap for Returns {
    fn wrap(self: Box<Self>, answer: Answer) -> Answer {
        let aside = self.aside.clone();
        let going = Going::Here(Box::new(Passing::new(answer.head.dialect, *self)));
        let frames = Gone { frames: Some(answer.frames), going, aside, stop: None };
        Answer { head: answer.head, frames: frames.boxed() }
    }

    fn learns(&self) -> bool {
        self.guard.is_on_answers()
    }
}

/// An answer that is gone through.
struct Gone {
    /// `None` once the answer is over, so that the upstream is let go.
    frames: Option<BoxStream<'static, Result<Burst, Stop>>>,
    going: Going,
    aside: Aside,
    /// What is left to be said when everything before it has been.
    stop: Option<Stop>,
}

/// Where the answer is gone through at the moment.
enum Going {
    Here(Box<Passing>),
    /// A burst takes long.
    Aside(BoxFuture<'static, Option<(Box<Passing>, Burst)>>),
    /// It was given up.
    Nowhere,
}

impl Gone {
    /// Takes what was gone through elsewhere.
    fn poll_aside(&mut self, cx: &mut Context<'_>) -> Poll<Option<Burst>> {
        let Going::Aside(going) = &mut self.going else { return Poll::Ready(None) };
        let done = ready!(going.as_mut().poll(cx));
        Poll::Ready(Some(match done {
            Some((passing, out)) => {
                self.come_back(passing);
                out
            }
            None => {
                self.going = Going::Nowhere;
                self.frames = None;
                self.stop = Some(broke_off().into());
                Burst::new()
            }
        }))
    }

    /// Goes through what the upstream has said. `None` if that takes long.
    fn go_on(&mut self, said: Option<Result<Burst, Stop>>) -> Option<Burst> {
        let Going::Here(mut passing) = std::mem::replace(&mut self.going, Going::Nowhere) else {
            return Some(Burst::new());
        };
        let out = match said {
            Some(Ok(burst)) if bytes_of(&burst) > AT_ONCE => {
                self.going = Going::Aside(Box::pin(self.aside.run(move |wanted| {
                    let out = passing.burst(burst, wanted);
                    (passing, out)
                })));
                return None;
            }
            Some(Ok(burst)) => passing.burst(burst, &Wanted::always()),
            Some(Err(stop)) => {
                self.frames = None;
                passing.over(Some(stop))
            }
            None => {
                self.frames = None;
                passing.over(None)
            }
        };
        self.come_back(passing);
        Some(out)
    }

    /// A burst has been gone through; it may have been the last.
    fn come_back(&mut self, mut passing: Box<Passing>) {
        if let Some(stop) = passing.stop() {
            self.frames = None;
            self.stop = Some(stop);
        }
        self.going = Going::Here(passing);
    }
}

impl Stream for Gone {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let mut out = ready!(self.poll_aside(cx));
            if out.is_none() {
                let Some(frames) = &mut self.frames else { return Poll::Ready(self.stop.take().map(Err)) };
                let said = ready!(frames.as_mut().poll_next(cx));
                out = self.go_on(said);
            }
            if let Some(out) = out.filter(|out| !out.is_empty()) {
                return Poll::Ready(Some(Ok(out)));
            }
        }
    }
}

/// The bytes of text in a burst.
fn bytes_of(burst: &Burst) -> usize {
    let events = burst.iter().flat_map(|frame| frame.iter());
    let bytes = events.map(|event| match event {
        Event::Delta { delta, .. } => delta.text().map_or(0, Text::len),
        Event::Whole(completion) => completion.choices.iter().flat_map(|choice| &choice.parts).map(Part::bytes).sum(),
        _ => 0,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::super::guard::Guard;
    use super::*;
    use crate::base::ids::DialectId;
    use crate::chat::{Delta, Events, Finish, FinishReason, Frame, Lane};
    use crate::pipeline::Head;
    use crate::steps::redact::step::{Config, Sought};
    use crate::steps::redact::{Key, Vault};

    fn returns() -> (Returns, String) {
        let find = ["email", "phone", "card"].map(|name| Sought::try_from(name.to_owned()).unwrap()).to_vec();
        let guard = Guard::new(&Config { find, restore: true, ..Config::default() }, "p").unwrap();
        let mut given = Vault::new(Key::derive(b"secret", "request"));
        let placeholder = given.placeholder("EMAIL", "jo@example.org");
        let (taken, counts) = (Vault::new(Key::derive(b"secret", "answer")), Arc::default());
        let tally = Arc::default();
        (
            Returns {
                guard: Arc::new(guard),
                given,
                taken,
                counts,
                tally,
                aside: Aside::default(),
                has_logprobs: false,
            },
            placeholder,
        )
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
            is_detoured: false,
            basis: Default::default(),
            audience: None,
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
