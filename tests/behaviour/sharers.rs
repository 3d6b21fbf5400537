//! What those are told, charged and credited who are given an answer that was not made for them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tidegate::state::{Mark, read};

use crate::cache::{after, ask, with_steps};
use crate::crowds::metered;
use crate::similar::{embedding, gateway_file, question, try_out};
use crate::support::{FakeUpstream, House, chat, completion, sse, streamed, whole};

/// What each line of the access log says that has this result.
async fn said(house: &House, lines: usize, result: &str, names: [&str; 2]) -> Vec<[Option<f64>; 2]> {
    let lines = house.access_lines(lines).await;
    lines.iter().filter(|line| line["cache"] == result).map(|line| names.map(|name| line[name].as_f64())).collect()
}

/// A similar hit that somebody shares, in a gateway that charges for both.
async fn two_who_are_given_one_similar_answer() -> (House, impl Sized) {
    let upstream = FakeUpstream::answering(&completion("by glue")).await;
    let quick = std::iter::repeat_n(whole(200, &embedding(1)), 31);
    let slow = after(Duration::from_secs(1), whole(200, &embedding(1)));
    let embedder = FakeUpstream::start(quick.chain([slow]).collect()).await;
    let file = gateway_file(&upstream, &embedder, ", false_hits_at_most: 21%, check: 0%");
    let (house, books) = House::booking(&file.replace("canonical", "charge: 25%, canonical")).await;
    try_out(&house, 0..15).await;
    let asked = |way| json!({"model": "m", "messages": [{"role": "user", "content": question(way, 99)}]});
    ask(&house, &asked(0)).await;
    let mut answers = join_all([ask(&house, &asked(1)), ask(&house, &asked(1))]).await;
    answers.sort_by_key(|answer| answer.header("x-tidegate-cache").to_owned());
    let told = answers.iter().map(|answer| {
        ["x-tidegate-cache", "x-tidegate-cache-tier", "x-tidegate-cache-similarity"].map(|name| answer.header(name))
    });
    assert_eq!(told.collect::<Vec<_>>(), [["hit", "similar", "1.0000"], ["shared", "similar", "1.0000"]]);
    assert_eq!(answers[0].header("age"), answers[1].header("age"));
    (house, (books, upstream, embedder))
}

#[tokio::test]
async fn who_shares_a_similar_hit_is_told_charged_and_credited_like_whoever_has_it() {
    let (house, _others) = two_who_are_given_one_similar_answer().await;
    let lines = house.access_lines(33).await;
    let of: Vec<_> = lines.iter().filter(|line| line["cache_tier"] == "similar").collect();
    let usd = |name: &str| of.iter().map(|line| line[name].as_f64()).collect::<Vec<_>>();
    assert_eq!(usd("cost_usd"), [Some(0.000_003_5); 2]);
    assert_eq!(usd("saved_usd"), [Some(0.000_010_5); 2]);
    assert!(of.iter().all(|line| line.get("target").is_none()), "{of:?}");
    let metrics = house.admin.get("/metrics").await;
    for expected in [
        "tidegate_cache_given_total{policy=\"p\",tier=\"similar\"} 2",
        "tidegate_cache_charged_usd_total{policy=\"p\"} 0.000007",
        "tidegate_cache_saved_usd_total{policy=\"p\"} 0.000021",
    ] {
        assert!(metrics.text().contains(expected), "{}", metrics.text());
    }
}

/// Billionths of a dollar by the metrics, of each target.
async fn measured(house: &House) -> [i64; 2] {
    let metrics = house.admin.get("/metrics").await;
    ["up", "near"].map(|provider| {
        let lines = metrics.text().lines().filter(|line| line.starts_with("tidegate_cost_usd_total{"));
        let of = lines.filter(|line| line.contains(&format!("target=\"{provider}")));
        of.map(|line| (line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() * 1e9).round() as i64).sum()
    })
}

/// The same by the ledger, those that were charged for kept answers beside the provider's own.
fn booked(house: &House) -> [i64; 2] {
    let entries = read::records(&house.path("books")).unwrap().filter_map(|record| Some(record.ok()?.entry));
    let lines: Vec<_> = entries.flat_map(|entry| entry.lines().to_vec()).collect();
    let sum = |is_embedding: bool| {
        let of = lines.iter().filter(|line| (&*line.model == "small") == is_embedding);
        of.map(|line| line.cost.0).sum()
    };
    [sum(false), sum(true)]
}

#[tokio::test]
async fn the_metrics_count_as_much_as_the_ledger_has() {
    let (house, _others) = two_who_are_given_one_similar_answer().await;
    // 31 answers, two charges of a quarter, and 32 texts of nine tokens.
    let expected = [31 * 14_000 + 2 * 3_500, 32 * 9_000];
    for _ in 0..500 {
        if booked(&house) == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((booked(&house), measured(&house).await), (expected, expected));
    assert_eq!(measured(&house).await, expected, "looking counts nothing twice");
    let entries = read::records(&house.path("books")).unwrap().filter_map(|record| Some(record.ok()?.entry));
    let kept = entries.flat_map(|entry| entry.lines().to_vec()).filter(|line| line.marks.contains(&Mark::Kept));
    assert_eq!(kept.count(), 2);
}

#[tokio::test]
async fn who_hears_what_another_is_answered_saves_what_that_costs() {
    let slowly = |script| after(Duration::from_millis(500), script);
    for (body, script) in
        [(chat("m"), whole(200, &completion("hello"))), (streamed("m"), sse::stream(&metered(&["hel", "lo"])))]
    {
        let upstream = FakeUpstream::start(vec![slowly(script)]).await;
        let house = House::with(&with_steps(&upstream, "cache: {}")).await;
        join_all((0..3).map(|_| ask(&house, &body))).await;
        let usd = said(&house, 3, "shared", ["cost_usd", "saved_usd"]).await;
        assert_eq!(usd, [[None, Some(0.000_014)]; 2]);
        let metrics = house.admin.get("/metrics").await;
        let expected = "tidegate_cache_saved_usd_total{policy=\"p\"} 0.000028";
        assert!(metrics.text().contains(expected), "{}", metrics.text());
    }
}

/// An answer whose provider says that it took so many tokens, some of which it had kept, and made so many.
fn counting(prompt: u64, answer: u64, cached: u64) -> String {
    let mut body: Value = serde_json::from_str(&completion("hello")).unwrap();
    body["usage"] = json!({
        "prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer,
        "prompt_tokens_details": { "cached_tokens": cached }
    });
    body.to_string()
}

#[tokio::test]
async fn a_hit_reads_nothing_from_its_providers_own_cache() {
    let upstream = FakeUpstream::answering(&counting(10, 2, 8)).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    for _ in 0..2 {
        ask(&house, &chat("m")).await;
    }
    let lines = house.access_lines(2).await;
    let read = |line: &Value| (line["cache"].as_str().unwrap().to_owned(), line["cached_tokens"].as_u64());
    assert_eq!([read(&lines[0]), read(&lines[1])], [("miss".into(), Some(8)), ("hit".into(), None)]);
}

#[tokio::test]
async fn what_no_provider_was_asked_for_takes_nothing_from_a_limit_of_tokens() {
    // A request is estimated at some 520 tokens.
    let upstream = FakeUpstream::answering(&counting(400, 200, 0)).await;
    let house = House::with(&with_steps(&upstream, "limit: { per: policy, tokens: 1200/h }, cache: {}")).await;
    for expected in ["miss", "hit", "hit", "hit"] {
        let answer = ask(&house, &chat("m")).await;
        assert_eq!((answer.status, answer.header("x-tidegate-cache")), (200, expected), "{}", answer.text());
    }
    // What is counted is counted.
    let other = json!({"model": "m", "messages": [{"role": "user", "content": "another one"}]});
    assert_eq!(ask(&house, &other).await.status, 200);
    assert_eq!(ask(&house, &chat("m")).await.status, 429);
}

#[tokio::test]
async fn nor_does_what_was_asked_for_by_another() {
    let slow = after(Duration::from_millis(500), whole(200, &counting(400, 200, 0)));
    let upstream = FakeUpstream::start(vec![slow]).await;
    let house = House::with(&with_steps(&upstream, "limit: { per: policy, tokens: 1700/h }, cache: {}")).await;
    let asked = chat("m");
    let answers = join_all((0..3).map(|_| ask(&house, &asked))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(ask(&house, &chat("m")).await.status, 200);
    assert_eq!(upstream.count(), 1);
}
