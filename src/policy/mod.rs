//! The policy compiler: files into a configuration that is known to be sound.
//!
//! [`load`] reads files (`layer`), puts overlays on them (`overlay`), turns the trees into typed documents
//! (`decode`, `document`) and those into a [`Config`] in which every name is resolved (`build`). Its one
//! rule: every problem is found at once, and each is pointed at in the file. Nothing here opens a socket or
//! needs a secret.

mod blame;
mod build;
pub mod codes;
mod compile;
mod condition;
pub mod config;
mod decode;
mod document;
mod file;
mod imprint;
mod layer;
mod lint;
mod load;
mod mutate;
mod overlay;
mod pin;
mod print;
mod problem;
mod reference;
pub mod schema;
mod secrecy;
mod selector;
mod settings;
mod snapshot;
mod source;
mod syntax;
mod tree;

pub use compile::{Parts, claims, compile, hold_backs};
pub use condition::Condition;
pub use config::{Config, State};
pub use decode::{At, OneOrMany, Table};
pub use document::{
    CertificateName, ExporterProtocol, LogFormat, LogLevel, Losses, Mode, Pick, Sticky, TelemetryDialect,
};
pub use file::read as read_file;
pub use load::{Loaded, default_file, load};
pub use mutate::{Mutant, mutants};
pub use pin::{Named, Pins};
pub use print::print;
pub use problem::{Ink, Level, Problem, did_you_mean};
pub use reference::{Environment, Template, Unresolved};
pub use selector::Selector;
pub use settings::{Connections, Settings, TlsFiles};
pub use snapshot::{Policy, ServerSettings, Snapshot};
pub use source::{FileId, Place, Source, Sources, Span};

#[cfg(test)]
mod tests;
