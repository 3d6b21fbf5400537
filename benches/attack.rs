//! What others notice of plugins that attack: how long requests take that have nothing to do with them.
//!
//! Run `cargo bench --bench attack`. Eight policies have a plugin each that does its worst to every request and is called
//! without pause, whatever its breaker makes of that; a ninth has none, and its callers' waits are what is shown. All of it
//! is one process with a simulated provider, on two threads.
#![expect(clippy::unwrap_used, reason = "a bench that cannot start its own gateway shall stop")]

mod support;
#[path = "../tests/support/wasm.rs"]
mod wasm;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Builder;

use support::try_ask;
use tidegate::base::clock::Clock;
use tidegate::gateway::reload::Reloader;
use tidegate::gateway::{Gateway, World};
use tidegate::provider::Pools;
use tidegate::telemetry::AccessLog;

/// What the plugins do, and what else their policies say of them.
const ATTACKS: [(&str, &str, &str); 8] = [
    ("nothing", "{ do: pass }", ""),
    ("loop", "{ do: loop }", ""),
    ("memory", "{ do: memory }", ""),
    ("recursion", "{ do: recurse }", ""),
    ("huge return", "{ do: return, number: 4000000 }", ", grants: [request.text]"),
    ("host calls", "{ do: calls, number: 100000 }", ""),
    ("log", "{ do: log, number: 200, text: '0123456789 0123456789 0123456789 0123456789' }", ""),
    ("handles", "{ do: handles, number: 100000 }", ""),
];
const POLICIES: usize = 8;
const ATTACKERS_EACH: usize = 4;
const LASTS: Duration = Duration::from_secs(3);

fn body(model: &str) -> Bytes {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello"}}]}}"#).into()
}

fn file(act: &str, more: &str) -> String {
    let plugin = wasm::probe("request", Path::new(env!("CARGO_TARGET_TMPDIR")));
    let mut text = String::from(
        "version: 1\ncallers: { anonymous: true }\n\
         providers: { sim: { kind: simulator, simulate: { latency: 0s, token_delay: 0s } } }\npolicies:\n",
    );
    for number in 0..POLICIES {
        let step = format!("{{ wasm: \"{}\", config: {{ request: {act} }}{more} }}", plugin.display());
        let _ = writeln!(
            text,
            "  - {{ policy: evil{number}, for: {{ models: [evil{number}] }}, steps: [{{ plugin: {step} }}], route: sim }}"
        );
    }
    text + "  - { policy: p, route: sim }\n"
}

/// How long others waited, in order, and how often a plugin was called.
fn attacked(act: &str, more: &str) -> (Vec<Duration>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidegate.yaml");
    std::fs::write(&path, file(act, more)).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = Arc::new(World::new(Clock::system(), Arc::new(Pools::new()), AccessLog::off()));
    let start = runtime.block_on(async { Reloader::start(&[path], &world) }).unwrap();
    let gateway = Arc::new(Gateway::new(world, start.snapshot));
    let (over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    for number in (0..POLICIES).flat_map(|number| std::iter::repeat_n(number, ATTACKERS_EACH)) {
        let (gateway, over, calls, body) =
            (Arc::clone(&gateway), Arc::clone(&over), Arc::clone(&calls), body(&format!("evil{number}")));
        runtime.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                try_ask(&gateway, &body).await;
                calls.fetch_add(1, Ordering::Relaxed);
                // A caller over a network takes a while to call again.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
    let asking = runtime.spawn(async move {
        let (mut waits, begun, body) = (Vec::new(), Instant::now(), body("m"));
        while begun.elapsed() < LASTS {
            let asked = Instant::now();
            assert!(try_ask(&gateway, &body).await, "an honest request was refused");
            waits.push(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waits
    });
    let mut waits = runtime.block_on(asking).unwrap();
    over.store(true, Ordering::Relaxed);
    waits.sort();
    (waits, calls.load(Ordering::Relaxed))
}

fn main() {
    println!("{:<12} {:>9} {:>9} {:>9} {:>9} {:>10}", "attack", "p50 µs", "p99 µs", "worst µs", "requests", "attempts");
    for (name, act, more) in ATTACKS {
        let (waits, calls) = attacked(act, more);
        let at = |share: usize| waits.get((waits.len() - 1) * share / 100).unwrap().as_micros();
        println!("{name:<12} {:>9} {:>9} {:>9} {:>9} {calls:>10}", at(50), at(99), at(100), waits.len());
    }
}
