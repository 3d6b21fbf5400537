//! What a plugin implements.

use serde::de::DeserializeOwned;

use crate::{About, ChatRequest, ChatResponse, Context, Delta, Failure, Outcome, StreamOutcome, Usage};

/// A plugin: what it is called, and how it is made from its configuration.
pub trait Plugin: Sized + 'static {
    /// What a policy says under `config`; [`NoConfig`] where there is nothing to say.
    type Config: DeserializeOwned;

    /// Called while a policy loads, with nothing granted and nothing configured; always the same.
    fn about() -> About;

    /// Called once for every instance, before any hook, with nothing granted yet.
    ///
    /// # Errors
    /// [`Failure::Config`] is shown to the operator while the policy loads; the policy does not run then.
    fn new(config: Self::Config) -> Result<Self, Failure>;
}

/// For a plugin that has nothing to configure.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Looks at requests before they are sent.
pub trait OnRequest: Plugin {
    /// # Errors
    /// The policy's `on_error` says what becomes of the request.
    fn on_request(&self, cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure>;
}

/// Looks at answers once they are whole. A streamed one is held until then, unless the plugin has [`OnStream`] as well.
pub trait OnResponse: Plugin {
    /// `request` is the request as it left this plugin.
    ///
    /// # Errors
    /// The policy's `on_error` says what becomes of the answer.
    fn on_response(&self, cx: &Context, request: &ChatRequest, answer: &ChatResponse) -> Result<Outcome, Failure>;
}

/// Looks at answers piece by piece; without [`OnResponse`], at those that come whole, too.
pub trait OnStream: Plugin {
    type Session: Session;

    /// Called once for each answer, before its first batch. `request` is the request as it left this plugin.
    ///
    /// # Errors
    /// The policy's `on_error` says what becomes of the answer.
    fn open(&self, cx: &Context, request: &ChatRequest) -> Result<Self::Session, Failure>;
}

/// What a plugin remembers of one answer. Dropped when it ends, for whatever reason.
pub trait Session: 'static {
    /// Called with what has come since the last call; the gateway gathers small pieces first. The verdict is about this
    /// batch and all that is held.
    ///
    /// # Errors
    /// The policy's `on_error` says what becomes of the answer.
    fn push(&mut self, batch: Vec<Delta>) -> Result<StreamOutcome, Failure>;

    /// Called at the end of an answer that ended well. The verdict is about what is held, if anything is.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    fn finish(&mut self, usage: Option<Usage>) -> Result<StreamOutcome, Failure> {
        let _ = usage;
        Ok(StreamOutcome::pass())
    }
}
