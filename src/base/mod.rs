//! What every layer may use: names, secrets, time, quantities, JSON that keeps its wire, and the two ways a request can come to nothing.
//!
//! Nothing here knows what a chat, a provider or a policy is.

pub mod aside;
pub mod baggage;
pub mod bound;
pub mod clock;
pub mod digest;
pub mod duration;
pub mod gather;
pub mod ids;
pub mod json;
pub mod millis;
pub mod money;
pub mod private;
pub mod random;
pub mod secret;
pub mod stop;
pub mod text;
pub mod trace;
pub mod units;
pub mod worker;
