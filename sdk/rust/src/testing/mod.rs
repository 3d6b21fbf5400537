//! Hooks under `cargo test`, without Wasm: a gateway that is played.
//!
//! [`Host`] plays the gateway for the thread it is made in. As with the real one, what a test does not grant is denied.
//!
//! ```
//! use tidegate_plugin::testing::Host;
//! use tidegate_plugin::{kv, log};
//!
//! let host = Host::new().kv();
//! kv::add("asked", 1, None).unwrap();
//! log::info("counted");
//! assert_eq!(host.number("asked"), 1);
//! assert_eq!(host.logged(), ["counted"]);
//! ```
//!
//! What only the real gateway can show (limits, and whether the policy grants what is needed) is shown by
//! `tidegate plugin test`.

pub(crate) mod fake;
mod host;
mod make;
mod session;

pub use host::Host;
pub use make::{answer, ask, context, deltas};
pub use session::streamed;
