//! (to come)

pub mod key;
