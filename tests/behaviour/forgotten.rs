//! Forgetting reaches what is under way: it is heard by those who wait for it already, and by nobody else.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::cache::{after, ask, with_steps};
use crate::support::{FakeUpstream, House, chat, completion, sse, stream_of, streamed, whole};

const SLOW: Duration = Duration::from_millis(800);

async fn forget(house: &House, scope: &str) {
    let answer = house.admin.send(Method::DELETE, &format!("/cache?scope={scope}"), &[], Bytes::new()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn asked(upstream: &FakeUpstream, times: usize) {
    while upstream.count() < times {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_answer_that_was_asked_for_before_it_was_forgotten_is_not_kept_and_nobody_joins_it() {
    for (body, old, new) in [
        (chat("m"), whole(200, &completion("old")), whole(200, &completion("new"))),
        (streamed("m"), sse::stream(&stream_of(&["o", "ld"])), sse::stream(&stream_of(&["n", "ew"]))),
    ] {
        let upstream = FakeUpstream::start(vec![after(SLOW, old), new]).await;
        let house = House::with(&with_steps(&upstream, "cache: {}")).await;
        let late = async {
            asked(&upstream, 1).await;
            forget(&house, "policy=p").await;
            ask(&house, &body).await
        };
        let (first, second) = tokio::join!(ask(&house, &body), late);
        assert_eq!((first.says().as_str(), first.header("x-tidegate-cache")), ("old", "miss"));
        assert_eq!((second.says().as_str(), second.header("x-tidegate-cache")), ("new", "miss"));
        let third = ask(&house, &body).await;
        assert_eq!((third.says().as_str(), third.header("x-tidegate-cache")), ("new", "hit"));
    }
}

#[tokio::test]
async fn what_is_under_way_for_others_is_kept() {
    let upstream = FakeUpstream::start(vec![after(SLOW, whole(200, &completion("theirs")))]).await;
    let house = House::with(&with_steps(&upstream, "cache: {}")).await;
    let body = chat("m");
    let late = async {
        asked(&upstream, 1).await;
        forget(&house, "policy=p,team=t").await;
        forget(&house, "policy=q").await;
        ask(&house, &body).await
    };
    let (_, shared) = tokio::join!(ask(&house, &body), late);
    assert_eq!(shared.header("x-tidegate-cache"), "shared");
    assert_eq!(ask(&house, &body).await.header("x-tidegate-cache"), "hit");
}

#[tokio::test]
async fn a_renewal_that_was_under_way_brings_nothing_back() {
    let old = whole(200, &completion("old"));
    let upstream = FakeUpstream::start(vec![old.clone(), after(SLOW, old), whole(200, &completion("new"))]).await;
    let house = House::with(&with_steps(&upstream, "cache: { keep: 2s, stale: 1h }")).await;
    ask(&house, &chat("m")).await;
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    assert_eq!(ask(&house, &chat("m")).await.header("x-tidegate-cache"), "stale");
    asked(&upstream, 2).await;
    forget(&house, "policy=p").await;
    let over = "tidegate_cache_events_total{policy=\"p\",event=\"not_renewed\"} 1";
    for _ in 0..300 {
        if house.admin.get("/metrics").await.text().contains(over) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let next = ask(&house, &chat("m")).await;
    assert_eq!((next.says().as_str(), next.header("x-tidegate-cache")), ("new", "miss"));
}
