//! What comes from outside: guards that are asked, plugins that are fetched, models that are installed.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::units::Period;
use crate::policy::decode::{At, Table};
use crate::policy::reference::Template;

/// A guard outside, asked over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScreenDoc {
    pub kind: At<ScreenKind>,
    /// The URL that texts are posted to; OpenAI's own for `openai_moderation` if not said.
    pub url: Option<At<Template>>,
    /// Shown as a bearer token.
    pub key: Option<At<Template>>,
    /// A PEM file with the authorities to trust for this guard.
    pub ca: Option<At<Template>>,
    /// Of `openai_moderation`: the model to ask for.
    pub model: Option<At<String>>,
    /// Of `presidio`: the language of the texts; `en` if not said.
    pub language: Option<At<String>>,
    /// Of `presidio`: what is less certain is not found, from 0 to 1; 0.5 if not said.
    pub min_score: Option<At<f64>>,
    /// How long to wait for an answer; `2s` if not said.
    pub timeout: Option<At<Period>>,
    /// How many questions are with it at a time, further ones wait; 64 if not said.
    pub max_concurrent: Option<NonZeroU32>,
}

/// A model in this process that says where texts lie.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbedderDoc {
    pub kind: At<EmbedderKind>,
    /// The folder with its `config.json`, `model.safetensors` and `tokenizer.json`, as `tidegate embedder install` makes it.
    /// Relative paths start from this file's folder.
    pub dir: At<String>,
    /// What its files must be: the hash of what `sha256sum config.json model.safetensors tokenizer.json` prints.
    pub sha256: At<String>,
    /// How many texts are worked on at once, each by a thread of its own; 1 if not said.
    pub threads: Option<At<NonZeroU32>>,
}

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbedderKind {
    /// In this process. Models elsewhere are targets.
    Local,
}

/// Where plugins come from, and who may have made them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginsDoc {
    /// Who signs plugins: `ed25519:` and the key in base64. Where there is one, a plugin without a signature is refused.
    #[serde(default)]
    pub trusted_keys: Vec<At<String>>,
    /// The folder in which what registries gave is kept; `tidegate/registry` in the user's cache folder if not said.
    pub cache: Option<At<Template>>,
    /// What is to be known of registries, by host.
    #[serde(default)]
    pub registries: Table<RegistryDoc>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryDoc {
    pub user: Option<At<Template>>,
    /// Of the user; or a token, where there is none.
    pub password: Option<At<Template>>,
    /// A PEM file with the authorities to trust for it, besides the system's.
    pub ca: Option<At<Template>>,
    /// It has no TLS.
    #[serde(default)]
    pub plain_http: bool,
}

/// What a guard speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScreenKind {
    /// OpenAI's moderation endpoint, or one like it.
    OpenaiModeration,
    /// The analyzer of Presidio.
    Presidio,
    /// The gateway's own protocol.
    Webhook,
}
