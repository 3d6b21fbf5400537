//! (to come)

pub mod check;
pub mod explain;
pub mod schema;
