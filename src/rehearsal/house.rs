//! The gateway of one test, its requests, and all that came of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::duplex;
use tokio::time::{Instant, sleep, timeout};

use super::document::{CallerDoc, GivenDoc, RequestDoc};
use super::guard::PlayedGuard;
use super::play::{Play, Scene};
use super::reply::text_of;
use crate::auth::{KeyEntry, KeyFile, KeyHash};
use crate::base::clock::Clock;
use crate::base::ids::{AccountId, KeyName, RequestId, TargetName};
use crate::base::money::Nanos;
use crate::embedding::Shelf;
use crate::gateway::{Decision, FetchOverPools, Gateway, Witness, World};
use crate::pipeline::breaker;
use crate::pipeline::health::{HealthBook, InFlight, Outcome};
use crate::policy::{self, At, Config, Connections, Environment, Loaded, Parts, Problem, Settings, compile};
use crate::provider::Pools;
use crate::server;
use crate::state::{Claim, Durability, HoldId, Ledger as _, Leg, Memory, Slot};
use crate::steps::Stores;
use crate::steps::screen::hop_name;
use crate::telemetry::AccessLog;

/// Paths that nothing can be sent to.
const GET_ONLY: [&str; 1] = ["/v1/models"];
/// The key that callers of tests show.
const KEY: &str = "tg-a-key-for-tests-of-policies";
const ENDPOINT: &str = "/v1/chat/completions";
/// Bytes that may be on their way to a caller.
const PIPE: usize = 64 * 1024;
/// No test waits longer.
/// No request goes on for longer without its caller.
const LONGEST: Duration = Duration::from_secs(60 * 60);
const FOREVER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a test is given.
pub struct Given<'a> {
    pub loaded: &'a Loaded,
    pub environment: &'a Environment,
    pub now: Timestamp,
    pub caller: Option<CallerDoc>,
    pub play: Arc<Play>,
    /// How targets stand before the first request.
    pub state: GivenDoc,
}

/// What came of one request.
pub struct Seen {
    /// `None` if the caller hung up before an answer began.
    pub status: Option<u16>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Whether the connection broke before the answer's end.
    pub is_broken: bool,
    pub took: Duration,
    /// What providers were asked while it lasted, for this request or another.
    pub scenes: Vec<Scene>,
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
    /// What was decided on the request of this id; on the last one, if the caller was never told an id.
    fn take(&self, id: Option<&str>) -> Option<Decision> {
        let mut decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(id) = id else { return decisions.pop() };
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
    ledger: Arc<Memory>,
    /// Places at targets that are taken while the test lasts.
    _busy: Vec<InFlight>,
}

impl House {
    /// # Errors
    /// What keeps the configuration from running.
    pub fn build(given: &Given<'_>) -> Result<Self, String> {
        let Some(config) = &given.loaded.config else { return Err("the configuration has errors".into()) };
        let report = |problems: Vec<Problem>| given.loaded.report(&problems);
        let settings = Settings::of(config, given.environment).map_err(|problem| report(vec![problem]))?;
        let (clock, notes) = (Clock::starting_at(given.now), Arc::new(Notes::default()));
        given.play.guarded_by(guards(config, &given.state));
        given.play.served_by(&given.state.http);
        let pools = Arc::new(Pools::on(Arc::clone(&given.play) as _));
        let ledger = Arc::new(Memory::default());
        spend(&given.state, &ledger, given.now)?;
        let world = World::new(clock, Arc::clone(&pools), AccessLog::off());
        let world = world.with(Stores { embedders: Shelf::playing(), ..Stores::default() });
        let world = world.before(Arc::clone(&notes) as _).keeping(Arc::clone(&ledger) as _);
        let busy = set_up(&given.state, &world.health);
        let parts = Parts {
            pools: &world.pools,
            health: &world.health,
            canaries: &world.canaries,
            stores: &world.stores,
            fetch: Arc::new(FetchOverPools(pools)),
            environment: given.environment,
            callers: match &given.caller {
                Some(caller) => Some(keys(caller, config)?),
                None => nobody(config, given.environment),
            },
            previous: None,
            shows_raw: true,
            now: given.now,
        };
        let snapshot = compile(config, &given.loaded.revision, &parts).map_err(report)?;
        let speaks: HashMap<_, _> =
            snapshot.targets.iter().map(|target| (target.name.clone(), target.dialect)).collect();
        given.play.cast(speaks);
        let gateway = Arc::new(Gateway::new(Arc::new(world), Arc::new(snapshot)));
        let (play, shows_key) = (Arc::clone(&given.play), given.caller.is_some());
        Ok(Self { gateway, connections: settings.connections, play, notes, shows_key, ledger, _busy: busy })
    }

    /// Sends a request over a connection of its own, and reads the answer to its end.
    ///
    /// # Errors
    /// When the request cannot be sent, or no answer begins.
    pub async fn ask(&self, written: &RequestDoc) -> Result<Seen, String> {
        let (near, far) = duplex(PIPE);
        tokio::spawn(server::serve_one(Arc::clone(&self.gateway), far, self.connections));
        let broken = |error: hyper::Error| format!("the gateway gave no answer: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let request = request(written, self.shows_key)?;
        let (begun, before) = (Instant::now(), self.play.scenes().len());
        let mut heard = Heard::default();
        let patience = written.hang_up.and_then(|hang_up| hang_up.after).map_or(FOREVER, |after| after.0);
        let listened = timeout(patience, heard.listen(sender.send_request(request), written)).await;
        let took = begun.elapsed();
        // What is dropped here may be all that holds the connection open.
        connection.abort();
        listened.unwrap_or(Ok(())).map_err(broken)?;
        let id = heard.headers.get("x-request-id").and_then(|id| id.to_str().ok());
        let decision = self.decided(id).await;
        let scenes = self.play.scenes().split_off(before);
        let Heard { status, headers, body, is_whole } = heard;
        Ok(Seen { status, headers, body, is_broken: !is_whole, took, scenes, decision })
    }
}

impl House {
    /// What was decided on a request that its caller is done with. A request may go on without its caller.
    async fn decided(&self, id: Option<&str>) -> Option<Decision> {
        let mut pause = Duration::from_millis(1);
        while pause < LONGEST {
            // Lets everybody come to an end who only has to be told.
            sleep(pause).await;
            if let Some(decision) = self.notes.take(id) {
                return Some(decision);
            }
            pause *= 2;
        }
        None
    }

    /// What an account has spent, and what is set aside there.
    pub async fn standing(&self, account: &str) -> Result<(Nanos, Nanos), String> {
        let account = AccountId::new(account);
        self.ledger.standing(&account, Slot::FIRST).await.map_err(|unavailable| unavailable.to_string())
    }
}

/// What a caller has heard of its answer so far.
#[derive(Default)]
struct Heard {
    status: Option<u16>,
    headers: HeaderMap,
    body: Vec<u8>,
    is_whole: bool,
}

impl Heard {
    /// Listens to the end, or until the caller has heard enough.
    async fn listen(
        &mut self,
        answer: impl Future<Output = hyper::Result<Response<Incoming>>>,
        written: &RequestDoc,
    ) -> hyper::Result<()> {
        let (head, mut rest) = answer.await?.into_parts();
        (self.status, self.headers) = (Some(head.status.as_u16()), head.headers);
        let enough = written.hang_up.and_then(|hang_up| hang_up.after_events);
        while let Some(frame) = rest.frame().await {
            let Ok(frame) = frame else { return Ok(()) };
            self.body.extend_from_slice(&frame.into_data().unwrap_or_default());
            if enough.is_some_and(|events| memchr::memmem::find_iter(&self.body, b"\n\n").count() >= events) {
                return Ok(());
            }
            if let Some(pause) = written.read_pause {
                sleep(pause.0).await;
            }
        }
        self.is_whole = true;
        Ok(())
    }
}

/// Who plays the guards of a configuration. Those of which nothing is said find nothing.
fn guards(config: &Config, state: &GivenDoc) -> HashMap<TargetName, PlayedGuard> {
    let says = |name: &str| state.screens.0.iter().find(|(known, _)| known.value == name).map(|(_, says)| says.clone());
    let played = config.screens.iter().map(|(name, screen)| {
        (hop_name(name), PlayedGuard { kind: screen.kind.clone(), says: says(name).unwrap_or_default() })
    });
    played.collect()
}

/// Books what accounts have spent before the first request.
fn spend(state: &GivenDoc, ledger: &Memory, now: Timestamp) -> Result<(), String> {
    for (number, (account, spent)) in state.spent.0.iter().enumerate() {
        let hold = HoldId { request: RequestId::default(), attempt: u16::try_from(number).unwrap_or(u16::MAX) };
        let (account, cap) = (AccountId::new(&account.value), Nanos(i64::MAX));
        let leg = Leg { account, since: Slot::FIRST, cap, amount: spent.0 };
        let lapses = now.checked_add(FOREVER).unwrap_or(Timestamp::MAX);
        let claim = Claim { hold, at: now, legs: [leg].into_iter().collect(), lapses, durability: Durability::Soon };
        ledger
            .reserve(claim)
            .now_or_never()
            .ok_or("the ledger did not answer")?
            .map_err(|denied| denied.to_string())?;
        ledger.lapse(lapses);
    }
    Ok(())
}

/// Brings targets into the state that a test is given. The places that are taken are free again once the guards
/// are dropped.
fn set_up(state: &GivenDoc, book: &HealthBook) -> Vec<InFlight> {
    let of = |target: &At<String>| book.of(&TargetName::new(&target.value));
    for (target, left) in &state.breakers_open.0 {
        of(target).breaker.failed(&breaker::Settings { failures: 1, open_for: left.0, ..Default::default() });
    }
    for (target, took) in &state.first_token.0 {
        of(target).note_first_token(took.0);
    }
    for (target, left) in &state.resting.0 {
        of(target).rest(left.0);
    }
    for (target, recent) in &state.recent.0 {
        (0..recent.good).for_each(|_| of(target).note_outcome(Outcome::Good));
        (0..recent.bad).for_each(|_| of(target).note_outcome(Outcome::Bad));
    }
    let busy = state.in_flight.0.iter().flat_map(|(target, count)| (0..*count).map(move |_| of(target)));
    busy.filter_map(|health| health.enter(None)).collect()
}

/// Where the files name keys that are not on this machine, nobody has one.
fn nobody(config: &Config, environment: &Environment) -> Option<KeyFile> {
    let path = config.callers.keys.as_ref()?.value.path(environment).ok()?;
    (!path.exists()).then(|| KeyFile { keys: Vec::new() })
}

/// # Errors
/// When nobody can be such a caller.
fn keys(caller: &CallerDoc, config: &Config) -> Result<KeyFile, String> {
    let claims = match (&caller.claims, &config.callers.jwt) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(
                "a caller with claims shows a token, and the gateway takes none: it has no `callers.jwt`".into()
            );
        }
        (Some(_), _) if caller.says_more_than_claims() => {
            return Err("all there is to a caller with claims is in them".into());
        }
        (Some(claims), Some(jwt)) => {
            let said = claims.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            Some((policy::claims(jwt, &mut Vec::new()), said))
        }
    };
    let entry = KeyEntry {
        name: KeyName::new(caller.key.as_deref().unwrap_or("test")),
        hash: KeyHash::of(KEY),
        team: caller.team.as_deref().map(Into::into),
        user: caller.user.as_deref().map(Into::into),
        tags: caller.tags.iter().map(|tag| tag.as_str().into()).collect(),
        models: caller.models.clone(),
        expires: None,
        revoked: false,
        claims,
    };
    Ok(KeyFile { keys: vec![entry] })
}

fn request(written: &RequestDoc, shows_key: bool) -> Result<Request<Full<Bytes>>, String> {
    let path = written.endpoint.as_ref().map_or(ENDPOINT, |path| path.value.as_str());
    let usual = if GET_ONLY.contains(&path) { "GET" } else { "POST" };
    let method = written.method.as_ref().map_or(usual, |method| method.value.as_str());
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("`{method}` is not a method"))?;
    let body = match &written.body {
        Some(body) => text_of(body),
        None if method == Method::GET => String::new(),
        None => in_short(written, path).to_string(),
    };
    let mut request = Request::builder().method(method).uri(path).header("host", "gateway.test");
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
