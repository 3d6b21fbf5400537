//! What a kept answer costs: the way of a request through the gateway that is answered by its cache, beside one that is
//! asked, and the canonical form by itself.
//!
//! Run `cargo bench --bench cache`. The provider is simulated in the process and takes no time, so a hit saves nothing of
//! it here: what is measured is the gateway's own work.
#![expect(clippy::unwrap_used, reason = "a bench that cannot start its own gateway shall stop")]

mod support;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use support::ask;
use tidegate::base::clock::Clock;
use tidegate::base::ids::PolicyName;
use tidegate::gateway::reload::Reloader;
use tidegate::gateway::{Gateway, World};
use tidegate::provider::Pools;
use tidegate::state::EmbeddedAnswers;
use tidegate::state::answers::{Place, Question, Room, Scope};
use tidegate::steps::Stores;
use tidegate::steps::cache::canonical::canonical;
use tidegate::steps::cache::likeness::features::Features;
use tidegate::steps::cache::likeness::index::{Index, Known, Near};
use tidegate::steps::cache::likeness::judge::Judge;
use tidegate::steps::cache::likeness::vector::Vector;
use tidegate::telemetry::AccessLog;

const QUESTION: &str = "How do I reset the password of my account at the office in Rotterdam?";
const OTHER_WORDS: &str = "Hi, how can I reset the password of my account at the office in Rotterdam";

fn asking(text: &str, rest: &str) -> Bytes {
    format!(r#"{{"model":"chat",{rest}"messages":[{{"role":"user","content":"{text}"}}]}}"#).into()
}

/// A gateway whose answers are in memory, or in the folder.
fn gateway(runtime: &Runtime, folder: &Path, steps: &str, is_on_disk: bool) -> Gateway {
    let text = format!(
        "version: 1
callers: {{ anonymous: true }}
providers: {{ sim: {{ kind: simulator, simulate: {{ latency: 0s, token_delay: 0s }}, price: {{ in: 1, out: 10 }} }} }}
policies:
- {{ policy: p, steps: [{steps}], route: sim }}
"
    );
    std::fs::write(folder.join("tidegate.yaml"), text).unwrap();
    let clock = Clock::system();
    let mut stores = Stores::default();
    if is_on_disk {
        stores.answers = Arc::new(EmbeddedAnswers::open(&folder.join("answers"), clock).unwrap());
    }
    let world = Arc::new(World::new(clock, Arc::new(Pools::new()), AccessLog::off()).with(stores));
    let start = runtime.block_on(async { Reloader::start(&[folder.join("tidegate.yaml")], &world) });
    let Ok(start) = start else { panic!("the files are wrong") };
    Gateway::new(world, start.snapshot)
}

/// The same request again and again; where it is kept, all but the first are hits.
fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, steps: &str, bodies: [&Bytes; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(runtime, folder.path(), steps, false);
    runtime.block_on(ask(&gateway, bodies[0]));
    criterion.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(ask(&gateway, bodies[1]))));
}

fn hits(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (plain, streamed) = (asking(QUESTION, ""), asking(QUESTION, r#""stream":true,"#));
    let long = asking(&QUESTION.repeat(230), "");
    measure(criterion, &runtime, "asked, without the step", "", [&plain, &plain]);
    let warm = asking(QUESTION, r#""temperature":1,"#);
    measure(criterion, &runtime, "passed by", "{ cache: { max_temperature: 0 } }", [&warm, &warm]);
    measure(criterion, &runtime, "exact hit", "{ cache: {} }", [&plain, &plain]);
    measure(criterion, &runtime, "exact hit, 16 KiB", "{ cache: {} }", [&long, &long]);
    another_each_time(criterion, &runtime);
    measure(criterion, &runtime, "exact hit, streamed", "{ cache: {} }", [&plain, &streamed]);
    let other = asking(OTHER_WORDS, "");
    measure(criterion, &runtime, "canonical hit", "{ cache: { canonical: true } }", [&plain, &other]);
}

/// Long questions in turn, more of them than are remembered word by word: each must be read as if it came for the first time.
fn another_each_time(criterion: &mut Criterion, runtime: &Runtime) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(runtime, folder.path(), "{ cache: {} }", false);
    let bodies: Vec<_> = (0..200).map(|nth| asking(&format!("{nth} {}", QUESTION.repeat(230)), "")).collect();
    bodies.iter().for_each(|body| runtime.block_on(ask(&gateway, body)));
    let mut turns = bodies.iter().cycle();
    criterion.bench_function("exact hit, 16 KiB, another each time", |bencher| {
        bencher.iter(|| runtime.block_on(ask(&gateway, turns.next().unwrap())));
    });
}

/// The near copy of a store on disk answers at once; without it each hit would wait for another thread.
fn near(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&runtime, folder.path(), "{ cache: {} }", true);
    let plain = asking(QUESTION, "");
    runtime.block_on(ask(&gateway, &plain));
    criterion.bench_function("exact hit, near copy of the disk", |bencher| {
        bencher.iter(|| runtime.block_on(ask(&gateway, &plain)));
    });
}

fn forms(criterion: &mut Criterion) {
    criterion.bench_function("canonical form", |bencher| bencher.iter(|| canonical(black_box(QUESTION))));
    let longest = QUESTION.trim_end_matches('?').repeat(14);
    criterion.bench_function("canonical form, 966 bytes", |bencher| bencher.iter(|| canonical(black_box(&longest))));
}

/// What the tier for similar questions takes beside the embedder: the words of a question, and the likest of as many as a
/// policy usually keeps, all in one frame, of which none is near enough. Vectors are those of a small model: once far from
/// each other, and once all about one topic, which takes a longer look at each.
fn similar(criterion: &mut Criterion) {
    let form = canonical(QUESTION).unwrap();
    criterion.bench_function("words of a question", |bencher| bencher.iter(|| Features::of(black_box(&form))));
    let (mut random, judge) = (fastrand::Rng::with_seed(1), Judge { least: 0.9, score: None });
    for (name, topic) in [("the likest of 10,000 questions", 0.0), ("the likest of 10,000 questions of one topic", 0.5)]
    {
        let mut vector = || Vector::of(&(0..384).map(|_| random.f32() - 0.5 + topic).collect::<Vec<_>>()).unwrap();
        let (frame, index) = known(&mut vector);
        let (asked, features) = (vector(), Features::of(&form));
        assert_eq!(index.near(&frame, &asked, &features, judge), Near::Nothing, "{name}");
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| index.near(&frame, black_box(&asked), &features, judge));
        });
    }
}

fn known(vector: &mut dyn FnMut() -> Vector) -> (Place, Index) {
    let scope = Scope::new(&PolicyName::new("p"), "key", &[]);
    let (frame, index) = (scope.place(Question([0; 32])), Index::default());
    let room = Room { bytes: 64 << 20, entries: 10_000, lasts: Duration::MAX };
    for number in 0..10_000_u32 {
        let mut question = [0; 32];
        question[..4].copy_from_slice(&number.to_be_bytes());
        let features = Arc::new(Features::of(&format!("how to reset account {number}")));
        let known = Known { vector: Arc::new(vector()), features, place: scope.place(Question(question)) };
        index.add(&frame, known, room);
    }
    (frame, index)
}

criterion_group!(benches, hits, near, forms, similar);
criterion_main!(benches);
