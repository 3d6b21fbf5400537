//! Finding personal data and credentials in texts, and putting something else in their place.
//!
//! A [`Detector`] is compiled from [`Settings`] once per policy. It answers for whole texts
//! ([`Detector::findings`]) and for streams ([`Detector::lane`], [`JsonLane`]) by one definition, so that an answer
//! that is streamed loses what the same answer in one piece would, for every chunking.
//!
//! Beside data there are phrases that speak to a model ([`kinds::injection`]) and lists of a policy's own
//! ([`words`]). A long text is gone through for as long as somebody waits for it.
//!
//! Nothing here but [`step`] reads a request or does any work but on texts.
//!
//! Where a text is itself the inside of a JSON string, as the results of tools often are, values are found between
//! its escapes and what is put in leaves them whole; a bare number that is replaced becomes a string.
//!
//! What it does not see: names and places of people, which need a model; letters of other scripts that look
//! like Latin ones; a value that is encoded itself (base64, `\u0040` for the `@` of an address in a text that was read
//! already, percent signs in anything but an address); a value whose halves lie in two parts.

pub mod action;
mod bank;
mod bare;
pub mod checks;
mod context;
pub mod detector;
mod edges;
mod escape;
pub mod fold;
mod heads;
pub mod json;
pub mod kind;
pub mod kinds;
mod lane;
pub mod lately;
mod machine;
mod marks;
mod parts;
pub mod restore;
mod rules;
mod scan;
mod settings;
pub mod step;
pub mod vault;
pub mod words;

pub use action::{Action, Refused, Replacer};
pub use detector::Detector;
pub use json::JsonLane;
pub use lane::{Found, Judge, Lane};
pub use restore::Restorer;
pub use scan::Finding;
pub use settings::{Custom, List, Problem, Settings};
pub use vault::{Key, Vault};
