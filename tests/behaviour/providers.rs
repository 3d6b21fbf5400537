//! Translation between dialects: nothing is lost in silence.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{FakeUpstream, House, chat, completion, messages, sse, stream_of, whole};

async fn house(kind: &str, upstream: &FakeUpstream, more: &str) -> House {
    let yaml = format!(
        "providers:\n  up: {{ kind: {kind}, url: \"{}\", key: \"${{env:NOT_SET:-sk-upstream}}\" }}\npolicies:\n  - policy: p\n    route: {{ target: up{more} }}\n",
        upstream.url()
    );
    House::with(&yaml).await
}

/// An Anthropic upstream that calls every model `renamed`.
async fn house_renaming(upstream: &FakeUpstream) -> House {
    let yaml = format!(
        "providers:\n  up: {{ kind: anthropic_compatible, url: \"{}\", key: \"${{env:NOT_SET:-sk-upstream}}\" }}\npolicies:\n  - policy: p\n    route: up/renamed\n",
        upstream.url()
    );
    House::with(&yaml).await
}

fn anthropic_answer() -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": [{ "type": "thinking", "thinking": "hm", "signature": "sig" }, { "type": "text", "text": "hello" },
                    { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "x": 1 } }],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": { "input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 7, "output_tokens": 3 }
    })
    .to_string()
}

#[tokio::test]
async fn an_openai_caller_gets_an_anthropic_answer_in_its_own_words() {
    let upstream = FakeUpstream::answering(&anthropic_answer()).await;
    let house = house("anthropic_compatible", &upstream, "").await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await.json();
    assert_eq!(answer["object"], "chat.completion");
    let choice = &answer["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &json!("hello")));
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["id"], &call["function"]["name"]), (&json!("toolu_1"), &json!("f")));
    assert_eq!(
        serde_json::from_str::<Value>(call["function"]["arguments"].as_str().unwrap()).unwrap(),
        json!({ "x": 1 })
    );
    // Anthropic counts what the cache read and wrote apart; OpenAI's prompt tokens include it.
    assert_eq!((&answer["usage"]["prompt_tokens"], &answer["usage"]["total_tokens"]), (&json!(32), &json!(35)));
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 20);

    let sent = &upstream.received()[0];
    assert_eq!(
        (sent.path(), sent.header("x-api-key"), sent.header("anthropic-version")),
        ("/v1/messages", Some("sk-upstream"), Some("2023-06-01"))
    );
    assert_eq!(sent.json()["messages"], json!([{ "role": "user", "content": "hello" }]));
    assert!(sent.json()["max_tokens"].is_u64(), "Anthropic needs max_tokens");
}

#[tokio::test]
async fn an_anthropic_caller_gets_an_openai_answer_in_its_own_words() {
    let upstream = FakeUpstream::answering(&completion("hi there")).await;
    let house = house("openai_compatible", &upstream, "").await;
    let mut body = messages("m");
    body["system"] = json!([{ "type": "text", "text": "be brief", "cache_control": { "type": "ephemeral" } }]);
    let answer = house.http.post("/v1/messages", &body).await.json();
    assert_eq!(
        (&answer["type"], &answer["role"], &answer["stop_reason"]),
        (&json!("message"), &json!("assistant"), &json!("end_turn"))
    );
    assert_eq!(answer["content"], json!([{ "type": "text", "text": "hi there" }]));
    assert_eq!((&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]), (&json!(10), &json!(2)));
    let sent = upstream.received()[0].json();
    assert_eq!((&sent["messages"][0]["role"], &sent["messages"][1]["content"]), (&json!("system"), &json!("hello")));
    // The cache marker has no place in the other dialect, and that is on record.
    let line = &house.access_lines(1).await[0];
    assert!(line["losses"].to_string().contains("cache_control"), "{line}");
}

#[tokio::test]
async fn an_anthropic_caller_gets_an_openai_stream_as_one_of_its_own() {
    let upstream = FakeUpstream::start(vec![sse::stream(&stream_of(&["hi", " there"]))]).await;
    let house = house("openai_compatible", &upstream, "").await;
    let mut body = messages("m");
    body["stream"] = json!(true);
    let answer = house.http.post("/v1/messages", &body).await;
    let kinds: Vec<_> = answer.text().lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_tool_conversation_is_carried_over_whole() {
    let upstream = FakeUpstream::answering(&anthropic_answer()).await;
    let house = house("anthropic_compatible", &upstream, "").await;
    let body = json!({
        "model": "m",
        "messages": [
            { "role": "system", "content": "sys" },
            { "role": "user", "content": [{ "type": "text", "text": "look" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "{\"x\": 1}" } },
                { "id": "call_2", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "call_1", "content": "one" },
            { "role": "tool", "tool_call_id": "call_2", "content": "two" },
            { "role": "user", "content": "and?" }
        ],
        "tools": [{ "type": "function", "function": { "name": "f", "description": "d", "parameters": { "type": "object", "properties": {} }, "strict": true } }],
        "tool_choice": "required", "parallel_tool_calls": false, "stop": ["END"], "max_completion_tokens": 77
    });
    house.http.post("/v1/chat/completions", &body).await;
    let sent = upstream.received()[0].json();
    assert_eq!((&sent["max_tokens"], &sent["stop_sequences"]), (&json!(77), &json!(["END"])));
    assert_eq!(sent["tool_choice"], json!({ "type": "any", "disable_parallel_tool_use": true }));
    assert_eq!((&sent["tools"][0]["name"], &sent["tools"][0]["input_schema"]["type"]), (&json!("f"), &json!("object")));
    let source = &sent["messages"][0]["content"][1]["source"];
    assert_eq!(
        (&source["type"], &source["media_type"], &source["data"]),
        (&json!("base64"), &json!("image/png"), &json!("AAAA"))
    );
    assert_eq!(sent["messages"][1]["content"][0]["input"], json!({ "x": 1 }));
    let results = &sent["messages"][2]["content"];
    assert_eq!(
        (&results[0]["tool_use_id"], &results[1]["tool_use_id"], &results[2]["text"]),
        (&json!("call_1"), &json!("call_2"), &json!("and?"))
    );
}

#[tokio::test]
async fn signed_thinking_comes_back_as_it_was_between_anthropics() {
    let upstream = FakeUpstream::answering(&anthropic_answer()).await;
    let house = house_renaming(&upstream).await;
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqQB=="},{"type":"redacted_thinking","data":"xyz"},{"type":"tool_use","id":"t1","name":"f","input":{"b": 2,"a":1.0}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"ok","cache_control":{"type":"ephemeral","ttl":"1h"}}],"is_error":false}]}]}"#;
    let answer = house.http.post_with("/v1/messages", &[("anthropic-beta", "one,two")], body).await;
    assert_eq!(answer.text(), anthropic_answer());
    let received = upstream.received();
    assert_eq!(String::from_utf8_lossy(&received[0].body), body.replace("\"m\"", "\"renamed\""));
    assert_eq!(received[0].header("anthropic-beta"), Some("one,two"));
}

#[tokio::test]
async fn trace_context_goes_to_providers_that_are_to_have_it_and_to_no_other() {
    let trace = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "vendor=1"),
        ("baggage", "tenant=a"),
    ];
    for (propagate, arrives) in [("", false), (", propagate: false", false), (", propagate: true", true)] {
        for kind in ["openai_compatible", "anthropic_compatible"] {
            let upstream = match kind {
                "openai_compatible" => FakeUpstream::answering(&completion("hello")).await,
                _ => FakeUpstream::answering(&anthropic_answer()).await,
            };
            let house = House::with(&format!(
                "providers:\n  up: {{ kind: {kind}, url: \"{}\"{propagate} }}\npolicies:\n  - {{ policy: p, route: up }}\n",
                upstream.url()
            ))
            .await;
            let answer = house.http.post_with("/v1/chat/completions", &trace, chat("m").to_string()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let received = upstream.received();
            // The trace goes on with the span of the attempt.
            let parent = received[0].header("traceparent");
            assert_eq!(parent.is_some_and(|line| line.starts_with(&trace[0].1[..36])), arrives, "{parent:?}");
            for (name, value) in &trace[1..] {
                assert_eq!(received[0].header(name), arrives.then_some(*value), "{kind}{propagate}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_policy_may_refuse_to_send_what_a_dialect_cannot_say() {
    let upstream = FakeUpstream::answering(&anthropic_answer()).await;
    let house = house("anthropic_compatible", &upstream, ", losses: refuse").await;
    let mut body = chat("m");
    body["seed"] = json!(7);
    let answer = house.http.post("/v1/chat/completions", &body).await;
    assert_eq!((answer.status, upstream.count()), (503, 0), "{}", answer.text());
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 200);
}

#[tokio::test]
async fn an_anthropic_error_reaches_an_openai_caller_in_its_own_words() {
    let error =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"tools.0: bad"},"request_id":"req_x"}"#;
    let upstream = FakeUpstream::start(vec![whole(400, error)]).await;
    let house = house("anthropic_compatible", &upstream, "").await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("tools.0: bad"));
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider_where_it_can_and_estimated_elsewhere() {
    let counting = FakeUpstream::answering(r#"{"input_tokens":4321}"#).await;
    let provider = house("anthropic_compatible", &counting, "").await;
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
    let counted = provider.http.post("/v1/messages/count_tokens", &body).await;
    assert_eq!(
        (counted.json(), counting.received()[0].path()),
        (json!({ "input_tokens": 4321 }), "/v1/messages/count_tokens")
    );

    let other = FakeUpstream::answering("{}").await;
    let estimating = house("openai_compatible", &other, "").await;
    let counted = estimating.http.post("/v1/messages/count_tokens", &body).await;
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!((counted.header("x-tidegate-estimated"), other.count()), ("true", 0));
}

#[tokio::test]
async fn tokens_are_counted_under_a_policy_that_rewrites() {
    let counting = FakeUpstream::answering(r#"{"input_tokens":4321}"#).await;
    let yaml = format!(
        "providers:\n  up: {{ kind: anthropic_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    steps: [ {{ rewrite: {{ cap: {{ max_tokens: 9 }} }} }} ]\n    route: up\n",
        counting.url()
    );
    let house = House::with(&yaml).await;
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
    let counted = house.http.post("/v1/messages/count_tokens", &body).await;
    assert_eq!((counted.json(), counting.received()[0].json()), (json!({ "input_tokens": 4321 }), body));
}

#[tokio::test]
async fn other_endpoints_are_forwarded_as_they_are_but_for_the_model() {
    let upstream = FakeUpstream::answering(r#"{"object":"list","data":[]}"#).await;
    let house = house("openai_compatible", &upstream, "").await;
    let answer = house.http.post_with("/v1/embeddings?trace=1", &[], r#"{"input": "x" ,"model":"m"}"#).await;
    assert_eq!((answer.status, answer.text()), (200, r#"{"object":"list","data":[]}"#));
    let sent = &upstream.received()[0];
    assert_eq!(
        (sent.path(), sent.body.as_slice()),
        ("/v1/embeddings?trace=1", br#"{"input": "x" ,"model":"m"}"#.as_slice())
    );

    let form = "--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nbytes\r\n--b--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=b")];
    house.http.send(http::Method::POST, "/v1/files", &kind, form.into()).await;
    let sent = &upstream.received()[1];
    assert!(String::from_utf8_lossy(&sent.body).contains(form) || sent.body == form.as_bytes());
    assert_eq!(sent.header("content-type"), Some(kind[0].1));
}

#[tokio::test]
async fn a_policy_whose_step_cannot_act_on_an_endpoint_does_not_cover_it() {
    let upstream = FakeUpstream::answering("{}").await;
    let yaml = format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    steps: [ {{ rewrite: {{ set: {{ temperature: 0 }} }} }} ]\n    route: up\n",
        upstream.url()
    );
    let house = House::with(&yaml).await;
    let answer = house.http.post("/v1/embeddings", &json!({ "model": "m", "input": "x" })).await;
    assert_eq!((answer.status, upstream.count()), (404, 0));
}

#[tokio::test]
async fn a_whole_answer_of_any_endpoint_closes_a_breaker_that_counts() {
    let (bad, good) = (whole(500, "{}"), whole(200, r#"{"data":[]}"#));
    let upstream = FakeUpstream::start(vec![bad.clone(), good.clone(), bad, good]).await;
    let yaml = format!(
        "providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\ntargets:\n  t: {{ provider: up, breaker: {{ failures: 2, open_for: 1h }} }}\npolicies:\n  - policy: p\n    route: t\n",
        upstream.url()
    );
    let house = House::with(&yaml).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(house.http.post("/v1/embeddings", &json!({ "model": "m", "input": "x" })).await.status);
    }
    assert_eq!(seen, [502, 200, 502, 200]);
    assert!(house.admin.get("/metrics").await.text().contains(r#"tidegate_target_state{target="t",state="closed"} 1"#));
}

#[tokio::test]
async fn an_upload_over_the_limit_is_the_callers_fault_and_not_the_targets() {
    let upstream = FakeUpstream::start(vec![vec![crate::support::Act::Stall]]).await;
    let yaml = format!(
        "limits: {{ body: 1KiB }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\ntargets:\n  t: {{ provider: up, breaker: {{ failures: 1, open_for: 1h }} }}\npolicies:\n  - policy: p\n    route: t\n",
        upstream.url()
    );
    let house = House::with(&yaml).await;
    let kind = [("content-type", "multipart/form-data; boundary=b")];
    let told = house.http.send(http::Method::POST, "/v1/files", &kind, vec![b'x'; 5000].into()).await;
    assert_eq!((told.status, upstream.count()), (413, 0));

    let mut client = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let head = "POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{head}1388\r\n{}\r\n0\r\n\r\n", "x".repeat(5000));
    client.write_all(chunk.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert!(house.admin.get("/metrics").await.text().contains(r#"tidegate_target_state{target="t",state="closed"} 1"#));
}

#[tokio::test]
async fn a_forwarded_answer_is_accounted_for_by_how_it_ended() {
    let broken = sse::broken_off(&stream_of(&["one", "two"]), 2, crate::support::Act::Close);
    let stalled = sse::broken_off(&stream_of(&["one", "two"]), 2, crate::support::Act::Stall);
    let upstream = FakeUpstream::start(vec![whole(201, "{}"), broken, stalled]).await;
    let house = house("openai_compatible", &upstream, "").await;
    let body = json!({ "model": "m", "input": "x" });
    assert_eq!(house.http.post("/v1/responses", &body).await.status, 201);
    assert_eq!(house.http.post("/v1/responses", &body).await.ending, crate::support::Ending::Broken);
    let kind = [("content-type", "application/json")];
    let left = house.http.begin(http::Method::POST, "/v1/responses", &kind, body.to_string().into()).await;
    drop(left);
    let lines = house.access_lines(3).await;
    let seen: Vec<_> =
        lines.iter().map(|line| (line["status"].as_u64().unwrap(), line["outcome"].as_str().unwrap())).collect();
    assert_eq!(seen, [(201, "ok"), (200, "cut"), (200, "hang_up")]);
}
