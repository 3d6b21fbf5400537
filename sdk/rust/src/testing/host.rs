//! The played gateway.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::host::{http, log, model};
use crate::testing::make;
use crate::{Context, Failure, Plugin};

/// What is asked of a played server, and what it says.
pub(super) type Server = Box<dyn FnMut(&http::Request) -> Result<http::Response, http::Error>>;

/// What a played model is asked, and what it says.
pub(super) type Model = Box<dyn FnMut(&model::Ask) -> Result<model::Answer, model::Error>>;

#[derive(Default)]
pub(super) struct State {
    pub log: Vec<(log::Level, String)>,
    pub clock_ms: Option<u64>,
    /// What `random` gives out, over and over.
    pub random: Option<Vec<u8>>,
    pub metrics: Option<BTreeMap<(String, String), u64>>,
    pub kv: Option<BTreeMap<String, Vec<u8>>>,
    pub numbers: BTreeMap<String, i64>,
    pub secrets: Option<BTreeMap<String, String>>,
    pub blobs: BTreeMap<u32, Vec<u8>>,
    pub servers: Option<Server>,
    pub models: Option<Model>,
    pub asked: VecDeque<model::Ask>,
    pub sent: VecDeque<http::Request>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

pub(super) fn state<T>(with: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| with(&mut state.borrow_mut()))
}

/// The gateway as the plugin sees it, for the thread it is made in. Nothing is granted at first.
pub struct Host {
    _of_one_thread: std::marker::PhantomData<*const ()>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        state(|state| *state = State::default());
    }
}

impl Host {
    /// In the place of the one before it.
    pub fn new() -> Self {
        state(|state| *state = State::default());
        Self { _of_one_thread: std::marker::PhantomData }
    }

    /// Grants an empty store.
    pub fn kv(self) -> Self {
        state(|state| state.kv = Some(BTreeMap::new()));
        self
    }

    /// Grants the clock, and sets it.
    pub fn clock(self, unix_ms: u64) -> Self {
        state(|state| state.clock_ms = Some(unix_ms));
        self
    }

    /// Grants bytes that anybody can guess: these, over and over.
    pub fn random(self, bytes: &[u8]) -> Self {
        state(|state| state.random = Some(bytes.to_vec()));
        self
    }

    /// Grants metrics of any name.
    pub fn metrics(self) -> Self {
        state(|state| state.metrics = Some(BTreeMap::new()));
        self
    }

    /// Grants a secret.
    pub fn secret(self, name: &str, value: &str) -> Self {
        state(|state| state.secrets.get_or_insert_default().insert(name.into(), value.into()));
        self
    }

    /// The bytes behind the blob of that number.
    pub fn blob(self, id: u32, bytes: &[u8]) -> Self {
        state(|state| state.blobs.insert(id, bytes.to_vec()));
        self
    }

    /// Grants requests to servers, all of which are played by this.
    pub fn http(self, answer: impl FnMut(&http::Request) -> Result<http::Response, http::Error> + 'static) -> Self {
        state(|state| state.servers = Some(Box::new(answer)));
        self
    }

    /// Grants models, all of which are played by this.
    pub fn model(self, answer: impl FnMut(&model::Ask) -> Result<model::Answer, model::Error> + 'static) -> Self {
        state(|state| state.models = Some(Box::new(answer)));
        self
    }

    /// Grants models that always say this.
    pub fn model_says(self, text: &str) -> Self {
        let answer = model::Answer { text: text.into(), finish_reason: "stop".into(), usage: None };
        self.model(move |_| Ok(answer.clone()))
    }

    /// The plugin, made as the gateway makes it.
    ///
    /// # Errors
    /// What it, or serde, has against the configuration.
    pub fn plugin<P: Plugin>(&self, config: Value) -> Result<P, Failure> {
        P::new(serde_json::from_value(config).map_err(|error| Failure::Config(error.to_string()))?)
    }

    /// A caller nobody knows anything about.
    pub fn context(&self) -> Context {
        make::context()
    }

    /// The lines that were logged.
    pub fn logged(&self) -> Vec<String> {
        state(|state| state.log.iter().map(|(_, line)| line.clone()).collect())
    }

    /// What is stored.
    pub fn stored(&self, key: &str) -> Option<Vec<u8>> {
        state(|state| state.kv.as_ref()?.get(key).cloned())
    }

    /// The number that was added to; 0 if nothing was.
    pub fn number(&self, key: &str) -> i64 {
        state(|state| state.numbers.get(key).copied().unwrap_or_default())
    }

    /// The value of a counter; 0 if nothing was added.
    pub fn counted(&self, name: &str, label: &str) -> u64 {
        let key = (name.to_owned(), label.to_owned());
        state(|state| state.metrics.as_ref().and_then(|metrics| metrics.get(&key).copied()).unwrap_or_default())
    }

    /// What models were asked, from the first.
    pub fn asked(&self) -> Vec<model::Ask> {
        state(|state| state.asked.iter().cloned().collect())
    }

    /// What servers were sent, from the first.
    pub fn sent(&self) -> Vec<http::Request> {
        state(|state| state.sent.iter().cloned().collect())
    }
}
