//! What is outside of the plugin, played for one case.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::document::{GivenDoc, ServerDoc};
use crate::wasm::{Http, Kv, Log, Meter, Model, Secrets, http, kv, log, model, secrets};

/// A store, servers, models and secrets, and what was done to them.
#[derive(Default)]
pub struct Played(Mutex<State>);

#[derive(Default)]
struct State {
    values: BTreeMap<String, Vec<u8>>,
    numbers: BTreeMap<String, i64>,
    secrets: BTreeMap<String, String>,
    servers: BTreeMap<String, ServerDoc>,
    models: VecDeque<String>,
    done: Done,
}

/// What a plugin has done to what is outside.
#[derive(Debug, Clone, Default)]
pub struct Done {
    pub kv: BTreeMap<String, String>,
    pub numbers: BTreeMap<String, i64>,
    /// By `name`, or `name/label`.
    pub counted: BTreeMap<String, u64>,
    /// By method and URL.
    pub sent: Vec<String>,
    /// The last message of each question.
    pub asked: Vec<String>,
    pub logged: Vec<String>,
}

impl Played {
    pub fn new(given: &GivenDoc) -> Arc<Self> {
        let servers = given.http.0.iter().map(|(name, server)| (name.value.clone(), server.clone()));
        Arc::new(Self(Mutex::new(State {
            values: given.kv.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())).collect(),
            numbers: given.numbers.clone(),
            secrets: given.secrets.clone(),
            servers: servers.collect(),
            models: given.model.iter().cloned().collect(),
            done: Done::default(),
        })))
    }

    /// What has been done so far.
    pub fn done(&self) -> Done {
        let state = self.state();
        let text = |(key, value): (&String, &Vec<u8>)| (key.clone(), String::from_utf8_lossy(value).into_owned());
        Done { kv: state.values.iter().map(text).collect(), numbers: state.numbers.clone(), ..state.done.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Played {
    fn write(&self, _level: log::Level, message: &str) {
        self.state().done.logged.push(message.to_owned());
    }
}

/// Counters, of which only those count that are granted.
pub struct Counters {
    pub granted: Vec<String>,
    pub played: Arc<Played>,
}

impl Meter for Counters {
    fn add(&self, name: &str, label: &str, value: u64) -> bool {
        if !self.granted.iter().any(|granted| granted == name) {
            return false;
        }
        let counter = if label.is_empty() { name.to_owned() } else { format!("{name}/{label}") };
        *self.played.state().done.counted.entry(counter).or_default() += value;
        true
    }
}

impl Kv for Played {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, kv::Error>> {
        let found = self.state().values.get(key).cloned();
        Box::pin(async { Ok(found) })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        _lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), kv::Error>> {
        self.state().values.insert(key.to_owned(), value);
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), kv::Error>> {
        let mut state = self.state();
        state.values.remove(key);
        state.numbers.remove(key);
        Box::pin(async { Ok(()) })
    }

    fn add<'a>(&'a self, key: &'a str, by: i64, _lasts: Option<Duration>) -> BoxFuture<'a, Result<i64, kv::Error>> {
        let mut state = self.state();
        let number = state.numbers.entry(key.to_owned()).or_default();
        *number = number.saturating_add(by);
        let sum = *number;
        Box::pin(async move { Ok(sum) })
    }
}

/// Secrets that are granted: to sign with, and to see.
pub struct Keys {
    pub signs: Vec<String>,
    pub reveals: Vec<String>,
    pub played: Arc<Played>,
}

impl Keys {
    fn secret(&self, name: &str, granted: &[String]) -> Result<String, secrets::Error> {
        if !granted.iter().any(|granted| granted == name) {
            return Err(secrets::Error::Denied);
        }
        self.played.state().secrets.get(name).cloned().ok_or(secrets::Error::Missing)
    }
}

impl Secrets for Keys {
    fn hmac_sha256(&self, name: &str, data: &[u8]) -> Result<Vec<u8>, secrets::Error> {
        let secret = self.secret(name, &self.signs).or_else(|_| self.secret(name, &self.reveals))?;
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| secrets::Error::Missing)?;
        Ok(mac.chain_update(data).finalize().into_bytes().to_vec())
    }

    fn reveal(&self, name: &str) -> Result<String, secrets::Error> {
        self.secret(name, &self.reveals)
    }
}

impl Http for Played {
    fn send(&self, request: http::Request, _limit: Duration) -> BoxFuture<'_, Result<http::Response, http::Error>> {
        let mut state = self.state();
        let asked = format!("{} {}", request.method, request.url);
        let answer = match state.servers.get(&asked) {
            Some(ServerDoc { status, body }) => {
                let body = body.as_ref().map(text_of).unwrap_or_default().into_bytes();
                Ok(http::Response { status: *status, headers: Vec::new(), body })
            }
            None => Err(http::Error::Failed("the case has no answer for it".into())),
        };
        state.done.sent.push(asked);
        Box::pin(async { answer })
    }
}

impl Model for Played {
    fn complete(&self, ask: model::Ask, _limit: Duration) -> BoxFuture<'_, Result<model::Answer, model::Error>> {
        let mut state = self.state();
        let question = ask.messages.last().map(|message| super::moment::texts_of(&message.parts).concat());
        state.done.asked.push(question.unwrap_or_default());
        let text = match state.models.len() {
            0 => None,
            1 => state.models.front().cloned(),
            _ => state.models.pop_front(),
        };
        let answer = text.map(|text| model::Answer { text, finish_reason: "stop".into(), usage: None });
        Box::pin(async { answer.ok_or_else(|| model::Error::Failed("the case has no answer for it".into())) })
    }
}

/// A text as it is, anything else as JSON.
pub fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
