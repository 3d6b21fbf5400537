//! Plugins: components that run in a sandbox.
//!
//! A [`Component`] is compiled once, and can then be set up as any number of [`Plugin`]s, each with a configuration, [`Limits`]
//! and [`Abilities`] of its own. A plugin has instances; whoever wants to call a hook [takes](Plugin::take) one and gives it
//! back if all went well. The interface between the two sides is `sdk/wit`, and [`types`] are its types.
//!
//! A guest can compute, and answer. Whatever else it does goes through the host, which looks at what is granted, counts, and
//! cuts short: memory, time to compute, time in all, calls, bytes each way, handles. When something goes wrong the instance
//! is gone, and the caller of the hook learns of it as a [`Trouble`].
//!
//! This module knows no store, no network, no model and no policy: who sets a plugin up hands in what stands for them.

mod abilities;
mod bindings;
mod code_cache;
mod compiler;
mod component;
mod engine;
mod host;
mod instance;
mod limits;
mod manifest;
mod metronome;
mod native;
mod pool;
mod shelf;
mod trouble;
mod unfit;

pub use abilities::{Abilities, Blobs, Http, Kv, Log, Meter, Model, Secrets};
pub use bindings::exports::tidegate::plugin::lifecycle::{About, Hook as Called};
pub use bindings::tidegate::plugin::{blobs, http, kv, log, model, secrets, types};
pub use component::Component;
pub use engine::Engine;
pub use host::Call;
pub use instance::{Instance, Report, Session};
pub use limits::Limits;
pub use manifest::{Hook, Manifest, PACKAGE, VERSION};
pub use pool::{Isolation, Plugin, Setup, Taken};
pub use trouble::{Kind, Trouble};
pub use unfit::Unfit;
