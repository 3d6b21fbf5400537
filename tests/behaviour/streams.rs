//! Streams never lie.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Act, Ending, FakeUpstream, House, chunk, completion, messages, sse, stream_of, streamed, whole};

fn one_upstream(upstream: &FakeUpstream, more: &str) -> String {
    format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    route: {{ fallback: [up]{more} }}\n",
        upstream.url()
    )
}

#[tokio::test]
async fn a_stream_passes_byte_for_byte_when_both_sides_speak_its_dialect() {
    let frames = stream_of(&["Hel", "lo \u{1f600}", "!"]);
    let upstream = FakeUpstream::start(vec![sse::stream(&frames)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    let expected: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    assert_eq!((answer.status, answer.text()), (200, expected.as_str()));
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_ends_in_an_error_and_without_done() {
    for then in [Act::Close, sse::end()] {
        let upstream = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["Hel", "lo"]), 2, then)]).await;
        let house = House::with(&one_upstream(&upstream, "")).await;
        let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
        assert_eq!(answer.says(), "Hel");
        assert!(!answer.text().contains("[DONE]"), "{}", answer.text());
        let last: Value = serde_json::from_str(answer.data().last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "upstream_cut", "{}", answer.text());
        let line = &house.access_lines(1).await[0];
        assert_eq!((line["outcome"].as_str(), line["status"].as_u64()), (Some("cut"), Some(200)));
    }
}

#[tokio::test]
async fn a_cut_stream_ends_in_an_error_event_for_an_anthropic_caller_too() {
    let upstream = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["Hel", "lo"]), 2, Act::Close)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let mut body = messages("m");
    body["stream"] = json!(true);
    let answer = house.http.post("/v1/messages", &body).await;
    assert!(answer.text().contains("event: error\n"), "{}", answer.text());
    assert!(!answer.text().contains("message_stop"), "{}", answer.text());
}

#[tokio::test]
async fn a_stalled_stream_ends_in_an_error_after_the_time_between_tokens() {
    let upstream = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["Hel", "lo"]), 2, Act::Stall)]).await;
    let house = House::with(&one_upstream(&upstream, ", timeouts: { between_tokens: 80ms }")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!(answer.says(), "Hel");
    let last: Value = serde_json::from_str(answer.data().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "upstream_timeout");
    assert!(!answer.text().contains("[DONE]"));
}

#[tokio::test]
async fn pings_do_not_count_as_tokens() {
    let mut script = vec![sse::head(), sse::data(&stream_of(&["Hel"])[1])];
    for _ in 0..50 {
        script.extend([sse::bytes(b": ping\n\n"), Act::Wait(Duration::from_millis(20))]);
    }
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&one_upstream(&upstream, ", timeouts: { between_tokens: 100ms }")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert!(answer.text().contains(": ping\n\n") && answer.text().contains("upstream_timeout"), "{}", answer.text());
}

#[tokio::test]
async fn an_error_event_in_a_stream_is_an_error_for_the_caller() {
    let mut script = vec![sse::head(), sse::data(&stream_of(&["Hel"])[1])];
    script.push(sse::data(r#"{"error":{"message":"out of memory","type":"server_error","code":null}}"#));
    script.extend([sse::data("[DONE]"), sse::end()]);
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!(answer.says(), "Hel");
    assert!(answer.text().contains("out of memory") && !answer.text().contains("[DONE]"), "{}", answer.text());
    assert_eq!(house.access_lines(1).await[0]["outcome"], "failed");
}

#[tokio::test]
async fn a_garbled_frame_is_an_error_and_not_skipped() {
    let mut script = vec![sse::head(), sse::data(&stream_of(&["Hel"])[1]), sse::data("{\"choices\":[{")];
    script.extend([sse::data("[DONE]"), sse::end()]);
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert!(answer.text().contains("upstream_garbled") && !answer.text().contains("[DONE]"), "{}", answer.text());
}

#[tokio::test]
async fn a_complete_stream_without_done_gets_one() {
    let mut frames = stream_of(&["Hello"]);
    frames.pop();
    let upstream = FakeUpstream::start(vec![sse::stream(&frames)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!(answer.data().last(), Some(&"[DONE]"));
    assert_eq!(answer.text().matches("[DONE]").count(), 1);
}

#[tokio::test]
async fn usage_is_asked_for_but_shown_only_to_callers_who_asked() {
    let usage = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    let mut frames = stream_of(&["Hello"]);
    frames.insert(3, usage.into());
    let upstream = FakeUpstream::start(vec![sse::stream(&frames)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;

    let silent = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert!(!silent.text().contains("usage"), "{}", silent.text());
    assert_eq!(upstream.received()[0].json()["stream_options"], json!({ "include_usage": true }));

    let mut asking = streamed("m");
    asking["stream_options"] = json!({ "include_usage": true });
    let asked = house.http.post("/v1/chat/completions", &asking).await;
    assert!(asked.data().contains(&usage), "{}", asked.text());

    for line in house.access_lines(2).await {
        assert_eq!((line["input_tokens"].as_u64(), line["output_tokens"].as_u64()), (Some(7), Some(3)));
    }
}

#[tokio::test]
async fn usage_that_nobody_reported_is_unknown_and_not_zero() {
    let upstream = FakeUpstream::start(vec![sse::stream(&stream_of(&["Hello"]))]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert!(house.access_lines(1).await[0].get("input_tokens").is_none());
}

#[tokio::test]
async fn each_frame_is_on_its_way_before_the_next_one_comes() {
    let frames = stream_of(&["one", "two"]);
    let upstream = FakeUpstream::start(vec![sse::broken_off(&frames, 2, Act::Stall)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let body = streamed("m").to_string().into();
    let response = house.http.begin(Method::POST, "/v1/chat/completions", &[], body).await;
    let mut body = response.into_body();
    let first = tokio::time::timeout(Duration::from_secs(5), body.frame()).await.expect("held back").unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first.into_data().unwrap()).contains("\"one\""));
}

#[tokio::test]
async fn a_caller_that_hangs_up_in_a_stream_cancels_the_upstream() {
    let mut upstream = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["one"]), 2, Act::Stall)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let body = streamed("m").to_string().into();
    let response = house.http.begin(Method::POST, "/v1/chat/completions", &[], body).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    upstream.hung_up_on(1).await;
    assert_eq!(house.access_lines(1).await[0]["outcome"], "hang_up");
}

#[tokio::test]
async fn a_caller_that_leaves_when_it_has_seen_the_end_has_not_hung_up() {
    let upstream = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["one"]), 4, Act::Stall)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let body = streamed("m").to_string().into();
    let mut body = house.http.begin(Method::POST, "/v1/chat/completions", &[], body).await.into_body();
    let mut text = String::new();
    while !text.contains("[DONE]") {
        text.push_str(&String::from_utf8_lossy(&body.frame().await.unwrap().unwrap().into_data().unwrap()));
    }
    drop(body);
    assert_eq!(house.access_lines(1).await[0]["outcome"], "ok");
}

#[tokio::test]
async fn a_caller_that_hangs_up_before_the_answer_cancels_the_upstream_and_the_retries() {
    let mut upstream = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let house = House::with(&one_upstream(&upstream, ", attempts_per_target: 5")).await;
    let (http, body) = (house.http.clone(), streamed("m"));
    let call = tokio::spawn(async move { http.post("/v1/chat/completions", &body).await });
    while upstream.count() == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    upstream.hung_up_on(1).await;
    let line = &house.access_lines(1).await[0];
    assert_eq!((line["outcome"].as_str(), line["status"].as_u64()), (Some("hang_up"), Some(499)));
    assert_eq!((line["policy"].as_str(), line["model"].as_str()), (Some("p"), Some("m")));
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_slow_caller_slows_its_upstream() {
    // 64 MiB that the caller never reads: the upstream must get stuck long before that.
    let big = chunk(json!({ "content": "x".repeat(64 * 1024) }), None);
    let mut script = vec![sse::head()];
    script.extend(std::iter::repeat_n(sse::data(&big), 1024));
    let mut upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let body = streamed("m").to_string().into();
    let response = house.http.begin(Method::POST, "/v1/chat/completions", &[], body).await;
    let mut stuck_at = usize::MAX;
    while upstream.acts_done() != stuck_at {
        stuck_at = upstream.acts_done();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // What the kernel's buffers on four sockets hold, and little more.
    assert!(stuck_at < 512, "{stuck_at} of 1024 frames were taken for a caller that does not read");
    drop(response);
    upstream.hung_up_on(1).await;
}

#[tokio::test]
async fn a_whole_answer_to_a_streamed_request_becomes_a_stream() {
    let upstream = FakeUpstream::answering(&completion("Hello")).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert!(answer.header("content-type").starts_with("text/event-stream"));
    assert_eq!((answer.says().as_str(), answer.data().last()), ("Hello", Some(&"[DONE]")));
}

#[tokio::test]
async fn a_whole_answer_that_is_cut_is_an_error() {
    let mut script = whole(200, &completion("Hello"));
    let Act::Write(bytes) = &mut script[0] else { unreachable!() };
    bytes.truncate(bytes.len() - 20);
    script.push(Act::Close);
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &crate::support::chat("m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (502, Some("upstream_cut")));
    assert_eq!(answer.ending, Ending::Clean);
}

#[tokio::test]
async fn tool_call_deltas_keep_their_index_and_name_themselves_once() {
    let call = |index: u32, id: &str| json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": { "name": "f", "arguments": "" } }] });
    let more =
        |index: u32, text: &str| json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] });
    let mut frames: Vec<String> =
        [call(0, "call_a"), more(0, "{\"x\":"), more(0, "1}"), call(1, "call_b"), more(1, "{}")]
            .into_iter()
            .map(|delta| chunk(delta, None))
            .collect();
    frames.extend([chunk(json!({}), Some("tool_calls")), "[DONE]".into()]);
    let upstream = FakeUpstream::start(vec![sse::stream(&frames)]).await;
    let house = House::with(&one_upstream(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!(answer.data(), frames.iter().map(String::as_str).collect::<Vec<_>>());

    let mut body = messages("m");
    body["stream"] = json!(true);
    let translated = house.http.post("/v1/messages", &body).await;
    let starts: Vec<Value> = translated
        .data()
        .iter()
        .map(|data| serde_json::from_str::<Value>(data).unwrap())
        .filter(|event| event["type"] == "content_block_start")
        .collect();
    let seen: Vec<_> =
        starts.iter().map(|event| (event["index"].as_u64(), event["content_block"]["id"].as_str())).collect();
    assert_eq!(seen, [(Some(0), Some("call_a")), (Some(1), Some("call_b"))]);
}
