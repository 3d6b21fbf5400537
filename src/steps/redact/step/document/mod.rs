//! Going through the bodies of endpoints that are forwarded without being understood.
//!
//! [`shape`] says where texts stand in them, [`walk`] goes there. Requests are changed in place; answers are taken back
//! through [`Answers`], whole or event by event, and by the same rules as those of a chat.

mod answer;
mod request;
mod shape;
mod stream;
mod walk;

pub use answer::Answers;
pub use request::go_through;
pub use shape::{Shape, of};
