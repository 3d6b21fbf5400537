//! The language as it is written: one type per part of a file, for decoding and for the JSON Schema.
//!
//! These types say which fields there are and what form they have. Whether names exist, numbers make
//! sense and parts go together is checked later.

mod gateway;
pub(super) mod hints;
mod outside;
pub(super) mod planned;
mod policy;
mod route;
mod telemetry;

pub use gateway::*;
pub use outside::*;
pub use policy::*;
pub use route::*;
pub use telemetry::*;
