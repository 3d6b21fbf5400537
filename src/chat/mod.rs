//! The canonical vocabulary: what a chat request, its answer and its stream *are*, in no provider's words.
//!
//! Each wire dialect translates to and from this and knows no other dialect. The vocabulary is finer than
//! any one of them: messages are lists of typed parts, streams open and close each part. What only one
//! dialect can say is kept beside the value it belongs to, as [`Extra`], and is written again when the
//! answer or request leaves in that dialect; in any other it is a [`Loss`], never silence.
//!
//! Nothing here reads or writes bytes; see [`dialect`](crate::dialect).

mod completion;
mod event;
mod extra;
mod loss;
mod message;
mod numbers;
mod request;
mod usage;
mod verbatim;

pub use completion::{Choice, Completion, Finish, FinishReason};
pub use event::{Delta, Event, Events, Frame, Lane, Opening, Start};
pub use extra::Extra;
pub use loss::{Loss, Losses};
pub use message::{Content, File, Image, Message, Other, Part, Role, Source, Thinking, ToolCall, ToolResult};
pub use numbers::Numbers;
pub use request::{Format, Params, Reasoning, Request, Tool, ToolChoice};
pub use usage::{TokenKind, Usage};
pub use verbatim::{Edits, Verbatim};
