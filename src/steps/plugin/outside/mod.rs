//! What stands behind the interfaces that a plugin may be granted: the gateway's log, store, client and targets, each
//! narrowed to what the policy says.

pub mod http;
mod log;
mod meter;
pub mod model;
mod secrets;
mod store;

pub use log::LogLines;
pub use meter::{Counters, Meters};
pub use secrets::Keyring;
pub use store::Shelf;
