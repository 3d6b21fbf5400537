//! Books that several gateways share, in Redis or Valkey.
//!
//! Each question is one script, which the server runs alone from its beginning to its end, so a claim over several
//! accounts is decided and booked at once, whoever else asks. All keys carry the same hash tag and are in one slot
//! of a cluster. What was promised survives as much as the server is set up to survive.
//!
//! Every operation may be sent twice, since a reply may get lost: the hold's id tells whether it was done before.
//! Settlements wait in a [queue](queue) and are booked in order by a [task](settler) of this store; it also says that this
//! gateway is alive, and books what gateways have held that are not. While the server cannot be reached nobody waits
//! for it, and [`OnLoss`] decides what happens instead.
//!
//! Lines of the bill are not kept here; each gateway may keep its own beside it.

mod answers;
mod holds;
mod hub;
mod kv;
mod ledger;
mod link;
mod near;
mod news;
mod places;
mod queue;
mod reply;
mod script;
mod settings;
mod settler;
mod share;
#[cfg(test)]
mod tests;
mod windows;

pub use ledger::Shared;
pub use settings::{OnLoss, Settings, check_url};
