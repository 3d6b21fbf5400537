//! One test: a gateway of its own, one request, and all that came of it.

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
use crate::policy::{Environment, Loaded, Parts, Problem, Settings, compile};
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
    pub request: RequestDoc,
}

/// What came of a test's request.
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Whether the connection broke before the answer's end.
    pub is_broken: bool,
    pub took: Duration,
    pub received: Vec<Received>,
    pub decision: Option<Decision>,
}

/// Keeps what was decided.
#[derive(Default)]
struct Notes(Mutex<Option<Decision>>);

impl Witness for Notes {
    fn saw(&self, decision: Decision) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(decision);
    }
}

/// Plays a test through.
///
/// # Errors
/// What keeps the configuration from running, or the request from being sent.
pub async fn run(given: Given<'_>) -> Result<Seen, String> {
    let (notes, play) = (Arc::new(Notes::default()), Arc::clone(&given.play));
    let gateway = build(&given, &notes)?;
    let settings = given.loaded.config.as_ref().map(|config| Settings::of(config, given.environment));
    let connections = match settings {
        Some(Ok(settings)) => settings.connections,
        Some(Err(problem)) => return Err(given.loaded.report(&[problem])),
        None => return Err("the configuration has errors".into()),
    };
    let (near, far) = duplex(64 * 1024);
    tokio::spawn(server::serve_one(gateway, far, connections));
    let broken = |error: hyper::Error| format!("the gateway gave no answer: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.map_err(broken)?;
    tokio::spawn(connection);
    let request = request(&given.request, given.caller.is_some())?;
    let begun = Instant::now();
    let response = sender.send_request(request).await.map_err(broken)?;
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
    // The gateway closes its books once it has written the last byte.
    drop(rest);
    tokio::task::yield_now().await;
    let decision = notes.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (status, headers) = (head.status.as_u16(), head.headers);
    Ok(Seen { status, headers, body, is_broken, took, received: play.received(), decision })
}

fn build(given: &Given<'_>, notes: &Arc<Notes>) -> Result<Arc<Gateway>, String> {
    let Some(config) = &given.loaded.config else { return Err("the configuration has errors".into()) };
    let clock = Clock::starting_at(given.now);
    let pools = Arc::new(Pools::on(Arc::clone(&given.play) as _));
    let world = World::new(clock, Arc::clone(&pools), AccessLog::off()).before(Arc::clone(notes) as _);
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
    let report = |problems: Vec<Problem>| given.loaded.report(&problems);
    let snapshot = compile(config, &given.loaded.revision, &parts).map_err(report)?;
    let speaks: HashMap<_, _> = snapshot.targets.iter().map(|target| (target.name.clone(), target.dialect)).collect();
    given.play.cast(speaks);
    Ok(Arc::new(Gateway::new(Arc::new(world), Arc::new(snapshot))))
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
