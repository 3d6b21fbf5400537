//! What counting tokens costs: exactly, exactly a second time, and by the estimate.
//!
//! Run `cargo bench --bench tokens`; a name after `--` picks benches, as criterion does.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use tidegate::base::ids::{DialectId, ModelName};
use tidegate::chat::{Message, Part, Request, Role};
use tidegate::tokens::{Countable, Encoding, Tokens};

const PROSE: &str = "What the tide brings in, the gate lets pass or holds back, by the rules of the house. It's 1,024 of one and half a dozen of the other; nobody would've thought so.\n";
const ENCODINGS: [(&str, Encoding); 2] = [("o200k_base", Encoding::O200k), ("cl100k_base", Encoding::Cl100k)];

fn prose(bytes: usize) -> String {
    PROSE.chars().cycle().take(bytes).collect()
}

/// Fifty turns of 600 bytes, no two of which are the same.
fn conversation() -> Request {
    let mut request = Request::new(DialectId::OPENAI_CHAT, "gpt-4o");
    let turn = |number: usize| Message::new(Role::User, vec![Part::text(format!("{number}: {}", prose(600)))]);
    request.messages = (0..50).map(turn).collect();
    request
}

fn texts(criterion: &mut Criterion) {
    let texts = [("2 KiB of prose", prose(2 << 10)), ("64 KiB of one letter", "a".repeat(64 << 10))];
    for (name, encoding) in ENCODINGS {
        let mut group = criterion.benchmark_group(format!("count a text/{name}"));
        for (what, text) in &texts {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(*what, |bencher| bencher.iter(|| encoding.count(black_box(text))));
        }
        group.finish();
    }
}

fn conversations(criterion: &mut Criterion) {
    let (request, model) = (conversation(), ModelName::new("gpt-4o"));
    let mut group = criterion.benchmark_group("50 turns");
    group.throughput(Throughput::Bytes(Countable::of(&request).bytes() as u64));
    group.bench_function("never seen before", |bencher| {
        bencher.iter_batched_ref(
            Tokens::default,
            |tokens| tokens.count_here(Encoding::O200k, &Countable::of(black_box(&request))),
            criterion::BatchSize::SmallInput,
        );
    });
    let tokens = Tokens::default();
    group.bench_function("sent again", |bencher| {
        bencher.iter(|| tokens.count_here(Encoding::O200k, &Countable::of(black_box(&request))));
    });
    tokens.learn(&model, 1_000, 1_300);
    group.bench_function("estimated", |bencher| bencher.iter(|| tokens.estimate(&model, black_box(&request))));
    group.finish();
}

criterion_group!(benches, texts, conversations);
criterion_main!(benches);
