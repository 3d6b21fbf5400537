//! Write plugins for the Tidegate gateway.
//!
//! A plugin is a struct. It is made from its configuration, and has a method for each hook it wants:
//!
//! ```
//! use tidegate_plugin::prelude::*;
//!
//! /// What a policy says under `config`.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     /// Words that nobody may ask about.
//!     words: Vec<String>,
//! }
//!
//! struct Topics {
//!     words: Vec<String>,
//! }
//!
//! impl Plugin for Topics {
//!     type Config = Config;
//!
//!     fn about() -> About {
//!         about!("refuses what nobody may ask about").config::<Config>().needs("request.text")
//!     }
//!
//!     fn new(config: Config) -> Result<Self, Failure> {
//!         if config.words.is_empty() {
//!             return Err(Failure::Config("`words` is empty".into()));
//!         }
//!         Ok(Self { words: config.words })
//!     }
//! }
//!
//! impl OnRequest for Topics {
//!     fn on_request(&self, _cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
//!         let spoken_of = |word: &&String| request.texts().any(|text| text.contains(word.as_str()));
//!         Ok(match self.words.iter().find(spoken_of) {
//!             Some(word) => Outcome::deny(403, "topic_denied", format!("`{word}` is not talked about here")),
//!             None => Outcome::pass(),
//!         })
//!     }
//! }
//!
//! tidegate_plugin::export!(Topics: request);
//!
//! // Hooks run under `cargo test`, without Wasm.
//! use tidegate_plugin::testing::{Host, ask};
//!
//! let host = Host::new();
//! let topics: Topics = host.plugin(serde_json::json!({ "words": ["thermite"] })).unwrap();
//! let outcome = topics.on_request(&host.context(), &ask("how is thermite made?")).unwrap();
//! assert_eq!(outcome.denied_with(), Some("topic_denied"));
//! ```
//!
//! # From a folder to a policy
//!
//! `tidegate plugin new --lang rust NAME` writes a project with this crate beside it, then `tidegate plugin build`,
//! `test`, `run`, `inspect` and `pin` do what they say. `sdk/README.md` is the guide.
//!
//! # Hooks
//!
//! | trait | exported as | called |
//! |---|---|---|
//! | [`OnRequest`] | `request` | with each request before it is sent |
//! | [`OnResponse`] | `response` | with each answer once it is whole |
//! | [`OnStream`] | `stream` | with the pieces of an answer, as they come |
//!
//! # What a plugin may rely on
//!
//! * It sees nothing that its policy does not grant: there are no messages, and host functions answer `Denied`. The
//!   policy lists grants by name (`request.text`, `answer.text`, `kv`, …); [`About::needs`] says which it must.
//! * It has no files, no network and no environment. [`kv`], [`http`], [`model`], [`secrets`], [`clock`], [`random`]
//!   and [`metrics`] are all there is; what is printed goes to the plugin's log, and so does [`log`].
//! * An instance serves one call at a time. Instances come and go: what must be remembered belongs into [`kv`].
//! * A panic, or a call that takes too long or too much memory, ends the instance; the policy says what becomes of the
//!   request. A [`Failure`] does the same with a reason.
//!
//! # Texts are bytes
//!
//! Places in a text are byte offsets, as in `&str`. An edit that is a [span](Span) costs what it replaces, not the
//! whole text; prefer [`Outcome::replace`] to [`Outcome::set_text`].

mod about;
pub mod bindings;
mod export;
mod failure;
mod hooks;
pub mod host;
mod outcome;
mod stream;
mod text;

#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use about::{About, Hook};
pub use bindings::imports::tidegate::plugin::types::{
    Blob, ChatRequest, ChatResponse, Choice, Context, Delta, Denial, Edit, Failure, Finding, Link, Media, Message,
    Outcome, Part, Piece, Place, Reply, Role, Severity, Span, StreamOutcome, StreamVerdict, Tag, ToolCall, ToolDef,
    ToolResult, Usage, Verdict,
};
#[doc(hidden)]
pub use export::{Glue, Slot, Stage};
pub use hooks::{NoConfig, OnRequest, OnResponse, OnStream, Plugin, Session};
pub use host::{blobs, clock, http, kv, log, metrics, model, random, secrets};
// What a plugin's own code reads and writes JSON with.
pub use serde_json as json;
pub use stream::{Held, HeldText};
pub use text::Text;

/// All that a plugin usually needs.
pub mod prelude {
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;

    pub use crate::{
        About, ChatRequest, ChatResponse, Context, Delta, Failure, Finding, Message, NoConfig, OnRequest, OnResponse,
        OnStream, Outcome, Part, Piece, Plugin, Role, Session, Severity, Span, StreamOutcome, StreamVerdict, Usage,
        Verdict, about,
    };
}

#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::{lifecycle, request, response, stream};
}
