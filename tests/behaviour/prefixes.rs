//! Prefixes of requests that a provider's own cache is asked to keep, and what that saves.

use serde_json::{Value, json};

use crate::support::{FakeUpstream, House, chat, messages};

/// A whole answer of Anthropic's, of which most input was read from its cache.
fn answer() -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "stop_sequence": null, "content": [{"type": "text", "text": "hello"}],
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 20, "output_tokens": 2}
    })
    .to_string()
}

async fn house(upstream: &FakeUpstream, options: &str) -> House {
    let url = upstream.url();
    let yaml = format!(
        "providers:\n  up: {{ kind: anthropic, url: \"{url}\", key: \"${{env:NOT_SET:-sk}}\" }}\nprices: {{ files: [prices.yaml] }}\npolicies:\n  - policy: p\n    route: {{ target: up{options} }}\n"
    );
    House::with_files(&[("tidegate.yaml", &yaml), ("prices.yaml", PRICES)]).await
}

fn long() -> String {
    "You answer questions about trains. ".repeat(200)
}

fn markers(sent: &Value) -> usize {
    sent.to_string().matches("cache_control").count()
}

#[tokio::test]
async fn long_instructions_are_marked_where_the_route_says_so_whatever_dialect_they_come_in() {
    let upstream = FakeUpstream::answering(&answer()).await;
    let house = house(&upstream, ", mark_prefixes: 4KiB").await;
    let (mut theirs, mut ours) = (messages("m"), chat("m"));
    theirs["system"] = json!(long());
    ours["messages"].as_array_mut().unwrap().insert(0, json!({"role": "system", "content": long()}));
    house.http.post("/v1/messages", &theirs).await;
    house.http.post("/v1/chat/completions", &ours).await;
    for received in upstream.received() {
        let sent = received.json();
        assert_eq!(sent["system"][0]["cache_control"], json!({"type": "ephemeral"}), "{sent}");
        assert_eq!((markers(&sent), sent["system"][0]["text"].as_str()), (1, Some(long().as_str())));
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn short_ones_and_those_of_callers_who_mark_themselves_leave_as_the_bytes_that_came() {
    let upstream = FakeUpstream::answering(&answer()).await;
    let house = house(&upstream, ", mark_prefixes: 4KiB").await;
    let (mut short, mut own) = (messages("m"), messages("m"));
    short["system"] = json!("Be brief.");
    own["system"] = json!([{"type": "text", "text": long()}]);
    own["messages"][0]["content"] =
        json!([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    for body in [&short, &own] {
        house.http.post("/v1/messages", body).await;
        assert_eq!(upstream.received().last().unwrap().body, body.to_string().as_bytes());
    }
}

#[tokio::test]
async fn unless_the_route_says_so_nothing_is_marked() {
    let upstream = FakeUpstream::answering(&answer()).await;
    let house = house(&upstream, "").await;
    let mut body = messages("m");
    body["system"] = json!(long());
    house.http.post("/v1/messages", &body).await;
    assert_eq!(upstream.received()[0].body, body.to_string().as_bytes());
}

#[tokio::test]
async fn what_was_read_from_the_providers_cache_is_shown_with_what_it_saved() {
    let upstream = FakeUpstream::answering(&answer()).await;
    let house = house(&upstream, "").await;
    house.http.post("/v1/messages", &messages("m")).await;
    let line = &house.access_lines(1).await[0];
    // A thousand tokens at 1 in place of 10 dollars for a million.
    assert_eq!(
        (line["cached_tokens"].as_u64(), line["cached_saved_usd"].as_f64()),
        (Some(1000), Some(0.009)),
        "{line}"
    );
    let metrics = house.admin.get("/metrics").await;
    for expected in [
        "tidegate_prompt_cache_tokens_total{target=\"up\",kind=\"read\"} 1000",
        "tidegate_prompt_cache_tokens_total{target=\"up\",kind=\"written\"} 20",
        "tidegate_prompt_cache_saved_usd_total{target=\"up\"} 0.009",
    ] {
        assert!(metrics.text().contains(expected), "{expected}\n{}", metrics.text());
    }
}

/// In dollars for a million tokens.
const PRICES: &str = r#"version: 1
vendors:
  anthropic:
    - source: https://example.org/a-contract
      checked: 2026-01-01
      models:
        m: [{ from: 2025-01-01, in: "10.00", cache_read: "1.00", out: "20.00" }]
"#;
