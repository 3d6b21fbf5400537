//! What conditions and selectors may ask about a request.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::auth::Caller;
use crate::base::ids::DialectId;

/// Everything a policy's conditions can see. Answers are computed when asked for.
pub trait Facts {
    fn caller(&self) -> &Caller;
    fn now(&self) -> Timestamp;
    fn endpoint(&self) -> Endpoint;
    /// The dialect the caller speaks.
    fn dialect(&self) -> Option<DialectId>;
    /// The model the caller named; empty if the endpoint has none.
    fn model(&self) -> &str;
    fn is_stream(&self) -> bool;
    /// An estimate before the provider has counted.
    fn input_tokens(&self) -> u64;
    fn max_tokens(&self) -> Option<u64>;
    fn has_tools(&self) -> bool;
    fn has_images(&self) -> bool;
    fn header(&self, name: &str) -> Option<&str>;

    /// What plugins have tagged the request with, as `key=value`. There is none before they have seen it.
    fn tags(&self) -> Vec<String> {
        Vec::new()
    }

    /// The policy that decides on it, once one does.
    fn policy(&self) -> Option<&str> {
        None
    }
}

/// What requests are told apart by.
pub trait Subject: Send + Sync {
    /// `None` if this request has no such thing.
    fn of<'a>(&self, facts: &'a dyn Facts) -> Option<Cow<'a, str>>;
}

/// What kind of thing a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Chat completions and messages, in any dialect.
    Chat,
    CountTokens,
    Embeddings,
    /// The legacy `/v1/completions`.
    Completions,
    /// OpenAI's `/v1/responses`, and what is kept below it.
    Responses,
    Images,
    Audio,
    Files,
    Batches,
    Moderations,
    Rerank,
    /// Any other `/v1/…` path.
    Other,
}

impl Endpoint {
    pub const ALL: [Self; 12] = [
        Self::Chat,
        Self::CountTokens,
        Self::Embeddings,
        Self::Completions,
        Self::Responses,
        Self::Images,
        Self::Audio,
        Self::Files,
        Self::Batches,
        Self::Moderations,
        Self::Rerank,
        Self::Other,
    ];

    /// Whether providers charge for what is posted there. Batches are charged for when they are worked off.
    pub fn costs(self) -> bool {
        !matches!(self, Self::CountTokens | Self::Files | Self::Batches)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::CountTokens => "count_tokens",
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::Files => "files",
            Self::Batches => "batches",
            Self::Moderations => "moderations",
            Self::Rerank => "rerank",
            Self::Other => "other",
        }
    }
}
