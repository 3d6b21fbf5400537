//! What happens while an answer arrives.
//!
//! An answer is a stream of [`Frame`]s. A streamed answer has a frame for each of its wire's frames; a
//! whole answer is a single frame with the single event [`Event::Whole`], so that whoever handles answers
//! handles both.

use smallvec::SmallVec;

use crate::base::json::{Json, Number};
use crate::base::stop::Failure;
use crate::base::text::Text;
use crate::chat::{Completion, Finish, Usage, Verbatim};

/// One frame of the wire and the events it brought: often one, sometimes none.
pub type Frame = Verbatim<Events>;
pub type Events = SmallVec<[Event; 2]>;

#[derive(Debug, Clone)]
pub enum Event {
    /// The answer begins. At most once, before every other event but pings.
    Start(Box<Start>),
    /// A part begins.
    Open {
        lane: Lane,
        what: Opening,
    },
    Delta {
        lane: Lane,
        delta: Delta,
    },
    /// A part has ended.
    Close {
        lane: Lane,
    },
    /// A choice has ended; its parts are closed.
    Finish {
        choice: u32,
        finish: Box<Finish>,
    },
    /// A running total so far.
    Usage(Box<Usage>),
    /// Nothing but a sign of life.
    Ping,
    /// The frame's own bytes say something of the answer that no event does.
    Unread,
    /// The provider reports, inside the stream, that it has failed.
    Failed(Box<Failure>),
    /// The provider says that the stream is complete.
    End,
    /// The whole answer at once.
    Whole(Box<Completion>),
}

impl Event {
    /// What it says of the usage.
    pub fn usage(&self) -> Option<&Usage> {
        match self {
            Self::Usage(usage) => Some(usage),
            Self::Whole(completion) => completion.usage.as_ref(),
            _ => None,
        }
    }

    /// True once a caller would notice that the answer has begun: from then on no other target may be tried.
    pub fn is_semantic(&self) -> bool {
        match self {
            Self::Delta { delta, .. } => !delta.is_empty(),
            Self::Open { what, .. } => {
                matches!(what, Opening::ToolCall { .. } | Opening::Sealed(_) | Opening::Other(_))
            }
            Self::Finish { .. } | Self::Whole(_) => true,
            Self::Start(_)
            | Self::Close { .. }
            | Self::Usage(_)
            | Self::Ping
            | Self::Unread
            | Self::Failed(_)
            | Self::End => false,
        }
    }
}

/// The head of a streamed answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Start {
    pub id: Text,
    pub model: Text,
    /// Unix seconds.
    pub created: Option<Number>,
}

/// Which part of which choice: parts are numbered in the order in which they open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    pub choice: u32,
    pub part: u32,
}

/// What kind of part begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    Text,
    Thinking,
    Refusal,
    ToolCall {
        id: Text,
        name: Text,
    },
    /// Thinking that is sealed: complete at once.
    Sealed(Text),
    /// A part only its own dialect knows, as that dialect opens it.
    Other(Json),
}

/// A further piece of a part.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    Text(Text),
    Thinking(Text),
    /// The proof that goes with the thinking before it.
    Signature(Text),
    /// A piece of the JSON text of a tool call's arguments.
    Arguments(Text),
    Refusal(Text),
    /// A piece only its own dialect knows (a citation, say).
    Other(Json),
}

impl Delta {
    pub fn text(&self) -> Option<&Text> {
        match self {
            Self::Text(text)
            | Self::Thinking(text)
            | Self::Signature(text)
            | Self::Arguments(text)
            | Self::Refusal(text) => Some(text),
            Self::Other(_) => None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.text().is_some_and(Text::is_empty)
    }
}
