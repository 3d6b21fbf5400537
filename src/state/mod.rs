//! What the gateway remembers from one request to the next: how much was asked for lately, and who is being served.
//!
//! All of it belongs to the process, so that a reload forgets nothing. What a store keeps is found by a key that
//! whoever asks makes up; a store does not know what is counted.

pub mod places;
pub mod windows;

pub use places::{Place, Places};
pub use windows::{Full, LocalWindows, Room, Windows};
