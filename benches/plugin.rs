//! What a plugin costs: through the gateway, and by itself.
//!
//! Run `cargo bench --bench plugin`. The plugin lets everything pass; it is `tests/plugins/probe`, built for the occasion. The
//! provider is simulated in the process, so what the step costs is the difference to the first line.
#![expect(clippy::unwrap_used, reason = "a bench that cannot start its own gateway shall stop")]

mod support;
#[path = "../tests/support/wasm.rs"]
mod wasm;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use support::ask;
use tidegate::base::clock::Clock;
use tidegate::gateway::reload::Reloader;
use tidegate::gateway::{Gateway, World};
use tidegate::provider::Pools;
use tidegate::telemetry::AccessLog;
use tidegate::wasm::types::{ChatRequest, Context, Delta, Message, Part, Piece, Role};
use tidegate::wasm::{Abilities, Call, Component, Engine, Isolation, Limits, Log, Plugin, Setup, log};

struct Quiet;

impl Log for Quiet {
    fn write(&self, _: log::Level, _: &str) {}
}

fn built() -> PathBuf {
    wasm::probe("request,stream", Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// A request whose text has so many bytes.
fn body(size: usize) -> Bytes {
    let text = "What the tide brings in, the gate lets pass. ".repeat(size / 45 + 1);
    let text = text.get(..size).unwrap();
    format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"{text}"}}]}}"#).into()
}

fn through(criterion: &mut Criterion, runtime: &Runtime, name: &str, steps: &str, size: usize) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "version: 1
callers: {{ anonymous: true }}
providers: {{ sim: {{ kind: simulator, simulate: {{ latency: 0s, token_delay: 0s }} }} }}
policies: [{{ policy: p, steps: [{steps}], route: sim }}]
"
    );
    std::fs::write(folder.path().join("tidegate.yaml"), text).unwrap();
    let world = Arc::new(World::new(Clock::system(), Arc::new(Pools::new()), AccessLog::off()));
    let start = runtime.block_on(async { Reloader::start(&[folder.path().join("tidegate.yaml")], &world) });
    let Ok(start) = start else { panic!("the files are wrong") };
    let (gateway, body) = (Gateway::new(world, start.snapshot), body(size));
    criterion.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(ask(&gateway, &body))));
}

fn context() -> Context {
    let (request_id, policy, dialect) = ("r".into(), "p".into(), "openai_chat".into());
    let (key, team, user, claims_json) = (None, None, None, None);
    let (caller_tags, headers, tags, deadline_ms) = (vec![], vec![], vec![], 2_000);
    Context { request_id, policy, dialect, key, team, user, caller_tags, claims_json, headers, tags, deadline_ms }
}

fn request(size: usize) -> ChatRequest {
    let message = Message { role: Role::User, name: None, parts: vec![Part::Text("x".repeat(size))] };
    ChatRequest { model: "m".into(), messages: vec![message], tools: vec![], params_json: "{}".into(), streaming: true }
}

fn plugin(isolation: Isolation) -> Plugin {
    let limits = Limits::default();
    let bytes = std::fs::read(built()).unwrap();
    let component = Component::load(Engine::of_process().unwrap(), &bytes, &limits).unwrap();
    let abilities = Abilities::none(Arc::new(Quiet));
    Plugin::new(component, Setup { limits, abilities, config: "{}".into(), isolation }).unwrap()
}

fn by_itself(criterion: &mut Criterion, runtime: &Runtime) {
    let (pooled, fresh) = (plugin(Isolation::Pooled), plugin(Isolation::Request));
    for (name, plugin, size) in
        [("pooled, 2 KiB", &pooled, 2 << 10), ("pooled, 64 KiB", &pooled, 64 << 10), ("fresh, 2 KiB", &fresh, 2 << 10)]
    {
        let (context, request) = (context(), request(size));
        criterion.bench_function(&format!("call: {name}"), |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let call = Call::within(plugin.limits().wall);
                    let mut taken = plugin.take(&call).await.unwrap();
                    taken.instance().unwrap().on_request(call, &context, &request).await.unwrap();
                    taken.give_back();
                });
            });
        });
    }
    let batch = [Delta { choice: 0, part: 0, piece: Piece::Text("a few words".into()) }];
    let (context, request) = (context(), request(2 << 10));
    criterion.bench_function("call: a stream of 100 pieces", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let call = Call::within(pooled.limits().wall);
                let mut taken = pooled.take(&call).await.unwrap();
                let instance = taken.instance().unwrap();
                let session = instance.open(call.clone(), &context, &request).await.unwrap();
                for _ in 0..100 {
                    instance.push(call.clone(), &session, &batch).await.unwrap();
                }
                instance.finish(call.clone(), &session, None).await.unwrap();
                instance.close(call, session).await.unwrap();
                taken.give_back();
            });
        });
    });
}

fn plugins(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let step =
        |more: &str| format!("{{ plugin: {{ wasm: \"{}\", grants: [request.text]{more} }} }}", built().display());
    for size in [2 << 10, 64 << 10] {
        let name = |what: &str| format!("gateway, {} KiB: {what}", size >> 10);
        through(criterion, &runtime, &name("no steps"), "", size);
        through(criterion, &runtime, &name("a plugin"), &step(""), size);
        through(criterion, &runtime, &name("a fresh instance each"), &step(", isolation: request"), size);
    }
    by_itself(criterion, &runtime);
}

criterion_group!(benches, plugins);
criterion_main!(benches);
