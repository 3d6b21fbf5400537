//! Collectors that misbehave: what is lost is counted, what waiting mends is brought again, and all is well afterwards.

use std::time::{Duration, Instant};

use crate::support::collector::{Collector, Tree, of};
use crate::support::{Act, FakeUpstream, House, Script, chat, completion, whole, whole_with};

/// A gateway that tells this collector, and how often it is asked for something.
async fn house(scripts: Vec<Script>, settings: &str) -> (Collector, House, FakeUpstream) {
    let (collector, up) = (Collector::scripted(scripts).await, FakeUpstream::answering(&completion("hi")).await);
    let yaml = format!(
        "{}providers: {{ up: {{ kind: openai_compatible, url: \"{}\" }} }}\npolicies: [{{ policy: p, route: up }}]\n",
        collector.section_with(settings),
        up.url()
    );
    (collector, House::with(&yaml).await, up)
}

/// One request, which no collector holds up.
async fn ask(house: &House, model: &str) {
    let begun = Instant::now();
    assert_eq!(house.http.post("/v1/chat/completions", &chat(model)).await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "the request took {:?}", begun.elapsed());
}

async fn told(house: &House) {
    house.gateway.world().traces.flush(Duration::from_secs(10)).await;
}

/// Spans that were lost, as the metrics say.
async fn lost(house: &House) -> u64 {
    let metrics = house.admin.get("/metrics").await;
    let lines = metrics.text().lines().filter(|line| line.starts_with("tidegate_otlp_spans_dropped_total"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn models(trees: &[Tree]) -> Vec<String> {
    trees.iter().map(|tree| of(tree.attempts()[0], "gen_ai.request.model").as_str().unwrap().to_owned()).collect()
}

/// After this answer the first request is lost, and the second arrives.
async fn loses_the_first(answer: Script) {
    let (collector, house, _up) = house(vec![answer, whole(200, "")], "dialects: [genai]").await;
    ask(&house, "one").await;
    told(&house).await;
    assert_eq!((collector.0.count(), lost(&house).await), (1, 2), "one request and its attempt");
    ask(&house, "two").await;
    told(&house).await;
    let trees = collector.trees();
    assert_eq!((models(&trees), lost(&house).await), (vec!["one".to_owned(), "two".to_owned()], 2));
}

/// After this answer the same is brought again, at the earliest after that time, and nothing is lost.
async fn brings_it_again(answer: Script, settings: &str, after: Duration) {
    let (collector, house, _up) = house(vec![answer, whole(200, "")], settings).await;
    let begun = Instant::now();
    ask(&house, "one").await;
    told(&house).await;
    assert!(begun.elapsed() >= after, "it came again after {:?}", begun.elapsed());
    let received = collector.0.received();
    assert_eq!((received.len(), lost(&house).await), (2, 0));
    assert_eq!(received[0].body, received[1].body);
}

const A_SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_a_collector_does_not_want_is_not_brought_twice() {
    loses_the_first(whole(400, "{}")).await;
}

#[tokio::test]
async fn a_collector_that_is_broken_loses_what_it_was_brought_and_no_more() {
    loses_the_first(whole(500, "oh")).await;
}

#[tokio::test]
async fn a_collector_that_wants_others_first_is_not_waited_for_longer_than_patience_lasts() {
    loses_the_first(whole_with(429, "retry-after: 3600\r\n", "")).await;
}

#[tokio::test]
async fn a_collector_that_asks_for_time_gets_it() {
    brings_it_again(whole_with(429, "retry-after: 2\r\n", ""), "dialects: [genai]", 2 * A_SECOND).await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_for_a_moment_is_asked_again() {
    brings_it_again(whole(503, ""), "dialects: [genai]", A_SECOND).await;
}

#[tokio::test]
async fn a_collector_that_hangs_is_asked_again_after_its_time() {
    brings_it_again(vec![Act::Stall], "timeout: 200ms", A_SECOND).await;
}

#[tokio::test]
async fn a_collector_that_hangs_up_in_its_answer_is_asked_again() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    brings_it_again(vec![Act::Write(half), Act::Close], "dialects: [genai]", A_SECOND).await;
}

#[tokio::test]
async fn a_collector_that_is_slow_has_everything_in_the_end() {
    let slow = [vec![Act::Wait(Duration::from_millis(300))], whole(200, "")].concat();
    let (collector, house, _up) = house(vec![slow], "dialects: [genai]").await;
    for model in ["one", "two", "three"] {
        ask(&house, model).await;
    }
    told(&house).await;
    let trees = collector.trees();
    assert_eq!((models(&trees), lost(&house).await), (vec!["one".into(), "two".into(), "three".into()], 0));
}

#[tokio::test]
async fn what_a_collector_says_in_too_many_words_is_not_kept() {
    let flood = whole(200, &"x".repeat(1 << 20));
    let (collector, house, _up) = house(vec![flood, whole(200, "")], "dialects: [genai]").await;
    ask(&house, "one").await;
    told(&house).await;
    assert!(collector.0.count() >= 1);
    ask(&house, "two").await;
    told(&house).await;
    assert!(models(&collector.trees()).contains(&"two".to_owned()));
}

#[tokio::test]
async fn of_what_nobody_takes_the_oldest_goes_and_each_span_of_it_is_counted() {
    let (collector, house, _up) = house(vec![vec![Act::Stall]], "timeout: 60s").await;
    // More than wait for a collector, and for whoever tells it.
    for _ in 0..25 {
        let asked = (0..100).map(|_| ask(&house, "m"));
        futures_util::future::join_all(asked).await;
    }
    house.gateway.world().traces.told(Duration::from_secs(10)).await;
    // One batch is on its way, and 2048 requests wait.
    let most = 2 * (2_500 - 2_048);
    let lost = lost(&house).await;
    assert!((most - 2 * 256..=most).contains(&lost), "{lost} spans of {most}");
    assert_eq!(collector.0.count(), 1);
}
