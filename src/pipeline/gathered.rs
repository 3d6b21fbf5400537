//! A streamed answer as a whole one.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::DialectId;
use crate::base::text::Text;
use crate::chat::{
    Choice, Completion, Content, Delta, Event, Finish, Lane, Opening, Other, Part, Start, Thinking, ToolCall, Usage,
};

/// What a streamed answer has said so far.
#[derive(Debug, Default)]
pub struct Gathered {
    start: Start,
    parts: BTreeMap<Lane, Growing>,
    finishes: BTreeMap<u32, Finish>,
    usage: Option<Usage>,
    is_lossy: bool,
}

/// A part, and the text of it that came in pieces.
#[derive(Debug)]
struct Growing {
    part: Part,
    text: String,
}

impl Growing {
    fn new(content: Content) -> Self {
        Self { part: Part::new(content), text: String::new() }
    }

    fn grown(&self) -> Part {
        let mut part = self.part.clone();
        match &mut part.content {
            Content::Text(text) | Content::Refusal(text) => *text = Text::from(self.text.as_str()),
            Content::Thinking(thinking) => thinking.text = Text::from(self.text.as_str()),
            Content::ToolCall(call) => call.arguments = Text::from(self.text.as_str()),
            _ => {}
        }
        part
    }
}

impl Gathered {
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Start(start) => self.start = (**start).clone(),
            Event::Open { lane, what } => {
                self.is_lossy |= matches!(what, Opening::Other(_));
                self.parts.entry(*lane).or_insert_with(|| Growing::new(opened(what)));
            }
            Event::Delta { lane, delta } => self.delta(*lane, delta),
            Event::Finish { choice, finish } => drop(self.finishes.insert(*choice, (**finish).clone())),
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            Event::Unread => self.is_lossy = true,
            Event::Close { .. } | Event::Ping | Event::Failed(_) | Event::End | Event::Whole(_) => {}
        }
    }

    fn delta(&mut self, lane: Lane, delta: &Delta) {
        let begun = || {
            Growing::new(match delta {
                Delta::Thinking(_) | Delta::Signature(_) => Content::Thinking(Thinking::default()),
                Delta::Refusal(_) => Content::Refusal(Text::default()),
                _ => Content::Text(Text::default()),
            })
        };
        let growing = self.parts.entry(lane).or_insert_with(begun);
        match (&mut growing.part.content, delta) {
            (Content::Text(_), Delta::Text(more))
            | (Content::Refusal(_), Delta::Refusal(more))
            | (Content::Thinking(_), Delta::Thinking(more))
            | (Content::ToolCall(_), Delta::Arguments(more)) => growing.text.push_str(&more.as_str()),
            (Content::Thinking(thinking), Delta::Signature(signature)) => thinking.signature = Some(signature.clone()),
            _ => self.is_lossy = true,
        }
    }

    /// Whether anything was said that a whole answer would not say.
    pub fn is_lossy(&self) -> bool {
        self.is_lossy
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
            let parts = own.into_iter().map(|(_, growing)| growing.grown()).collect();
            choices.push(Choice { index, parts, finish: self.finishes.get(&index).cloned(), ..Choice::default() });
        }
        let Start { id, model, created } = self.start;
        let (usage, extra) = (self.usage, Default::default());
        // Where these texts stood in frames of a stream is not where they stand in anything that is whole.
        let (id, model) = (id.unplaced(), model.unplaced());
        (Completion { dialect, id, model, created, choices, usage, extra }, lanes)
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
        Opening::Other(json) => Content::Other(Other { kind: "other".into(), json: json.clone() }),
    }
}
