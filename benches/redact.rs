//! What detection costs: whole prompts, clean and not, and the deltas of a stream.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::steps::redact::{Action, Detector, Key, Replacer, Settings, Vault};

const PROSE: &str = "The committee met on Tuesday to discuss the budget for the coming year, and adjourned without a decision. \
                     Please summarise the following report in three bullet points (see chapter 12) and keep the tone neutral.\n";
const HITS: &str = "Dear Jo, write to jo.doe@example.com or call +1 415 555 0132 about 4111 1111 1111 1111 and DE89 3704 0044 0532 0130 00. \
                    The committee met on Tuesday to discuss the budget for the coming year, and adjourned without a decision, as before.\n";
const LOG: &str = "2024-03-15T10:15:30.123456Z INFO request 550e8400-e29b-41d4-a716-446655440000 took 12.345 ms, bytes=48213, status=200\n";

fn text(of: &str, bytes: usize) -> String {
    of.chars().cycle().take(bytes).collect()
}

fn bench(c: &mut Criterion) {
    for (set, find) in [("default", vec![]), ("all", vec!["all".to_owned()])] {
        let detector = Detector::compile(&Settings { find, ..Settings::default() }).unwrap();
        let mut group = c.benchmark_group(format!("redact/{set}"));
        for (name, text) in [
            ("clean_2k", text(PROSE, 2048)),
            ("hits_2k", text(HITS, 2048)),
            ("log_2k", text(LOG, 2048)),
            ("clean_64k", text(PROSE, 65_536)),
        ] {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(name, |b| b.iter(|| detector.findings(black_box(&text), "")));
        }
        let deltas: Vec<String> =
            text(HITS, 4096).chars().collect::<Vec<_>>().chunks(5).map(|chunk| chunk.iter().collect()).collect();
        group.throughput(Throughput::Elements(deltas.len() as u64));
        group.bench_function("deltas", |b| {
            b.iter(|| {
                let mut vault = Vault::new(Key::derive(b"secret", "scope"));
                let mut judge = Replacer::new(&detector, &mut vault, |_| Action::Mask);
                let (mut lane, mut out) = (detector.lane(""), String::new());
                for delta in &deltas {
                    detector.push(&mut lane, black_box(delta), &mut judge, &mut out).unwrap();
                }
                detector.end(&mut lane, &mut judge, &mut out).unwrap();
                out
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
