//! What the steps of a policy cost: the same request through the gateway without any, and with them.
//!
//! Run `cargo bench --bench steps`. The provider is simulated in the process, so what a step costs is the difference to
//! the first line. The ledger is in a temporary folder (`TMPDIR`). Lines that begin with `cpu` count what all threads of
//! the process spend, that of the ledger included; those that begin with `wait`, how long a caller waits.
#![expect(clippy::unwrap_used, reason = "a bench that cannot start its own gateway shall stop")]

#[path = "support/cpu.rs"]
mod cpu;
mod support;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use criterion::measurement::Measurement;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use cpu::Cpu;
use support::ask;
use tidegate::base::clock::Clock;
use tidegate::gateway::reload::Reloader;
use tidegate::gateway::{Gateway, World};
use tidegate::provider::Pools;
use tidegate::state::{Embedded, Options};
use tidegate::telemetry::AccessLog;

const LIMIT: &str = "{ limit: { per: key, requests: 100000000/min, tokens: 100000000000/min, concurrent: 1000 } }";
const BUDGET: &str = "{ budget: [team, key] }";
static BODY: Bytes = Bytes::from_static(br#"{"model":"chat","messages":[{"role":"user","content":"What the tide brings in, the gate lets pass or holds back, by the rules of the house."}]}"#);

/// A policy: its steps, and how its budgets set money aside.
struct Case {
    name: &'static str,
    steps: &'static [&'static str],
    mode: Option<&'static str>,
}

const CASES: [Case; 5] = [
    Case { name: "no steps", steps: &[], mode: None },
    Case { name: "limit", steps: &[LIMIT], mode: None },
    Case { name: "balanced budgets", steps: &[BUDGET], mode: Some("balanced") },
    Case { name: "limit and balanced budgets", steps: &[LIMIT, BUDGET], mode: Some("balanced") },
    Case { name: "limit and strict budgets", steps: &[LIMIT, BUDGET], mode: Some("strict") },
];

fn files(folder: &Path, Case { steps, mode, .. }: &Case) {
    // A budget that no policy uses is an error.
    let budgets = mode.map_or_else(String::new, |mode| {
        format!(
            "budgets:
  team: {{ per: team, usd: 1000000, window: month, tz: Europe/Berlin, warn_at: 80%, mode: {mode} }}
  key: {{ per: key, usd: 1000000, window: day, mode: {mode} }}
"
        )
    });
    let text = format!(
        "version: 1
callers: {{ anonymous: true }}
providers: {{ sim: {{ kind: simulator, simulate: {{ latency: 0s, token_delay: 0s }}, price: {{ in: 1, out: 10 }} }} }}
{budgets}policies:
- {{ policy: p, steps: [{}], route: sim }}
",
        steps.join(", ")
    );
    std::fs::write(folder.join("tidegate.yaml"), text).unwrap();
}

fn measure<M: Measurement + 'static>(criterion: &mut Criterion<M>, runtime: &Runtime, what: &str, case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path(), case);
    let clock = Clock::system();
    let ledger = Embedded::open(&folder.path().join("state"), &Options::default(), clock.now()).unwrap();
    let world = World::new(clock, Arc::new(Pools::new()), AccessLog::off()).keeping(Arc::new(ledger));
    let world = Arc::new(world);
    let start = runtime.block_on(async { Reloader::start(&[folder.path().join("tidegate.yaml")], &world) });
    let Ok(start) = start else { panic!("the files are wrong") };
    let gateway = Gateway::new(world, start.snapshot);
    criterion.bench_function(&format!("{what}: {}", case.name), |bencher| {
        bencher.iter(|| runtime.block_on(ask(&gateway, &BODY)));
    });
}

fn all<M: Measurement + 'static>(criterion: &mut Criterion<M>, what: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for case in &CASES {
        measure(criterion, &runtime, what, case);
    }
}

fn cpu(criterion: &mut Criterion<Cpu>) {
    all(criterion, "cpu");
}

fn wait(criterion: &mut Criterion) {
    all(criterion, "wait");
}

criterion_group! { name = spent; config = Criterion::default().with_measurement(Cpu::default()); targets = cpu }
criterion_group!(waited, wait);
criterion_main!(spent, waited);
