//! What a step is, and how a request runs through steps, route and attempts.
//!
//! [`run`] is the whole of it: the steps in the order of the policy, then the route's [`plan`](route), then
//! [`attempts`](attempt) until a target answers, then the answer back through the taps.

pub mod attempt;
pub mod breaker;
pub mod charge;
pub mod chat;
mod collect;
pub mod cx;
pub mod ending;
mod examine;
pub mod facts;
pub mod gathered;
pub mod glean;
pub mod health;
pub mod hold;
mod mirror;
pub mod opaque;
pub mod passing;
pub mod presence;
pub mod remarks;
pub mod renewal;
pub mod retry;
pub mod route;
pub mod run;
pub mod shadow;
mod silence;
pub mod step;
pub mod target;
pub mod tariff;
pub mod trail;
mod upstream;
mod watch;
mod windows;

pub use step::{Answer, Burst, Flow, Head, OpaqueFlow, Step, Tap};
