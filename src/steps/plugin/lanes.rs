//! An answer as parts of choices, whatever way it came, and new wordings put back into its frames.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::DialectId;
use crate::base::text::Text;
use crate::chat::{
    Choice, Completion, Content, Delta, Event, Events, Finish, Frame, Lane, Opening, Part, Thinking, ToolCall, Usage,
};
use crate::pipeline::Burst;

/// What a streamed answer says, gathered.
#[derive(Debug, Default)]
pub struct Gathered {
    model: Text,
    parts: BTreeMap<Lane, Part>,
    finishes: BTreeMap<u32, Finish>,
    usage: Option<Usage>,
}

impl Gathered {
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Start(start) => self.model = start.model.clone(),
            Event::Open { lane, what } => drop(self.parts.entry(*lane).or_insert_with(|| Part::new(opened(what)))),
            Event::Delta { lane, delta } => self.delta(*lane, delta),
            Event::Finish { choice, finish } => drop(self.finishes.insert(*choice, (**finish).clone())),
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            Event::Close { .. } | Event::Ping | Event::Failed(_) | Event::End | Event::Whole(_) => {}
        }
    }

    fn delta(&mut self, lane: Lane, delta: &Delta) {
        let begun = || {
            Part::new(match delta {
                Delta::Thinking(_) | Delta::Signature(_) => Content::Thinking(Thinking::default()),
                Delta::Refusal(_) => Content::Refusal(Text::default()),
                _ => Content::Text(Text::default()),
            })
        };
        let part = self.parts.entry(lane).or_insert_with(begun);
        let Some(more) = delta.text() else { return };
        let text = match (&mut part.content, delta) {
            (Content::Text(text), Delta::Text(_)) | (Content::Refusal(text), Delta::Refusal(_)) => text,
            (Content::Thinking(thinking), Delta::Thinking(_)) => &mut thinking.text,
            (Content::ToolCall(call), Delta::Arguments(_)) => &mut call.arguments,
            _ => return,
        };
        let mut all = text.as_str().into_owned();
        all.push_str(&more.as_str());
        *text = Text::from(all.as_str());
    }

    /// The answer as a whole, and which lane each of its parts was.
    pub fn whole(self, dialect: DialectId) -> (Completion, Vec<Vec<Lane>>) {
        let numbers: BTreeSet<u32> =
            self.parts.keys().map(|lane| lane.choice).chain(self.finishes.keys().copied()).collect();
        let mut lanes = Vec::new();
        let mut choices = Vec::new();
        for index in numbers {
            let own: Vec<_> = self.parts.iter().filter(|(lane, _)| lane.choice == index).collect();
            lanes.push(own.iter().map(|(lane, _)| **lane).collect());
            let parts = own.into_iter().map(|(_, part)| part.clone()).collect();
            choices.push(Choice { index, parts, finish: self.finishes.get(&index).cloned(), ..Choice::default() });
        }
        let completion = Completion {
            dialect,
            id: Text::default(),
            model: self.model,
            created: None,
            choices,
            usage: self.usage,
            extra: Default::default(),
        };
        (completion, lanes)
    }
}

fn opened(what: &Opening) -> Content {
    match what {
        Opening::Text => Content::Text(Text::default()),
        Opening::Thinking => Content::Thinking(Thinking::default()),
        Opening::Sealed(sealed) => Content::Thinking(Thinking { sealed: Some(sealed.clone()), ..Thinking::default() }),
        Opening::Refusal => Content::Refusal(Text::default()),
        Opening::ToolCall { id, name } => {
            Content::ToolCall(ToolCall { id: id.clone(), name: name.clone(), arguments: Text::default() })
        }
        Opening::Other(json) => Content::Other(crate::chat::Other { kind: "other".into(), json: json.clone() }),
    }
}

/// The kinds of text that a part can consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Text,
    Thinking,
    Refusal,
    Arguments,
}

impl Said {
    /// The kind of a piece, and its text.
    pub fn of(delta: &mut Delta) -> Option<(Self, &mut Text)> {
        match delta {
            Delta::Text(text) => Some((Self::Text, text)),
            Delta::Thinking(text) => Some((Self::Thinking, text)),
            Delta::Refusal(text) => Some((Self::Refusal, text)),
            Delta::Arguments(text) => Some((Self::Arguments, text)),
            Delta::Signature(_) | Delta::Other(_) => None,
        }
    }
}

/// Puts each lane's new wording in the place of all that it says in these frames: with its first piece, and nothing with the
/// others. Frames that are changed are written anew, so that nothing of the old wording is left in what goes with it.
///
/// # Errors
/// The first lane that says nothing here.
pub fn reword(bursts: &mut [Burst], mut wordings: BTreeMap<Lane, String>) -> Result<(), Lane> {
    let lanes: BTreeSet<Lane> = wordings.keys().copied().collect();
    for frame in bursts.iter_mut().flatten() {
        if frame.iter().any(|event| is_of(event, &lanes)) {
            let events = frame.edit();
            events.iter_mut().for_each(|event| put(event, &lanes, &mut wordings));
            events.retain(|event| !is_signature(event, &lanes));
        }
    }
    for burst in bursts {
        burst.retain(|frame| frame.is_empty() || !frame.iter().all(says_nothing));
    }
    wordings.into_keys().next().map_or(Ok(()), Err)
}

fn put(event: &mut Event, lanes: &BTreeSet<Lane>, wordings: &mut BTreeMap<Lane, String>) {
    if let Event::Delta { lane, delta } = event
        && lanes.contains(lane)
        && let Some((_, text)) = Said::of(delta)
    {
        text.set(wordings.remove(lane).unwrap_or_default());
    }
}

fn is_of(event: &Event, lanes: &BTreeSet<Lane>) -> bool {
    matches!(event, Event::Delta { lane, .. } if lanes.contains(lane))
}

/// The proof of a thinking that has been changed.
fn is_signature(event: &Event, lanes: &BTreeSet<Lane>) -> bool {
    matches!(event, Event::Delta { lane, delta: Delta::Signature(_) } if lanes.contains(lane))
}

fn says_nothing(event: &Event) -> bool {
    matches!(event, Event::Delta { delta, .. } if delta.is_empty())
}

/// What frames that will not leave say of the usage, which has to be paid for all the same.
pub fn usage_frames(bursts: &[Burst]) -> Burst {
    let mut usage: Option<Usage> = None;
    for said in bursts.iter().flatten().flat_map(|frame| frame.iter()).filter_map(Event::usage) {
        usage.get_or_insert_default().update(said);
    }
    usage.into_iter().map(|usage| Frame::new(Events::from_iter([Event::Usage(Box::new(usage))]))).collect()
}
