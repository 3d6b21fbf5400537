//! What traces and the decision log cost a request: the same one through the gateway without any, and with them.
//!
//! Run `cargo bench --bench telemetry`. The provider is simulated in the process, so what a request pays is the difference
//! to the first line; `push` is the hand-over alone. What is told is told by a thread of its own, as in a gateway, to a
//! collector that is not there: its queues are full, and each push lets go of the oldest. No more than 10 µs of a request
//! may be for it.
#![expect(clippy::unwrap_used, reason = "a bench that cannot start its own gateway shall stop")]

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use support::ask;
use tidegate::base::clock::Clock;
use tidegate::base::trace::TraceContext;
use tidegate::gateway::reload::Reloader;
use tidegate::gateway::{Gateway, World};
use tidegate::provider::Pools;
use tidegate::telemetry::otlp::Story;
use tidegate::telemetry::{AccessLog, Line};

static BODY: Bytes = Bytes::from_static(br#"{"model":"chat","messages":[{"role":"user","content":"What the tide brings in, the gate lets pass or holds back, by the rules of the house."}]}"#);

const NOBODY: &str = "otlp: { endpoint: \"http://127.0.0.1:9\", dialects: [genai, langfuse, openinference]";

/// A gateway whose telemetry is told by the threads of `telling`. It is its own folder's.
fn gateway(asking: &Runtime, telling: &Runtime, telemetry: &str) -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "version: 1
callers: {{ anonymous: true }}
telemetry: {{ {telemetry} }}
providers: {{ sim: {{ kind: simulator, simulate: {{ latency: 0s, token_delay: 0s }}, price: {{ in: 1, out: 10 }} }} }}
policies:
- {{ policy: p, route: sim }}
"
    );
    std::fs::write(folder.path().join("tidegate.yaml"), text).unwrap();
    let world = Arc::new(World::new(Clock::system(), Arc::new(Pools::new()), AccessLog::off()));
    let start = asking.block_on(async { Reloader::start(&[folder.path().join("tidegate.yaml")], &world) });
    let Ok(start) = start else { panic!("the files are wrong") };
    let _telling = telling.enter();
    (Gateway::new(world, start.snapshot), folder)
}

fn story() -> Story {
    Story {
        context: TraceContext::fresh(),
        link: None,
        began: SystemTime::now(),
        line: Line::default(),
        is_of_stranger: false,
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        revision: None,
        session: None,
        tags: Vec::new(),
        estimated: None,
        numbers: Default::default(),
        baggage: Vec::new(),
        texts: None,
        steps: Vec::new(),
        attempts: Vec::new(),
        passed_over: Vec::new(),
    }
}

fn telemetry(criterion: &mut Criterion) {
    let asking = Builder::new_current_thread().enable_all().build().unwrap();
    let telling = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (name, telemetry) in [
        ("no telemetry", String::new()),
        ("traces", format!("{NOBODY} }}")),
        ("traces with texts", format!("{NOBODY}, content: redacted }}")),
        ("decisions", "decisions: { dir: kept }".to_owned()),
        ("traces and decisions", format!("{NOBODY} }}, decisions: {{ dir: kept }}")),
    ] {
        let (gateway, _folder) = gateway(&asking, &telling, &telemetry);
        criterion.bench_function(name, |bencher| bencher.iter(|| asking.block_on(ask(&gateway, &BODY))));
    }
    let (gateway, _folder) = gateway(&asking, &telling, &format!("{NOBODY} }}"));
    criterion.bench_function("push", |bencher| bencher.iter(|| gateway.world().traces.hand_over(2, story)));
    telling.shutdown_timeout(Duration::from_secs(1));
}

criterion_group!(benches, telemetry);
criterion_main!(benches);
