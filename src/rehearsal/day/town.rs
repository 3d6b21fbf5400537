//! The gateway of a day, and its callers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::duplex;
use tokio::time::{Instant, sleep, sleep_until};

use super::judge::{Embedded, Judge, Report};
use super::till::Till;
use super::traffic::Asked;
use super::upstream::{Upstream, mark_in};
use crate::auth::{KeyEntry, KeyFile, KeyHash};
use crate::base::clock::Clock;
use crate::base::ids::KeyName;
use crate::embedding::Shelf;
use crate::gateway::{Decision, FetchOverPools, Gateway, Witness, World};
use crate::policy::{Connections, Environment, Loaded, Parts, Problem, Settings, compile};
use crate::provider::Pools;
use crate::rehearsal::play::PIPE;
use crate::server;
use crate::state::answers::Record;
use crate::steps::Stores;
use crate::telemetry::{AccessLog, Line};

/// The gateway.
pub struct Town {
    gateway: Arc<Gateway>,
    connections: Connections,
    upstream: Arc<Upstream>,
    till: Arc<Till>,
    seen: Arc<Seen>,
}

/// The lines of requests that are over.
#[derive(Default)]
struct Seen(Mutex<Vec<Line>>);

impl Witness for Seen {
    fn saw(&self, decision: Decision) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(decision.line);
    }
}

impl Seen {
    fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Town {
    /// # Errors
    /// What keeps the configuration from running.
    pub fn build(loaded: &Loaded, environment: &Environment, traffic: &[Asked]) -> Result<Self, String> {
        let Some(config) = &loaded.config else { return Err("the configuration has errors".into()) };
        let report = |problems: Vec<Problem>| loaded.report(&problems);
        let settings = Settings::of(config, environment).map_err(|problem| report(vec![problem]))?;
        let upstream = Arc::new(Upstream::knowing(traffic));
        let clock = Clock::starting_at(MORNING.parse().map_err(|error| format!("no such day: {error}"))?);
        let pools = Arc::new(Pools::on(Arc::new(Arc::clone(&upstream)) as _));
        let (seen, till) = (Arc::new(Seen::default()), Arc::new(Till::default()));
        let world = World::new(clock, Arc::clone(&pools), AccessLog::off());
        let world = world.with(Stores { embedders: Shelf::rehearsing(), ..Stores::default() });
        let world = world.before(Arc::clone(&seen) as _).keeping(Arc::clone(&till) as _);
        let parts = Parts {
            pools: &world.pools,
            health: &world.health,
            canaries: &world.canaries,
            stores: &world.stores,
            fetch: Arc::new(FetchOverPools(pools)),
            environment,
            callers: Some(keys(traffic)),
            previous: None,
            shows_raw: true,
            now: clock.now(),
        };
        let snapshot = compile(config, &loaded.revision, &parts).map_err(report)?;
        let speaks: HashMap<_, _> =
            snapshot.targets.iter().map(|target| (target.name.clone(), target.dialect)).collect();
        upstream.cast(speaks);
        let gateway = Arc::new(Gateway::new(Arc::new(world), Arc::new(snapshot)));
        Ok(Self { gateway, connections: settings.connections, upstream, till, seen })
    }

    /// Lets the day pass.
    ///
    /// # Errors
    /// When a request cannot be sent.
    pub async fn live(self, model: &str, traffic: &[Asked]) -> Result<Report, String> {
        let (midnight, mut judge) = (Instant::now(), Judge::default());
        for asked in traffic {
            sleep_until(midnight + asked.at).await;
            let body = self.ask(model, asked).await?;
            // Time jumps only once nobody has anything left to do.
            sleep(MOMENT).await;
            let lines = self.seen.take();
            lines.iter().for_each(|line| judge.pay(line));
            if let Some(line) = lines.iter().find(|line| !line.is_beside()) {
                judge.see(asked, mark_in(&body), line);
            }
        }
        let (asked, played) = self.upstream.counts();
        let embedded = Embedded { played, here: self.gateway.world().stores.embedders.asked() };
        Ok(judge.close(asked, embedded, self.till.unasked(), self.tried()))
    }

    /// How answers to similar questions have fared.
    fn tried(&self) -> Record {
        let policies = &self.gateway.pin().policies;
        let standings =
            policies.iter().flat_map(|policy| self.gateway.world().stores.trust.all_of(&policy.line.policy));
        standings.fold(Record::default(), |sum, (_, standing)| Record {
            tried: sum.tried + standing.record.tried,
            wrong: sum.wrong + standing.record.wrong,
        })
    }

    /// Sends a request over a connection of its own; the body of its answer.
    async fn ask(&self, model: &str, asked: &Asked) -> Result<Bytes, String> {
        let (near, far) = duplex(PIPE);
        tokio::spawn(server::serve_one(Arc::clone(&self.gateway), far, self.connections));
        let broken = |error: hyper::Error| format!("the gateway gave no answer: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request(model, asked)?).await.map_err(broken)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        connection.abort();
        if status == StatusCode::UNAUTHORIZED {
            return Err(format!(
                "the configuration lets none of the day's callers in: {}",
                String::from_utf8_lossy(&body)
            ));
        }
        Ok(body)
    }
}

fn request(model: &str, asked: &Asked) -> Result<Request<Full<Bytes>>, String> {
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    let system = asked.system.as_deref().map(|text| message("system", text));
    let before = asked.before.iter().zip(["user", "assistant"].iter().cycle()).map(|(text, role)| message(role, text));
    let messages: Value = system.into_iter().chain(before).chain([message("user", &asked.text)]).collect();
    let body = json!({"model": model, "stream": asked.is_stream, "messages": messages});
    Request::builder()
        .method("POST")
        .uri("/v1/chat/completions")
        .header("host", "gateway.test")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", key(&asked.user)))
        .body(Full::new(body.to_string().into()))
        .map_err(|error| format!("the request cannot be sent: {error}"))
}

/// A key for each caller.
fn keys(traffic: &[Asked]) -> KeyFile {
    let callers: BTreeMap<_, _> = traffic.iter().map(|asked| (&asked.user, &asked.team)).collect();
    let entry = |(user, team): (&String, &String)| KeyEntry {
        name: KeyName::new(user),
        hash: KeyHash::of(&key(user)),
        team: Some(team.as_str().into()),
        user: Some(user.as_str().into()),
        tags: [].into(),
        models: Vec::new(),
        expires: None,
        revoked: false,
        claims: None,
    };
    KeyFile { keys: callers.into_iter().map(entry).collect() }
}

fn key(user: &str) -> String {
    let plain: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("tg-{plain}")
}

/// When the day begins.
const MORNING: &str = "2026-01-05T00:00:00Z";
const MOMENT: Duration = Duration::from_millis(1);
