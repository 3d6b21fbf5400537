//! The part of an answer under way that is held for those who have not heard it yet.

use std::collections::VecDeque;

use crate::base::ids::DialectId;
use crate::base::text::Text;
use crate::chat::{Event, Frame, Usage};
use crate::pipeline::Burst;

/// Bytes that are held of an answer of which no more than `largest` are kept: also where hardly anything is, those who read
/// as it comes are not cut off for being a few frames apart.
pub fn room(largest: u64) -> u64 {
    largest.max(LEAST)
}

/// The latest bursts of an answer, as many as have room.
pub struct Window {
    /// Each with its bytes.
    bursts: VecDeque<(Burst, u64)>,
    /// The number of the first.
    first: usize,
    bytes: u64,
    room: u64,
    /// What the answer had taken by those that are gone.
    taken: Option<Usage>,
}

impl Window {
    pub fn with_room(room: u64) -> Self {
        Self { bursts: VecDeque::new(), first: 0, bytes: 0, room, taken: None }
    }

    /// The number of the oldest that is held.
    pub fn first(&self) -> usize {
        self.first
    }

    pub fn end(&self) -> usize {
        self.first + self.bursts.len()
    }

    /// `None` if it has not come yet, or is gone: see [`is_gone`](Self::is_gone).
    pub fn get(&self, number: usize) -> Option<&Burst> {
        self.bursts.get(number.checked_sub(self.first)?).map(|(burst, _)| burst)
    }

    pub fn is_gone(&self, number: usize) -> bool {
        number < self.first
    }

    /// Whether it has had more than there is room for.
    pub fn has_overflowed(&self) -> bool {
        self.first > 0 || self.bytes > self.room
    }

    /// Takes another one in; the oldest go if there is no room for all, but not this one.
    pub fn push(&mut self, burst: Burst, dialect: DialectId) {
        let bytes = size(&burst, dialect);
        self.bursts.push_back((burst, bytes));
        self.bytes += bytes;
        while self.bytes > self.room
            && self.bursts.len() > 1
            && let Some((gone, bytes)) = self.bursts.pop_front()
        {
            self.bytes -= bytes;
            self.first += 1;
            for usage in gone.iter().flat_map(|frame| frame.iter()).filter_map(Event::usage) {
                self.taken.get_or_insert_default().update(usage);
            }
        }
    }

    /// What the answer had taken by those that are gone, as a burst in their place.
    pub fn taken_before(&self) -> Burst {
        let taken = self.taken.clone().map(|usage| Event::Usage(Box::new(usage)));
        vec![Frame::new(taken.into_iter().collect())]
    }
}

/// Bytes that a burst takes, about.
fn size(burst: &Burst, dialect: DialectId) -> u64 {
    let of = |frame: &Frame| FRAME + frame.wire(dialect).map_or_else(|| said(frame), |wire| wire.len() as u64);
    burst.iter().map(of).sum()
}

/// The same of a frame that was made here.
fn said(frame: &Frame) -> u64 {
    let text =
        |event: &Event| if let Event::Delta { delta, .. } = event { delta.text().map_or(0, Text::len) } else { 0 };
    frame.iter().map(|event| text(event) as u64).sum()
}

/// Some thousand frames.
const LEAST: u64 = 1 << 20;
/// What a frame takes beside its text.
const FRAME: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Delta, Events, Lane};

    fn burst(letters: usize) -> Burst {
        let lane = Lane { choice: 0, part: 0 };
        let delta = Delta::Text(Text::from("x".repeat(letters).as_str()));
        vec![Frame::new(Events::from_iter([Event::Delta { lane, delta }]))]
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for_and_the_latest_always() {
        let mut window = Window::with_room(3 * (FRAME + 100));
        for _ in 0..10 {
            window.push(burst(100), DialectId::OPENAI_CHAT);
        }
        assert_eq!((window.first, window.end(), window.bursts.len()), (7, 10, 3));
        assert!(window.is_gone(6) && window.get(6).is_none() && window.get(7).is_some());
        window.push(burst(10_000), DialectId::OPENAI_CHAT);
        assert_eq!((window.bursts.len(), window.end(), window.has_overflowed()), (1, 11, true));
    }

    #[test]
    fn what_was_taken_by_those_that_are_gone_is_known() {
        let usage = |text_in, out| {
            let usage = Usage { text_in, out, ..Usage::default() };
            vec![Frame::new(Events::from_iter([Event::Usage(Box::new(usage))]))]
        };
        let mut window = Window::with_room(3 * FRAME);
        for burst in [usage(Some(7), Some(1)), burst(1), usage(None, Some(2)), burst(1_000)] {
            window.push(burst, DialectId::OPENAI_CHAT);
        }
        let taken = window.taken_before();
        let taken = taken.iter().flat_map(|frame| frame.iter()).find_map(Event::usage).unwrap();
        assert_eq!((window.first(), taken.text_in, taken.out), (3, Some(7), Some(2)));
    }
}
