//! What the wire costs: reading requests, and reading, forwarding and translating streams.
//!
//! Run `cargo bench --bench dialects`; a name after `--` picks benches, as criterion does. Sizes are those
//! of the load comparison, so that a change here can be looked for there.
#![expect(clippy::unwrap_used, reason = "a bench that cannot read its own input shall stop")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::de::IgnoredAny;

use tidegate::base::ids::{DialectId, ModelName};
use tidegate::base::json::{Malformed, Reader};
use tidegate::chat::Events;
use tidegate::dialect::{self, Asked, Cut, Dialect, Record, Records, SseReader, StreamReader};

const SIZES: [(&str, usize); 3] = [("300 B", 300), ("16 KiB", 16 << 10), ("256 KiB", 256 << 10)];
const PLAIN: &str = "What the tide brings in, the gate lets pass or holds back, by the rules of the house. ";
/// As code and other languages are written by clients that escape all they may.
const ESCAPED: &str =
    r#"fn main() {\n    println!(\"Gr\u00fc\u00df Gott \ud83d\ude00\");\n}\n\tand so on, line by line\n"#;
const DIALECTS: [DialectId; 2] = [DialectId::OPENAI_CHAT, DialectId::ANTHROPIC_MESSAGES];
const CHUNKS: usize = 100;

fn requests(criterion: &mut Criterion) {
    for id in DIALECTS {
        let dialect = dialect::by_id(id).unwrap();
        let mut group = criterion.benchmark_group(format!("read a request/{id}"));
        for (text, piece) in [("plain", PLAIN), ("escaped", ESCAPED)] {
            for (name, size) in SIZES {
                let body = request(piece, size);
                group.throughput(Throughput::Bytes(body.len() as u64));
                group.bench_with_input(BenchmarkId::new(text, name), &body, |bencher, body| {
                    bencher.iter(|| dialect.read_request(black_box(body)).unwrap());
                });
            }
        }
        group.finish();
    }
}

fn streams(criterion: &mut Criterion) {
    for from in DIALECTS {
        let chunks = stream(from);
        for to in DIALECTS {
            let what = if from == to { "forward" } else { "translate" };
            let mut group = criterion.benchmark_group(format!("{what} a stream of {CHUNKS} chunks"));
            group.throughput(Throughput::Elements(CHUNKS as u64));
            let (reads, writes) = (dialect::by_id(from).unwrap(), dialect::by_id(to).unwrap());
            group.bench_with_input(BenchmarkId::new(from.0, to.0), &chunks, |bencher, chunks| {
                bencher.iter(|| carry(reads, writes, black_box(chunks)));
            });
            group.finish();
        }
    }
}

/// Reads a stream chunk by chunk, as paced streams arrive, and writes each chunk at once.
fn carry(from: &dyn Dialect, to: &dyn Dialect, chunks: &[Bytes]) -> usize {
    let asked = Asked { model: ModelName::new("bench-model"), wants_usage: true, created: 1_767_225_600 };
    let (mut reader, mut writer) = (from.stream_reader(), to.stream_writer(&asked));
    let (mut frames, mut out, mut sent) = (Vec::new(), BytesMut::new(), 0);
    for chunk in chunks {
        reader.feed(chunk.clone(), &mut frames).unwrap();
        for frame in frames.drain(..) {
            writer.write(&frame, &mut out);
        }
        sent += out.split().len();
    }
    reader.finish(&mut frames).unwrap();
    sent
}

/// Takes no interest in any record.
struct Unread;

impl Records for Unread {
    fn dialect(&self) -> DialectId {
        DialectId("unread")
    }

    fn record(&mut self, record: &Record, _: &mut Events) -> Result<(), Malformed> {
        black_box(record);
        Ok(())
    }

    fn end(&mut self, _: &mut Events) -> Result<(), Cut> {
        Ok(())
    }
}

fn records(criterion: &mut Criterion) {
    let chunks = stream(DialectId::OPENAI_CHAT);
    let whole: Bytes = chunks.concat().into();
    let mut group = criterion.benchmark_group("find the records of a stream");
    group.throughput(Throughput::Bytes(whole.len() as u64));
    for (name, pieces) in
        [("a read each", chunks), ("one read for all", vec![whole.clone()]), ("cut at 1,000 bytes", cut(&whole))]
    {
        group.bench_with_input(name, &pieces, |bencher, pieces| {
            bencher.iter(|| {
                let mut reader = SseReader::new(Unread);
                let mut frames = Vec::new();
                for piece in pieces {
                    reader.feed(piece.clone(), &mut frames).unwrap();
                }
                reader.finish(&mut frames).unwrap();
                frames.len()
            });
        });
    }
    group.finish();
}

fn cut(whole: &Bytes) -> Vec<Bytes> {
    whole.chunks(1000).map(|piece| whole.slice_ref(piece)).collect()
}

fn json(criterion: &mut Criterion) {
    for (text, piece) in [("plain", PLAIN), ("escaped", ESCAPED)] {
        let mut group = criterion.benchmark_group(format!("pass over JSON/{text}"));
        for (name, size) in SIZES {
            let body = request(piece, size);
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_with_input(BenchmarkId::new("Reader::skip", name), &body, |bencher, body| {
                bencher.iter(|| {
                    let mut reader = Reader::new(black_box(body));
                    reader.skip().unwrap();
                    reader.end().unwrap();
                });
            });
            group.bench_with_input(BenchmarkId::new("serde_json IgnoredAny", name), &body, |bencher, body| {
                bencher.iter(|| serde_json::from_str::<IgnoredAny>(black_box(body)).unwrap());
            });
        }
        group.finish();
    }
}

/// A request that both dialects understand, of about `size` bytes.
fn request(piece: &str, size: usize) -> ByteString {
    let start = concat!(
        r#"{"model":"bench-model","max_tokens":1024,"temperature":0.7,"stream":true,"#,
        r#""messages":[{"role":"user","content":""#
    );
    let end = r#""}]}"#;
    let room = size.saturating_sub(start.len() + end.len());
    format!("{start}{}{end}", piece.repeat(room.div_ceil(piece.len()))).into()
}

/// A streamed answer, a record for each read.
fn stream(dialect: DialectId) -> Vec<Bytes> {
    let records = if dialect == DialectId::OPENAI_CHAT { openai_records() } else { anthropic_records() };
    records.into_iter().map(Bytes::from).collect()
}

fn openai_records() -> Vec<String> {
    let record = |choices: &str, usage: &str| {
        format!(
            concat!(
                r#"data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"#,
                r#""model":"bench-model","system_fingerprint":"fp_bench","choices":{},"usage":{}}}"#,
                "\n\n"
            ),
            choices, usage
        )
    };
    let choice = |delta: &str, finish: &str| {
        record(&format!(r#"[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]"#), "null")
    };
    let mut records = vec![choice(r#"{"role":"assistant","content":""}"#, "null")];
    records.extend((0..CHUNKS).map(|n| choice(&format!(r#"{{"content":" tok{}"}}"#, n % 10), "null")));
    records.push(choice("{}", r#""stop""#));
    records.push(record("[]", r#"{"prompt_tokens":70,"completion_tokens":100,"total_tokens":170}"#));
    records.push("data: [DONE]\n\n".into());
    records
}

fn anthropic_records() -> Vec<String> {
    let record = |event: &str, rest: &str| format!("event: {event}\ndata: {{\"type\":\"{event}\"{rest}}}\n\n");
    let message = concat!(
        r#","message":{"id":"msg_bench","type":"message","role":"assistant","model":"bench-model","content":[],"#,
        r#""stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":70,"output_tokens":1}}"#
    );
    let mut records = vec![
        record("message_start", message),
        record("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
    ];
    let delta = |n| format!(r#","index":0,"delta":{{"type":"text_delta","text":" tok{}"}}"#, n % 10);
    records.extend((0..CHUNKS).map(|n| record("content_block_delta", &delta(n))));
    records.push(record("content_block_stop", r#","index":0"#));
    let ending = r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":100}"#;
    records.push(record("message_delta", ending));
    records.push(record("message_stop", ""));
    records
}

criterion_group!(benches, requests, streams, records, json);
criterion_main!(benches);
