//! What outlives a request: the truth about money, how much was asked for lately, and who is being served.
//!
//! A request is *reserved* before it is sent and *settled* when it is over ([`Ledger`]). Between the two its
//! amount is held, so that requests under way together can never spend more than a budget has.
//!
//! [`Books`] decides, purely: no IO, no clock. What it decides is a fact, an [`Entry`](record::Entry). [`Memory`]
//! keeps the books only; [`Embedded`] also writes each fact to an append-only log and is what one machine uses.
//! The log is the truth; the sums kept beside it in sled are derived from it and may be lost at any time. [`Shared`]
//! has the same rules as scripts of a server that several gateways share.
//!
//! Caps and windows belong to whoever asks: they come with each claim and are never stored, so changing
//! them resets nothing. What a token costs, and which budget a request falls under, is not known here.
//!
//! [`Windows`] and [`Places`] are for rates and for what happens at the same time; they are forgotten with the process,
//! unless they are shared. [`Kv`] is for the small things that plugins keep, [`Answers`] for answers that may be given
//! again.

mod account;
mod alerts;
pub mod answers;
mod books;
mod claim;
#[cfg(test)]
mod contract;
mod desk;
mod embedded;
pub mod kv;
mod ledger;
mod line;
mod log;
mod memory;
mod outputs;
pub mod places;
pub mod read;
pub mod record;
pub mod report;
mod script;
mod segment;
pub mod shared;
mod slot;
mod sums;
#[cfg(test)]
mod tests;
mod trouble;
pub mod verify;
pub mod windows;
mod writer;

pub use alerts::{Alert, Alerts};
pub use answers::{Answers, EmbeddedAnswers, LocalAnswers};
pub use books::Books;
pub use claim::{Balance, Claim, Denied, Durability, HoldId, Leg, Unavailable};
pub use embedded::{Embedded, Options};
pub use kv::{EmbeddedKv, Kv, LocalKv};
pub use ledger::{Ledger, Settlement, Standing};
pub use line::{CostLine, Counts, Mark, Priced};
pub use memory::Memory;
pub use outputs::Outputs;
pub use places::{LocalPlaces, NoPlace, Place, Places};
pub use shared::Shared;
pub use slot::Slot;
pub use trouble::Trouble;
pub use windows::{Full, LocalWindows, Room, Windows};
