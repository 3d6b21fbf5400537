//! What becomes of a request whose answer others hear as well, when its own caller leaves it or cannot follow: it goes on,
//! and what it took is paid for by its caller, by the provider's word.

use std::time::Duration;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use serde_json::Value;
use tidegate::base::ids::DialectId;
use tidegate::base::stop::Stop;
use tidegate::gateway::Arrival;
use tidegate::pipeline::Burst;
use tidegate::pipeline::facts::Endpoint;
use tokio::time::{Instant, sleep, timeout};

use crate::cache::{after, ask, with_steps};
use crate::crowds::metered;
use crate::support::{Act, Answered, FakeUpstream, House, chat, completion, sse, streamed, whole};

const PAID: f64 = 0.000_014;

type Frames = BoxStream<'static, Result<Burst, Stop>>;

/// An answer as it comes to somebody who has not read anything of it yet.
async fn begin(house: &House, body: &Value) -> Frames {
    let arrival = Arrival {
        started: Instant::now(),
        endpoint: Endpoint::Chat,
        dialect: Some(DialectId::OPENAI_CHAT),
        headers: HeaderMap::new(),
        method: &Method::POST,
        path: "/v1/chat/completions",
        peer_certificate: None,
    };
    let (visit, admitted) = house.gateway.enter(arrival).await;
    admitted.unwrap();
    let (_, answer) = visit.chat(Bytes::from(body.to_string())).await;
    answer.unwrap_or_else(|stop| panic!("{}", stop.message())).answer.frames
}

/// The access log's line of whoever has asked the provider, which is the only one that pays.
async fn payer(house: &House, lines: usize) -> Value {
    let lines = house.access_lines(lines).await;
    let mut of: Vec<_> = lines.iter().filter(|line| line["cache"] == "miss").collect();
    assert_eq!(of.len(), 1, "{lines:?}");
    assert!(lines.iter().all(|line| line["cache"] == "miss" || line.get("cost_usd").is_none()), "{lines:?}");
    of.remove(0).clone()
}

#[tokio::test]
async fn who_never_reads_its_answer_pays_for_what_others_have_heard_of_it() {
    let upstream = FakeUpstream::start(vec![sse::stream(&metered(&["one ", "two"]))]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let (first, second) = (begin(&house, &streamed("m")).await, begin(&house, &streamed("m")).await);
    assert!(second.count().await > 0);
    drop(first);
    let line = payer(&house, 2).await;
    assert_eq!((line["outcome"].as_str(), line["cost_usd"].as_f64()), (Some("hang_up"), Some(PAID)), "{line}");
    assert_eq!((line.get("cost_estimated"), upstream.count()), (None, 1));
}

/// A stream of far more than is held for those who are behind.
fn long() -> Vec<String> {
    let word = "x".repeat(64 << 10);
    metered(&vec![word.as_str(); 500])
}

#[tokio::test]
async fn so_does_who_has_read_the_beginning_of_what_is_long_gone() {
    for reads in [0, 1] {
        let upstream = FakeUpstream::start(vec![sse::stream(&long())]).await;
        let house = House::with(&with_steps(&upstream, "cache: {}")).await;
        let (mut first, mut second) = (begin(&house, &streamed("m")).await, begin(&house, &streamed("m")).await);
        for _ in 0..reads {
            assert!(first.next().await.unwrap().is_ok());
        }
        while let Some(burst) = second.next().await {
            assert!(burst.is_ok());
        }
        drop(second);
        drop(first);
        let line = payer(&house, 2).await;
        assert_eq!((line["cost_usd"].as_f64(), line.get("cost_estimated")), (Some(PAID), None), "{line}");
    }
}

#[tokio::test]
async fn who_is_cut_off_for_being_too_slow_pays_for_what_goes_on_for_others() {
    let upstream = FakeUpstream::start(vec![sse::stream(&long())]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let (mut first, mut second) = (begin(&house, &streamed("m")).await, begin(&house, &streamed("m")).await);
    assert!(first.next().await.unwrap().is_ok());
    let mut frames = 0;
    while frames < 100 {
        frames += second.next().await.unwrap().unwrap_or_else(|stop| panic!("{}", stop.message())).len();
    }
    let cut = first.next().await.unwrap().err().unwrap();
    assert_eq!(cut.code(), "too_slow");
    assert!(first.next().await.is_none());
    drop(first);
    while let Some(burst) = second.next().await {
        assert!(burst.is_ok());
    }
    let line = payer(&house, 2).await;
    let said = ["outcome", "code"].map(|name| line[name].as_str().unwrap());
    assert_eq!((said, line["cost_usd"].as_f64()), (["refused", "too_slow"], Some(PAID)), "{line}");
}

/// Twenty ask, of whom the first hang up, one after the other.
async fn the_first_hang_up(house: &House, body: &Value, hang_ups: u64) -> Vec<Answered> {
    let leaves = |nth| async move { timeout(Duration::from_millis(500 * nth), ask(house, body)).await.is_err() };
    let others = async {
        sleep(Duration::from_millis(200)).await;
        join_all((hang_ups..20).map(|_| ask(house, body))).await
    };
    let (left, others) = tokio::join!(join_all((1..=hang_ups).map(leaves)), others);
    assert!(left.iter().all(|has_left| *has_left));
    others
}

#[tokio::test]
async fn a_request_goes_on_for_others_who_wait_for_its_answer() {
    for hang_ups in 1..=3 {
        let slow = after(Duration::from_secs(2), whole(200, &completion("hello")));
        let upstream = FakeUpstream::start(vec![slow]).await;
        let house = House::with(&with_steps(&upstream, "cache: {}")).await;
        let others = the_first_hang_up(&house, &chat("m"), hang_ups).await;
        assert!(others.iter().all(|other| other.says() == "hello" && other.header("x-tidegate-cache") == "shared"));
        let line = payer(&house, 20).await;
        assert_eq!((line["outcome"].as_str(), line["cost_usd"].as_f64()), (Some("hang_up"), Some(PAID)), "{line}");
        assert_eq!((line.get("cost_estimated"), upstream.count()), (None, 1));
    }
}

/// Answers are kept, and examined on their way back.
fn examined(upstream: &FakeUpstream, guard: &FakeUpstream) -> String {
    let yaml = with_steps(upstream, "{ screen: { by: guard, where: [answer] } }, { cache: {} }");
    format!("screens:\n  guard: {{ kind: webhook, url: \"{}\", timeout: 5s }}\n{yaml}", guard.url())
}

#[tokio::test]
async fn so_does_one_whose_answer_is_examined_before_its_caller_has_anything() {
    let mut script = sse::stream(&metered(&["one ", "two"]));
    script.insert(3, Act::Wait(Duration::from_secs(2)));
    let (upstream, guard) =
        (FakeUpstream::start(vec![script]).await, FakeUpstream::answering(r#"{"action":"allow"}"#).await);
    let house = House::with(&examined(&upstream, &guard)).await;
    let others = the_first_hang_up(&house, &streamed("m"), 1).await;
    assert!(others.iter().all(|other| other.data().last() == Some(&"[DONE]")));
    let line = payer(&house, 20).await;
    assert_eq!((line["outcome"].as_str(), line["cost_usd"].as_f64()), (Some("hang_up"), Some(PAID)), "{line}");
}

#[tokio::test]
async fn an_answer_that_was_heard_to_its_end_to_be_examined_is_paid_for_though_its_caller_reads_nothing_of_it() {
    let upstream = FakeUpstream::start(vec![sse::stream(&metered(&["one ", "two"]))]).await;
    let guard = FakeUpstream::answering(r#"{"action":"allow"}"#).await;
    let house = House::with(&examined(&upstream, &guard)).await;
    drop(begin(&house, &streamed("m")).await);
    let line = payer(&house, 1).await;
    assert_eq!((line["cost_usd"].as_f64(), line.get("cost_estimated")), (Some(PAID), None), "{line}");
}

#[tokio::test]
async fn when_nobody_is_left_who_waits_its_provider_is_hung_up_on() {
    let mut upstream = FakeUpstream::start(vec![after(Duration::from_secs(600), whole(200, "{}"))]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let body = chat("m");
    let leaves = |nth: u64| timeout(Duration::from_millis(300 * nth), ask(&house, &body));
    join_all((1..=3).map(leaves)).await;
    timeout(Duration::from_secs(5), upstream.hung_up_on(1)).await.expect("it is asked still");
    let lines = house.access_lines(3).await;
    assert!(lines.iter().all(|line| line["outcome"] == "hang_up"), "{lines:?}");
}
