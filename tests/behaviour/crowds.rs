//! Kept answers where many ask at once, and where an answer is out of date.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::cache::{after, ask, with_steps};
use crate::support::{Act, Answered, FakeUpstream, House, chat, completion, sse, stream_of, streamed, whole};

const PATH: &str = "/v1/chat/completions";
const ERROR: &str = r#"{"error":{"message":"no","type":"server_error","code":null}}"#;

async fn crowd(house: &House, body: &Value, many: usize) -> Vec<Answered> {
    join_all((0..many).map(|_| ask(house, body))).await
}

fn count(answers: &[Answered], result: &str) -> usize {
    answers.iter().filter(|answer| answer.header("x-tidegate-cache") == result).count()
}

/// The gateway's metrics once they have this line.
async fn measured(house: &House, line: &str) {
    for _ in 0..500 {
        if house.admin.get("/metrics").await.text().contains(line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("`{line}` is not in\n{}", house.admin.get("/metrics").await.text());
}

const OVER: Duration = Duration::from_millis(60);

#[tokio::test]
async fn a_thousand_who_ask_when_an_answer_is_out_of_date_all_get_it_at_once_and_one_request_renews_it() {
    for (body, first) in
        [(chat("m"), whole(200, &completion("old"))), (streamed("m"), sse::stream(&stream_of(&["o", "ld"])))]
    {
        // The renewal never ends, so whoever waited for it would not be answered.
        let upstream = FakeUpstream::start(vec![first, vec![Act::Stall]]).await;
        let house = House::with(&with_steps(&upstream, "cache: { keep: 50ms, stale: 1h }")).await;
        assert_eq!(ask(&house, &body).await.says(), "old");
        tokio::time::sleep(OVER).await;
        let answers = crowd(&house, &body, 1_000).await;
        assert_eq!(count(&answers, "stale"), 1_000);
        assert!(answers.iter().all(|answer| answer.says() == "old"));
        while upstream.count() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(upstream.count(), 2);
    }
}

#[tokio::test]
async fn a_thousand_who_ask_when_an_answer_has_ended_ask_the_provider_once() {
    let renewed = after(Duration::from_secs(2), whole(200, &completion("new")));
    let upstream = FakeUpstream::start(vec![whole(200, &completion("old")), renewed]).await;
    let house = House::with(&with_steps(&upstream, "cache: { keep: 2s }")).await;
    ask(&house, &chat("m")).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let answers = crowd(&house, &chat("m"), 1_000).await;
    assert!(answers.iter().all(|answer| answer.says() == "new"));
    assert_eq!((upstream.count(), count(&answers, "miss")), (2, 1));
    assert_eq!(count(&answers, "shared") + count(&answers, "hit"), 999);
}

#[tokio::test]
async fn the_first_of_a_thousand_may_hang_up_in_the_middle_of_a_stream() {
    let frames = stream_of(&["one ", "two ", "three"]);
    let mut script = vec![sse::head(), sse::data(&frames[0]), sse::data(&frames[1])];
    script.push(Act::Wait(Duration::from_secs(3)));
    script.extend(frames[2..].iter().map(|frame| sse::data(frame)));
    script.push(sse::end());
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let json = [("content-type", "application/json")];
    let mut first = house.http.begin(Method::POST, PATH, &json, Bytes::from(streamed("m").to_string())).await;
    assert!(first.body_mut().frame().await.is_some());
    let asked = streamed("m");
    let hang_up = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(first);
    };
    let (others, ()) = tokio::join!(crowd(&house, &asked, 999), hang_up);
    assert!(others.iter().all(|other| other.says() == "one two three" && other.data().last() == Some(&"[DONE]")));
    assert_eq!((upstream.count(), count(&others, "miss")), (1, 0));
}

#[tokio::test]
async fn the_first_of_a_thousand_may_hang_up_before_the_answer() {
    let slow = after(Duration::from_secs(3), whole(200, &completion("hello")));
    let upstream = FakeUpstream::start(vec![slow]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let asked = chat("m");
    let first = tokio::time::timeout(Duration::from_millis(500), ask(&house, &asked));
    let others = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        crowd(&house, &asked, 999).await
    };
    let (first, others) = tokio::join!(first, others);
    assert!(first.is_err());
    assert!(others.iter().all(|other| other.status == 200 && other.says() == "hello"));
    assert_eq!((upstream.count(), count(&others, "shared")), (1, 999));
}

#[tokio::test]
async fn what_was_renewed_behind_their_backs_is_what_the_next_get() {
    let upstream = FakeUpstream::start(vec![whole(200, &completion("old")), whole(200, &completion("new"))]).await;
    let house = House::with(&with_steps(&upstream, "cache: { keep: 2s, stale: 1h }")).await;
    ask(&house, &chat("m")).await;
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    let stale = ask(&house, &chat("m")).await;
    assert_eq!((stale.says().as_str(), stale.header("x-tidegate-cache")), ("old", "stale"));
    measured(&house, "tidegate_cache_events_total{policy=\"p\",event=\"renewed\"} 1").await;
    let next = ask(&house, &chat("m")).await;
    assert_eq!((next.says().as_str(), next.header("x-tidegate-cache")), ("new", "hit"));
    // The renewal is paid for on a line of its own, by whoever was given the old answer.
    let lines = house.access_lines(4).await;
    let of = |name: &str| lines.iter().filter(|line| line.get(name).is_some()).cloned().collect::<Vec<_>>();
    let (renewals, paid) = (of("renewal_of"), of("cost_usd"));
    assert_eq!((renewals.len(), paid.len(), upstream.count()), (1, 2, 2));
    let stale_line = lines.iter().find(|line| line["cache"] == "stale").unwrap();
    assert_eq!((&renewals[0]["renewal_of"], &renewals[0]["cache"]), (&stale_line["request_id"], &"miss".into()));
    assert!(paid.contains(&renewals[0]));
    let metrics = house.admin.get("/metrics").await;
    let requests = "tidegate_requests_total{policy=\"p\",status_class=\"2xx\",decision=\"ok\"} 3";
    assert!(metrics.text().contains(requests), "{}", metrics.text());
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_answer_and_is_not_tried_again_at_once() {
    let upstream = FakeUpstream::start(vec![whole(200, &completion("old")), whole(500, ERROR)]).await;
    let house = House::with(&with_steps(&upstream, "cache: { keep: 50ms, stale: 1h }")).await;
    ask(&house, &chat("m")).await;
    tokio::time::sleep(OVER).await;
    assert_eq!(ask(&house, &chat("m")).await.header("x-tidegate-cache"), "stale");
    measured(&house, "tidegate_cache_events_total{policy=\"p\",event=\"not_renewed\"} 1").await;
    let answers = crowd(&house, &chat("m"), 100).await;
    assert_eq!((count(&answers, "stale"), upstream.count()), (100, 2));
}

#[tokio::test]
async fn what_cannot_be_renewed_is_given_until_its_end_and_no_longer() {
    let upstream = FakeUpstream::start(vec![whole(200, &completion("old")), whole(500, ERROR)]).await;
    let house = House::with(&with_steps(&upstream, "cache: { keep: 50ms, stale: 500ms }")).await;
    ask(&house, &chat("m")).await;
    tokio::time::sleep(OVER).await;
    assert_eq!(ask(&house, &chat("m")).await.header("x-tidegate-cache"), "stale");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let late = ask(&house, &chat("m")).await;
    assert!(late.status >= 500 && !late.text().contains("old"), "{}", late.text());
}

#[tokio::test]
async fn a_renewal_is_counted_by_its_callers_limits_and_left_out_where_they_are_used_up() {
    let upstream = FakeUpstream::answering(&completion("old")).await;
    let steps = "limit: { per: policy, requests: 2/h }, cache: { keep: 50ms, stale: 1h }";
    let house = House::with(&with_steps(&upstream, steps)).await;
    ask(&house, &chat("m")).await;
    tokio::time::sleep(OVER).await;
    assert_eq!(ask(&house, &chat("m")).await.header("x-tidegate-cache"), "stale");
    measured(&house, "tidegate_cache_events_total{policy=\"p\",event=\"not_renewed\"} 1").await;
    assert_eq!(upstream.count(), 1);
    let line = house.access_lines(3).await.into_iter().find(|line| line.get("renewal_of").is_some()).unwrap();
    assert_eq!((line["status"].as_u64(), line["outcome"].as_str()), (Some(429), Some("refused")));
}

#[tokio::test]
async fn a_renewal_is_paid_for_by_its_callers_budget() {
    let upstream = FakeUpstream::answering(&completion("old")).await;
    let budgets = "budgets: { all: { per: policy, usd: 1, window: total } }\n";
    let yaml = format!("{budgets}{}", with_steps(&upstream, "budget: [all], cache: { keep: 50ms, stale: 1h }"));
    let house = House::with(&yaml).await;
    ask(&house, &chat("m")).await;
    tokio::time::sleep(OVER).await;
    assert_eq!(ask(&house, &chat("m")).await.header("x-tidegate-cache"), "stale");
    house.access_lines(3).await;
    let accounts = house.admin.get("/budgets").await.json();
    // Two of three requests have been asked: 10 tokens in and 2 out each, at 1 and 2 dollars for a million.
    assert_eq!(accounts["accounts"][0]["spent_usd"].to_string(), "0.000028", "{accounts}");
}

/// The frames of a stream whose provider says that it took 10 tokens and made 2.
pub fn metered(words: &[&str]) -> Vec<String> {
    let mut frames = stream_of(words);
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12});
    let said = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage});
    frames.insert(frames.len() - 1, said.to_string());
    frames
}

#[tokio::test]
async fn whoever_reads_at_once_is_not_cut_off_however_little_of_an_answer_is_kept() {
    let words: Vec<_> = (0..400).map(|number| format!("word {number} ")).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let mut script = vec![Act::Wait(Duration::from_millis(300)), sse::head()];
    script.extend(metered(&words).iter().map(|frame| sse::data(frame)));
    script.push(sse::end());
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&with_steps(&upstream, "cache: { largest: 300B }")).await;
    let answers = crowd(&house, &streamed("m"), 200).await;
    assert!(answers.iter().all(|answer| answer.says() == words.concat() && answer.data().last() == Some(&"[DONE]")));
    assert_eq!((count(&answers, "shared"), upstream.count()), (199, 1));
}

/// Somebody who hears an answer as it comes.
async fn hearer(house: &House, body: &Value) -> Response<Incoming> {
    let json = [("content-type", "application/json")];
    let mut hearer = house.http.begin(Method::POST, PATH, &json, Bytes::from(body.to_string())).await;
    assert!(hearer.body_mut().frame().await.is_some());
    hearer
}

#[tokio::test]
async fn when_the_last_who_hear_an_answer_have_hung_up_its_provider_is_hung_up_on() {
    let mut upstream = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["one ", "two"]), 2, Act::Stall)]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let (first, second) = (hearer(&house, &streamed("m")).await, hearer(&house, &streamed("m")).await);
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(second);
    upstream.hung_up_on(1).await;
    let lines = house.access_lines(2).await;
    assert!(lines.iter().all(|line| line["outcome"] == "hang_up"), "{lines:?}");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_answer_goes_on_without_its_caller_no_faster_than_the_others_hear_it() {
    // Far more than the sockets on its way hold, and than is held for those who are behind.
    let word = "x".repeat(64 << 10);
    let words: Vec<_> = (0..800).map(|_| word.as_str()).collect();
    let mut script = sse::stream(&metered(&words));
    // Until then nobody is late to join; of an answer nothing is passed on before its first word.
    script.insert(3, Act::Wait(Duration::from_secs(1)));
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let (first, second) = (hearer(&house, &streamed("m")).await, hearer(&house, &streamed("m")).await);
    drop(first);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rest = second.into_body().collect().await.unwrap().to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"), "{:?}", String::from_utf8_lossy(&rest[rest.len() - 300..]));
    // What it cost is known, to whoever asked for it, by the provider's word.
    let lines = house.access_lines(2).await;
    let paid: Vec<_> = lines.iter().filter(|line| line.get("cost_usd").is_some()).collect();
    assert_eq!((paid.len(), paid[0]["cost_usd"].as_f64(), paid[0].get("cost_estimated")), (1, Some(0.000_014), None));
}
