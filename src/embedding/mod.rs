//! Where texts lie among others, told by a model in this process.
//!
//! A model is three files in a folder, as sentence-transformers lays them out, that together have a known hash: see
//! [`files`]. Those of which other bytes are found are not loaded. Texts wait in a bounded queue for threads of the
//! model's own, which take whatever waits at once: see [`local`]. One model in use is loaded once, however many policies
//! and revisions name it: see [`shelf`].
//!
//! The model itself is compiled in by the feature `local-embedder`. Read are models that descend from BERT, with the mean of
//! a text's tokens for the text, such as all-MiniLM-L6-v2.

#[cfg(feature = "local-embedder")]
mod bert;
pub mod files;
pub mod local;
mod model;
pub mod shelf;
#[cfg(feature = "local-embedder")]
mod tokenizer;
#[cfg(feature = "local-embedder")]
mod weights;

pub use files::{Files, Pin};
pub use local::{Full, Local};
pub use model::Model;
pub use shelf::Shelf;

/// Why files are no model that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    #[error("`{path}` cannot be read: {source}")]
    Unread { path: String, source: std::io::Error },
    #[error("the files in `{folder}` have the sha256 {found}, and not {wanted}")]
    Other { folder: String, found: Pin, wanted: Pin },
    #[error("`config.json`: {0}")]
    Config(String),
    #[error("`tokenizer.json`: {0}")]
    Tokenizer(String),
    #[error("`model.safetensors`: {0}")]
    Weights(String),
    #[error("this build has no local embedder; it is made with the feature `local-embedder`")]
    NotBuilt,
}
