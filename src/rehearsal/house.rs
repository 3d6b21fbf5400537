//! The gateway of one test, its requests, and all that came of each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::duplex;
use tokio::time::Instant;

use super::document::{CallerDoc, RequestDoc};
use super::play::{Play, Received};
use crate::auth::{KeyEntry, KeyFile, KeyHash};
use crate::base::clock::Clock;
use crate::base::ids::KeyName;
use crate::gateway::{Decision, FetchOverPools, Gateway, Witness, World};
use crate::policy::{Connections, Environment, Loaded, Parts, Problem, Settings, compile};
use crate::provider::Pools;
use crate::server;
use crate::telemetry::AccessLog;

/// The key that callers of tests show.
const KEY: &str = "tg-a-key-for-tests-of-policies";
const ENDPOINT: &str = "/v1/chat/completions";

/// What a test is given.
pub struct Given<'a> {
    pub loaded: &'a Loaded,
    pub environment: &'a Environment,
    pub now: Timestamp,
    pub caller: Option<CallerDoc>,
    pub play: Arc<Play>,
}

/// What came of one request.
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Whether the connection broke before the answer's end.
    pub is_broken: bool,
    pub took: Duration,
    /// What providers received while it lasted, for this request or another.
    pub received: Vec<Received>,
    pub decision: Option<Decision>,
}

/// Keeps what was decided.
#[derive(Default)]
struct Notes(Mutex<Vec<Decision>>);

impl Witness for Notes {
    fn saw(&self, decision: Decision) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(decision);
    }
}

impl Notes {
    /// What was decided on the request of this id.
    async fn on(&self, id: &str) -> Option<Decision> {
        // The gateway closes its books once it has written the last byte.
        for _ in 0..16 {
            if let Some(decision) = self.take(id) {
                return Some(decision);
            }
            tokio::task::yield_now().await;
        }
        None
    }

    fn take(&self, id: &str) -> Option<Decision> {
        let mut decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = decisions.iter().position(|decision| decision.line.request_id.as_str() == id)?;
        Some(decisions.swap_remove(at))
    }
}

/// The gateway of one test. What one request leaves behind, the next one finds.
pub struct House {
    gateway: Arc<Gateway>,
    connections: Connections,
    play: Arc<Play>,
    notes: Arc<Notes>,
    shows_key: bool,
}

impl House {
    /// # Errors
    /// What keeps the configuration from running.
    pub fn build(given: &Given<'_>) -> Result<Self, String> {
        let Some(config) = &given.loaded.config else { return Err("the configuration has errors".into()) };
        let report = |problems: Vec<Problem>| given.loaded.report(&problems);
        let settings = Settings::of(config, given.environment).map_err(|problem| report(vec![problem]))?;
        let (clock, notes) = (Clock::starting_at(given.now), Arc::new(Notes::default()));
        let pools = Arc::new(Pools::on(Arc::clone(&given.play) as _));
        let world = World::new(clock, Arc::clone(&pools), AccessLog::off()).before(Arc::clone(&notes) as _);
        let parts = Parts {
            pools: &world.pools,
            health: &world.health,
            canaries: &world.canaries,
            fetch: Arc::new(FetchOverPools(pools)),
            environment: given.environment,
            callers: given.caller.as_ref().map(keys),
            previous: None,
            now: given.now,
        };
        let snapshot = compile(config, &given.loaded.revision, &parts).map_err(report)?;
        let speaks: HashMap<_, _> =
            snapshot.targets.iter().map(|target| (target.name.clone(), target.dialect)).collect();
        given.play.cast(speaks);
        let gateway = Arc::new(Gateway::new(Arc::new(world), Arc::new(snapshot)));
        let (play, shows_key) = (Arc::clone(&given.play), given.caller.is_some());
        Ok(Self { gateway, connections: settings.connections, play, notes, shows_key })
    }

    /// Sends a request over a connection of its own, and reads the answer to its end.
    ///
    /// # Errors
    /// When the request cannot be sent, or no answer begins.
    pub async fn ask(&self, written: &RequestDoc) -> Result<Seen, String> {
        let (near, far) = duplex(64 * 1024);
        tokio::spawn(server::serve_one(Arc::clone(&self.gateway), far, self.connections));
        let broken = |error: hyper::Error| format!("the gateway gave no answer: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.map_err(broken)?;
        tokio::spawn(connection);
        let (begun, before) = (Instant::now(), self.play.received().len());
        let response = sender.send_request(request(written, self.shows_key)?).await.map_err(broken)?;
        let (head, mut rest) = response.into_parts();
        let (mut body, mut is_broken) = (Vec::new(), false);
        while let Some(frame) = rest.frame().await {
            match frame {
                Ok(frame) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    is_broken = true;
                    break;
                }
            }
        }
        let took = begun.elapsed();
        let id = head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let decision = self.notes.on(id).await;
        let received = self.play.received().split_off(before);
        Ok(Seen { status: head.status.as_u16(), headers: head.headers, body, is_broken, took, received, decision })
    }
}

fn keys(caller: &CallerDoc) -> KeyFile {
    let entry = KeyEntry {
        name: KeyName::new(caller.key.as_deref().unwrap_or("test")),
        hash: KeyHash::of(KEY),
        team: caller.team.as_deref().map(Into::into),
        user: caller.user.as_deref().map(Into::into),
        tags: caller.tags.iter().map(|tag| tag.as_str().into()).collect(),
        models: caller.models.clone(),
        expires: None,
        revoked: false,
    };
    KeyFile { keys: vec![entry] }
}

fn request(written: &RequestDoc, shows_key: bool) -> Result<Request<Full<Bytes>>, String> {
    let path = written.endpoint.as_ref().map_or(ENDPOINT, |path| path.value.as_str());
    let body = match written.body.as_ref().map(|body| &body.value) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(json) => json.to_string(),
        None => in_short(written, path).to_string(),
    };
    let mut request = Request::builder().method(Method::POST).uri(path).header("host", "gateway.test");
    request = request.header("content-type", "application/json");
    if shows_key {
        request = request.header("authorization", format!("Bearer {KEY}"));
    }
    for (name, value) in &written.headers.0 {
        request = request.header(name.value.as_str(), value.as_str());
    }
    request.body(Full::new(body.into())).map_err(|error| format!("the request cannot be sent: {error}"))
}

/// The body that the short form stands for.
fn in_short(written: &RequestDoc, path: &str) -> serde_json::Value {
    let mut body = serde_json::Map::new();
    let mut put = |key: &str, value: Option<serde_json::Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    put("model", written.model.clone().map(Into::into));
    put("system", written.system.clone());
    put("messages", written.messages.clone());
    put("stream", written.stream.map(Into::into));
    // Anthropic's dialect insists on it, and hardly a test is about it.
    let usual = path.ends_with("/messages").then_some(1024);
    put("max_tokens", written.max_tokens.or(usual).map(Into::into));
    put("temperature", written.temperature.map(Into::into));
    put("tools", written.tools.clone());
    body.into()
}

/// What a suite needs to find its configuration.
pub fn gateway_files(suite: &std::path::Path, named: &[String]) -> Vec<PathBuf> {
    let folder = suite.parent().unwrap_or(std::path::Path::new(""));
    named.iter().map(|name| folder.join(name)).collect()
}
