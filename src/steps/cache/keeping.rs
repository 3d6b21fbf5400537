//! What becomes of an answer on its way back: it is marked with what came of looking for it, and kept.

use std::sync::Arc;

use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue};

use super::flight::Lead;
use super::record::{Recording, Shelf};
use super::whence::Whence;
use super::window;
use crate::pipeline::charge::{Price, quote};
use crate::pipeline::target::Target;
use crate::pipeline::{Answer, Tap};

/// A request that is asked, whose answer is to be kept.
pub struct Keeping {
    pub shelf: Shelf,
    /// Others may hear the answer as well.
    pub lead: Option<Lead>,
    pub result: &'static str,
    /// Whether it was known that somebody else would be asked than by the route, when it was looked for what is kept.
    pub is_detoured: bool,
    /// By their prices it is known what the answer cost.
    pub targets: Vec<Arc<Target>>,
}

impl Tap for Keeping {
    fn wrap(self: Box<Self>, answer: Answer) -> Answer {
        let Self { mut shelf, mut lead, result, is_detoured, targets } = *self;
        let Answer { head, frames } = answer;
        let why = match &head.target {
            // A later step has made it up, for whoever asked and for now: it is to be asked again for the others.
            None => Some("unasked"),
            // Others who ask this are not sent there: it is no answer for them.
            Some(_) if head.is_detoured != is_detoured => Some("detoured"),
            Some(_) => None,
        };
        if why.is_some() {
            shelf.closed = why;
            lead = None;
        }
        let target = head.target.as_ref().and_then(|name| targets.iter().find(|target| target.name == *name));
        // As the bill has it: later steps may have asked for another model, or a class of service.
        let quote = target.and_then(|target| quote(target, &head.model, head.basis.unknown, shelf.clock.now()));
        let price = quote.map(|quote| Price { quote, service: head.basis.service });
        let room = window::room(shelf.largest);
        let recording = Recording::new(frames, &head, price.clone(), shelf).boxed();
        let answer = match lead {
            Some(lead) => lead.begin(Answer { head, frames: recording }, Whence::Target(price), room),
            None => Answer { head, frames: recording },
        };
        marked(answer, result)
    }

    fn learns(&self) -> bool {
        true
    }
}

/// A request that is none of those whose answers are kept.
pub struct PassedBy;

impl Tap for PassedBy {
    fn wrap(self: Box<Self>, answer: Answer) -> Answer {
        marked(answer, "bypass")
    }

    fn looks_inside(&self) -> bool {
        false
    }
}

/// An answer that was made for somebody else.
pub fn given(mut answer: Answer, result: &'static str, tier: &'static str) -> Answer {
    answer.head.headers.insert(TIER, HeaderValue::from_static(tier));
    marked(answer, result)
}

fn marked(mut answer: Answer, result: &'static str) -> Answer {
    answer.head.headers.insert(HEADER, HeaderValue::from_static(result));
    answer
}

const HEADER: HeaderName = HeaderName::from_static("x-tidegate-cache");
const TIER: HeaderName = HeaderName::from_static("x-tidegate-cache-tier");
