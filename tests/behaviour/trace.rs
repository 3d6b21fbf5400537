//! Trace context: what callers send, what targets get, what answers say.

use serde_json::json;

use crate::support::{FakeUpstream, House, chat, completion, whole};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn gateway(upstream: &FakeUpstream, setting: &str) -> String {
    format!(
        "providers: {{ up: {{ kind: openai_compatible, url: \"{}\"{setting} }} }}\n\
         policies: [{{ policy: p, route: {{ fallback: [up], attempts_per_target: 2, retry_on: [server_error] }} }}]\n",
        upstream.url()
    )
}

#[tokio::test]
async fn a_target_that_may_know_the_trace_is_told_the_span_of_the_attempt_and_not_the_callers() {
    let up = FakeUpstream::start(vec![whole(500, "{}"), whole(200, &completion("hi"))]).await;
    let house = House::with(&gateway(&up, ", propagate: true")).await;
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "a=b"), ("baggage", "k=v")];
    let answer = house.http.post_with("/v1/chat/completions", &headers, chat("m").to_string()).await;
    assert_eq!((answer.status, answer.header("x-trace-id")), (200, TRACE));
    let asked = up.received();
    let told: Vec<_> = asked.iter().map(|asked| asked.header("traceparent").unwrap()).collect();
    assert!(told.iter().all(|line| line.starts_with(&format!("00-{TRACE}-")) && line.ends_with("-01")), "{told:?}");
    assert!(told[0] != told[1] && told.iter().all(|line| !line.contains(PARENT)), "{told:?}");
    assert_eq!((asked[1].header("tracestate"), asked[1].header("baggage")), (Some("a=b"), Some("k=v")));
}

#[tokio::test]
async fn without_a_sound_context_a_trace_begins_at_the_gateway() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&gateway(&up, ", propagate: true")).await;
    let malformed = [("traceparent", "00-4bf92f35-01"), ("tracestate", "a=b")];
    for headers in [&malformed[..], &[]] {
        let answer = house.http.post_with("/v1/chat/completions", headers, chat("m").to_string()).await;
        let trace = answer.header("x-trace-id").to_owned();
        assert!(trace.len() == 32 && trace != TRACE, "{trace}");
        let asked = up.received();
        let told = asked.last().unwrap();
        assert!(told.header("traceparent").unwrap().starts_with(&format!("00-{trace}-")));
        assert_eq!(told.header("tracestate"), None);
    }
}

#[tokio::test]
async fn a_target_that_may_not_know_the_trace_is_told_nothing_of_it() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&gateway(&up, "")).await;
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "a=b"), ("baggage", "k=v")];
    house.http.post_with("/v1/chat/completions", &headers, chat("m").to_string()).await;
    house.http.post_with("/v1/embeddings", &headers, json!({ "model": "m", "input": "x" }).to_string()).await;
    for asked in up.received() {
        assert!(!asked.head.contains(TRACE) && asked.header("tracestate").is_none(), "{}", asked.head);
    }
    assert_eq!(up.count(), 2);
}
