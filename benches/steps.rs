//! What the steps of a policy cost: the same request through the gateway without any, and with them.
//!
//! Run `cargo bench --bench steps`. The provider is simulated in the process, so what a step costs is the difference to
//! the first line. The ledger is in a temporary folder (`TMPDIR`); what its own thread does meanwhile is not in here.
#![expect(clippy::unwrap_used, reason = "a bench that cannot start its own gateway shall stop")]

mod support;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use support::ask;
use tidegate::base::clock::Clock;
use tidegate::gateway::reload::Reloader;
use tidegate::gateway::{Gateway, World};
use tidegate::provider::Pools;
use tidegate::state::{Embedded, Options};
use tidegate::telemetry::AccessLog;

const LIMIT: &str = "{ limit: { per: key, requests: 100000000/min, tokens: 100000000000/min, concurrent: 1000 } }";
const BALANCED: &str = "{ budget: [team, key] }";
static BODY: Bytes = Bytes::from_static(br#"{"model":"chat","messages":[{"role":"user","content":"What the tide brings in, the gate lets pass or holds back, by the rules of the house."}]}"#);

const BUDGETS: &str = "budgets:
  team: { per: team, usd: 1000000, window: month, tz: Europe/Berlin, warn_at: 80%, mode: balanced }
  key: { per: key, usd: 1000000, window: day, mode: balanced }
";

fn files(folder: &Path, steps: &[&str]) {
    // A budget that no policy uses is an error.
    let budgets = if steps.contains(&BALANCED) { BUDGETS } else { "" };
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

fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, steps: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path(), steps);
    let clock = Clock::system();
    let ledger = Embedded::open(&folder.path().join("state"), &Options::default(), clock.now()).unwrap();
    let world = World::new(clock, Arc::new(Pools::new()), AccessLog::off()).keeping(Arc::new(ledger));
    let world = Arc::new(world);
    let start = runtime.block_on(async { Reloader::start(&[folder.path().join("tidegate.yaml")], &world) });
    let Ok(start) = start else { panic!("the files are wrong") };
    let gateway = Gateway::new(world, start.snapshot);
    criterion.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(ask(&gateway, &BODY))));
}

fn steps(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    measure(criterion, &runtime, "no steps", &[]);
    measure(criterion, &runtime, "limit", &[LIMIT]);
    measure(criterion, &runtime, "balanced budgets", &[BALANCED]);
    measure(criterion, &runtime, "limit and balanced budgets", &[LIMIT, BALANCED]);
}

criterion_group!(benches, steps);
criterion_main!(benches);
