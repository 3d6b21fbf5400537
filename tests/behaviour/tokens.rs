//! Tokens are counted exactly where that is possible, and estimated with what was learned elsewhere.

use serde_json::json;

use crate::support::{Act, FakeUpstream, House, completion, sse, stream_of};

/// Input costs a dollar for a million tokens, output nothing.
async fn house(upstream: &FakeUpstream, model: &str) -> House {
    let yaml = format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 0 }} }}\npolicies:\n  - policy: p\n    route: up/{model}\n",
        upstream.url()
    );
    House::with(&yaml).await
}

fn saying(text: &str, stream: bool) -> serde_json::Value {
    json!({ "model": "any", "max_tokens": 9, "stream": stream, "messages": [{ "role": "user", "content": text }] })
}

#[tokio::test]
async fn a_stream_without_usage_is_billed_with_the_exact_input() {
    let upstream = FakeUpstream::start(vec![sse::stream(&stream_of(&["a", " b"]))]).await;
    let house = house(&upstream, "gpt-4o").await;
    // 26 tokens by a guess; one to eight letters, and 7 of framing.
    house.http.post("/v1/chat/completions", &saying(&"a".repeat(80), true)).await;
    let line = &house.access_lines(1).await[0];
    assert_eq!((&line["cost_usd"], &line["cost_estimated"]), (&json!(0.000_017), &json!(true)), "{line}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_billed_with_the_exact_input_however_long() {
    let script = sse::broken_off(&stream_of(&["a", " b"]), 2, Act::Close);
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = house(&upstream, "gpt-4o").await;
    house.http.post("/v1/chat/completions", &saying(&"a".repeat(800_000), true)).await;
    let line = &house.access_lines(1).await[0];
    assert_eq!((&line["outcome"], &line["cost_usd"]), (&json!("cut"), &json!(0.100_007)), "{line}");
}

#[tokio::test]
async fn what_the_provider_reports_goes_before_every_count() {
    let upstream = FakeUpstream::answering(&completion("hi")).await;
    let house = house(&upstream, "gpt-4o").await;
    house.http.post("/v1/chat/completions", &saying(&"a".repeat(80), false)).await;
    let line = &house.access_lines(1).await[0];
    assert_eq!((&line["cost_usd"], &line["input_tokens"]), (&json!(0.000_010), &json!(10)), "{line}");
}

#[tokio::test]
async fn tokens_are_counted_exactly_for_a_model_whose_encoding_is_known() {
    let upstream = FakeUpstream::answering("{}").await;
    let house = house(&upstream, "gpt-4o").await;
    let counted = house.http.post("/v1/messages/count_tokens", &saying(&"a".repeat(80), false)).await;
    assert_eq!((counted.json(), upstream.count()), (json!({ "input_tokens": 17 }), 0));
    let special = house.http.post("/v1/messages/count_tokens", &saying("<|endoftext|>", false)).await;
    assert_eq!(special.json(), json!({ "input_tokens": 14 }));
}

#[tokio::test]
async fn an_estimate_comes_closer_to_what_the_provider_reports() {
    // It reports ten tokens, whatever it is sent.
    let upstream = FakeUpstream::answering(&completion("hi")).await;
    let house = house(&upstream, "llama").await;
    let body = saying(&"a".repeat(400), false);
    let mut estimates = Vec::new();
    for _ in 0..2 {
        let counted = house.http.post("/v1/messages/count_tokens", &body).await;
        estimates.push(counted.json()["input_tokens"].as_u64().unwrap());
        for number in 1..=40 {
            house.http.post("/v1/chat/completions", &body).await;
            house.access_lines(number).await;
        }
    }
    assert_eq!(estimates, [107, 54]);
}
