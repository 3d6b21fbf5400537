//! Finding personal data and credentials in texts, and putting something else in their place.
//!
//! A [`Detector`] is compiled from [`Settings`] once per policy. It answers for whole texts
//! ([`Detector::findings`]) and for streams ([`Detector::lane`], [`JsonLane`]) by one definition, so that an answer
//! that is streamed loses what the same answer in one piece would, for every chunking.
//!
//! Nothing here but [`step`] reads a request or does any work but on texts.
//!
//! What it does not see: names and places of people, which need a model; letters of other scripts that look
//! like Latin ones; what is encoded (base64, percent signs, JSON in a JSON string); a value whose halves lie in
//! two parts.

pub mod action;
pub mod checks;
mod context;
pub mod detector;
pub mod fold;
pub mod json;
pub mod kind;
pub mod kinds;
mod lane;
pub mod lately;
mod machine;
pub mod restore;
mod rules;
mod scan;
pub mod step;
pub mod vault;

pub use action::{Action, Refused, Replacer};
pub use detector::{Custom, Detector, Problem, Settings};
pub use json::JsonLane;
pub use lane::{Found, Judge, Lane};
pub use restore::Restorer;
pub use scan::Finding;
pub use vault::{Key, Vault};
