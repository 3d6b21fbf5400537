//! Fallback, retries, breakers and the timeout ladder.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Act, FakeUpstream, House, chat, completion, messages, sse, stream_of, streamed, whole};

/// Two upstreams, `a` and then `b`, and further settings of the route.
fn a_then_b(a: &FakeUpstream, b: &FakeUpstream, more: &str) -> String {
    format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         policies:\n  - policy: p\n    route: {{ fallback: [a, b]{more} }}\n",
        a.url(),
        b.url()
    )
}

fn only(a: &FakeUpstream, more: &str) -> String {
    format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    route: {{ fallback: [a]{more} }}\n",
        a.url()
    )
}

async fn good() -> FakeUpstream {
    FakeUpstream::answering(&completion("from b")).await
}

async fn falls_over(script: Vec<Act>, more: &str, body: &Value) -> (u16, String, usize, String) {
    let (a, b) = (FakeUpstream::start(vec![script]).await, {
        if body["stream"] == true {
            FakeUpstream::start(vec![sse::stream(&stream_of(&["from b"]))]).await
        } else {
            good().await
        }
    });
    let house = House::with(&a_then_b(&a, &b, more)).await;
    let answer = house.http.post("/v1/chat/completions", body).await;
    let says = if answer.status == 200 { answer.says() } else { answer.text().to_owned() };
    (answer.status, says, a.count(), answer.header("x-tidegate-attempts").to_owned())
}

#[tokio::test]
async fn the_next_target_answers_when_the_first_fails() {
    for status in [429, 500, 502, 503, 529] {
        let (got, says, asked, attempts) = falls_over(whole(status, "{}"), "", &chat("m")).await;
        assert_eq!((got, says.as_str(), asked, attempts.as_str()), (200, "from b", 1, "2"), "after {status}");
    }
}

#[tokio::test]
async fn the_next_target_answers_when_the_first_breaks_its_connection() {
    let (got, says, ..) = falls_over(vec![Act::Close], "", &chat("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
}

#[tokio::test]
async fn the_next_target_answers_when_nobody_listens_at_the_first() {
    let b = good().await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"http://127.0.0.1:1/v1\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         policies:\n  - policy: p\n    route: {{ fallback: [a, b] }}\n",
        b.url()
    );
    let house = House::with(&yaml).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.says().as_str(), answer.header("x-tidegate-model")), ("from b", "b/m"));
}

#[tokio::test]
async fn an_upstream_that_says_200_and_dies_before_its_first_token_is_replaced() {
    for kept in [0, 1] {
        for then in [Act::Close, sse::end()] {
            let script = sse::broken_off(&stream_of(&["Hel"]), kept, then);
            let (got, says, asked, attempts) = falls_over(script, "", &streamed("m")).await;
            assert_eq!((got, says.as_str(), asked, attempts.as_str()), (200, "from b", 1, "2"), "after {kept} frames");
        }
    }
}

#[tokio::test]
async fn an_error_event_before_the_first_token_is_a_fault_like_any_other() {
    let mut script = vec![sse::head(), sse::data(r#"{"error":{"message":"overloaded","type":"server_error"}}"#)];
    script.push(sse::end());
    let (got, says, ..) = falls_over(script, "", &streamed("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
}

#[tokio::test]
async fn an_error_in_the_body_of_a_200_is_a_fault_like_any_other() {
    let (got, says, ..) =
        falls_over(whole(200, r#"{"error":{"message":"no capacity","code":502}}"#), "", &chat("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
}

#[tokio::test]
async fn a_stall_after_the_headers_moves_on_to_the_next_target() {
    let script = sse::broken_off(&[], 0, Act::Stall);
    let (got, says, ..) = falls_over(script, ", timeouts: { first_token: 60ms }", &streamed("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
}

#[tokio::test]
async fn silence_instead_of_headers_moves_on_to_the_next_target() {
    let (got, says, ..) = falls_over(vec![Act::Stall], ", timeouts: { headers: 60ms }", &streamed("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
    let (got, says, ..) = falls_over(vec![Act::Stall], ", timeouts: { whole: 60ms }", &chat("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
}

#[tokio::test]
async fn no_other_target_is_tried_after_the_first_token() {
    let a = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["Hel", "lo"]), 2, Act::Close)]).await;
    let b = good().await;
    let house = House::with(&a_then_b(&a, &b, "")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!((answer.says().as_str(), b.count()), ("Hel", 0));
}

#[tokio::test]
async fn a_request_that_is_wrong_is_not_sent_again_and_its_error_is_passed_on() {
    let error = r#"{"error":{"message":"bad tool","type":"invalid_request_error","param":"tools","code":null}}"#;
    let (a, b) = (FakeUpstream::start(vec![whole(400, error)]).await, good().await);
    let house = House::with(&a_then_b(&a, &b, ", attempts_per_target: 3")).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, answer.text(), a.count(), b.count()), (400, error, 1, 0));
}

#[tokio::test]
async fn the_total_time_bounds_everything() {
    let a = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let house = House::with(&only(&a, ", attempts_per_target: 50, timeouts: { whole: 40ms, total: 200ms }")).await;
    let begun = Instant::now();
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (504, Some("upstream_timeout")));
    assert!(begun.elapsed() < Duration::from_secs(5) && a.count() < 10);
}

#[tokio::test]
async fn the_same_target_is_asked_again_as_often_as_the_policy_says() {
    let scripts = vec![whole(500, "{}"), whole(503, "{}"), whole(200, &completion("third time"))];
    let a = FakeUpstream::start(scripts).await;
    let house = House::with(&only(&a, ", attempts_per_target: 3")).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.says().as_str(), a.count(), answer.header("x-tidegate-attempts")), ("third time", 3, "3"));
}

#[tokio::test]
async fn a_retry_after_is_honoured_in_every_form() {
    for wait in ["retry-after: 1\r\n", "retry-after: 0.8\r\n", "retry-after-ms: 800\r\n"] {
        let busy = crate::support::whole_with(429, wait, "{}");
        let a = FakeUpstream::start(vec![busy, whole(200, &completion("later"))]).await;
        let house = House::with(&only(&a, ", attempts_per_target: 2")).await;
        let begun = Instant::now();
        let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
        assert_eq!(answer.says(), "later", "{wait}");
        assert!(begun.elapsed() >= Duration::from_millis(790), "{wait}: came back too early");
    }
}

#[tokio::test]
async fn a_retry_after_of_hours_does_not_hold_the_caller() {
    let busy = crate::support::whole_with(429, "retry-after: 7200\r\n", "{}");
    let (a, b) = (FakeUpstream::start(vec![busy]).await, good().await);
    let house = House::with(&a_then_b(&a, &b, ", attempts_per_target: 3")).await;
    let begun = Instant::now();
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.says().as_str(), a.count()), ("from b", 1));
    assert!(begun.elapsed() < Duration::from_secs(5));
    // While it rests, it is tried last.
    house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((a.count(), b.count()), (1, 2));
}

#[tokio::test]
async fn a_rate_limit_reaches_the_caller_as_one_with_its_retry_after() {
    let error = r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let a = FakeUpstream::start(vec![crate::support::whole_with(429, "retry-after: 17\r\n", error)]).await;
    let house = House::with(&only(&a, "")).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, answer.header("retry-after"), answer.text()), (429, "17", error));
    assert_eq!(answer.header("x-should-retry"), "");
}

#[tokio::test]
async fn callers_are_told_not_to_retry_what_was_tried_in_vain() {
    let (a, b) = (FakeUpstream::start(vec![whole(500, "{}")]).await, FakeUpstream::start(vec![whole(500, "{}")]).await);
    let house = House::with(&a_then_b(&a, &b, "")).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, answer.header("x-should-retry")), (502, "false"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("tried a, b"), "{}", answer.text());
}

#[tokio::test]
async fn a_prompt_that_is_too_long_moves_on_only_if_the_policy_says_so() {
    let openai = r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
    let (got, _, _, attempts) = falls_over(whole(400, openai), "", &chat("m")).await;
    assert_eq!((got, attempts.as_str()), (400, "1"));
    let (got, says, ..) = falls_over(whole(400, openai), ", retry_on: [context_too_long]", &chat("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
}

#[tokio::test]
async fn a_too_long_prompt_is_recognised_in_anthropics_words_too() {
    let error = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#;
    let (a, b) = (FakeUpstream::start(vec![whole(400, error)]).await, good().await);
    let yaml = format!(
        "providers:\n  a: {{ kind: anthropic_compatible, url: \"{}\", key: k }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         policies:\n  - policy: p\n    route: {{ fallback: [a, b], retry_on: [context_too_long] }}\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    let answer = house.http.post("/v1/messages", &messages("m")).await;
    assert_eq!((answer.status, answer.header("x-tidegate-model")), (200, "b/m"), "{}", answer.text());
}

#[tokio::test]
async fn a_filtered_prompt_moves_on_if_the_policy_says_so() {
    let error = r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter"}}"#;
    let (got, says, ..) = falls_over(whole(400, error), ", retry_on: [content_filtered]", &chat("m")).await;
    assert_eq!((got, says.as_str()), (200, "from b"));
}

#[tokio::test]
async fn a_refused_provider_key_is_benched_and_the_next_one_used() {
    let a = FakeUpstream::start(vec![whole(401, "{}"), whole(200, &completion("with the other key"))]).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\", keys: [\"${{env:NOT_SET:-sk-one}}\", \"${{env:NOT_SET:-sk-two}}\"] }}\n\
         policies:\n  - policy: p\n    route: {{ fallback: [a], attempts_per_target: 2 }}\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    for _ in 0..3 {
        let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
        assert_eq!(answer.says(), "with the other key");
    }
    let keys: Vec<_> = a.received().iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[1..].iter().all(|key| *key == keys[1]) && keys[0] != keys[1], "{keys:?}");
}

#[tokio::test]
async fn a_refusal_of_the_gateways_key_is_not_shown_as_the_callers() {
    let a = FakeUpstream::start(vec![whole(401, r#"{"error":{"message":"Incorrect API key provided"}}"#)]).await;
    let house = House::with(&only(&a, "")).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (502, Some("upstream_credential")));
}

#[tokio::test]
async fn a_target_that_keeps_failing_is_left_alone_and_the_request_that_finds_out_is_served() {
    let (a, b) = (FakeUpstream::start(vec![whole(500, "{}")]).await, good().await);
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         targets:\n  ta: {{ provider: a, breaker: {{ failures: 3, open_for: 1h }} }}\n\
         policies:\n  - policy: p\n    route: {{ fallback: [ta, b] }}\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    for _ in 0..8 {
        assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "from b");
    }
    assert_eq!((a.count(), b.count()), (3, 8));

    // A reload forgets nothing.
    house.write("tidegate.yaml", &format!("{yaml}# changed\n"));
    assert!(house.reloader.reload(&house.gateway));
    house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(a.count(), 3);
    assert!(house.admin.get("/metrics").await.text().contains(r#"tidegate_target_state{target="ta",state="open"} 1"#));
}

#[tokio::test]
async fn when_every_breaker_is_open_one_request_at_a_time_goes_and_looks() {
    let mut scripts = vec![whole(500, "{}"); 2];
    scripts.push(vec![Act::Wait(Duration::from_millis(300)), whole(200, &completion("well again")).remove(0)]);
    let a = FakeUpstream::start(scripts).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n\
         targets:\n  ta: {{ provider: a, breaker: {{ failures: 2, open_for: 1h }} }}\n\
         policies:\n  - policy: p\n    route: ta\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    for _ in 0..2 {
        assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 502);
    }
    let (http, body) = (house.http.clone(), chat("m"));
    let probe = tokio::spawn(async move { http.post("/v1/chat/completions", &body).await });
    while a.count() < 3 {
        tokio::task::yield_now().await;
    }
    let refused = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (503, Some("no_target_available")));
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(probe.await.unwrap().says(), "well again");
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 200);
}

#[tokio::test]
async fn a_full_target_is_passed_over() {
    let slow = vec![Act::Wait(Duration::from_millis(400)), whole(200, &completion("slow")).remove(0)];
    let (a, b) = (FakeUpstream::start(vec![slow]).await, good().await);
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         targets:\n  ta: {{ provider: a, max_concurrent: 1 }}\npolicies:\n  - policy: p\n    route: {{ fallback: [ta, b] }}\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    let (http, body) = (house.http.clone(), chat("m"));
    let first = tokio::spawn(async move { http.post("/v1/chat/completions", &body).await });
    while a.count() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "from b");
    assert_eq!(first.await.unwrap().says(), "slow");
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "slow");
}

#[tokio::test]
async fn a_refusal_at_the_end_of_a_fallback_is_the_last_word() {
    let a = FakeUpstream::start(vec![whole(500, "{}")]).await;
    let deny = "{ deny: { status: 451, code: gone, message: \"nobody is left\" } }";
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    route: {{ fallback: [a, {deny}] }}\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (451, Some("gone")));
    assert_eq!(answer.json()["error"]["message"], json!("nobody is left"));
}

#[tokio::test]
async fn a_full_target_does_not_keep_an_open_breaker_from_being_probed() {
    let a = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let b = FakeUpstream::start(vec![whole(500, "{}"), whole(200, &completion("well again"))]).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: openai_compatible, url: \"{}\" }}\n\
         targets:\n  ta: {{ provider: a, max_concurrent: 1 }}\n  tb: {{ provider: b, breaker: {{ failures: 1, open_for: 1h }} }}\n\
         policies:\n  - policy: p\n    route: {{ fallback: [ta, tb] }}\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    let (http, body) = (house.http.clone(), chat("m"));
    let first = tokio::spawn(async move { http.post("/v1/chat/completions", &body).await });
    while a.count() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 502);
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "well again");
    first.abort();
}

#[tokio::test]
async fn a_request_passed_over_for_its_losses_can_still_be_probed_with() {
    let a = FakeUpstream::start(vec![whole(500, "{}"), whole(200, &completion("well again"))]).await;
    let b = good().await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n  b: {{ kind: anthropic_compatible, url: \"{}\", key: k }}\n\
         targets:\n  ta: {{ provider: a, breaker: {{ failures: 1, open_for: 1h }} }}\n\
         policies:\n  - policy: p\n    route: {{ fallback: [ta, b], losses: refuse }}\n",
        a.url(),
        b.url()
    );
    let house = House::with(&yaml).await;
    let mut body = chat("m");
    body["seed"] = json!(7);
    assert_eq!(house.http.post("/v1/chat/completions", &body).await.status, 503);
    let answer = house.http.post("/v1/chat/completions", &body).await;
    assert_eq!((answer.status, b.count()), (200, 0), "{}", answer.text());
}

#[tokio::test]
async fn a_timeout_of_ages_is_refused_when_the_file_is_read() {
    let house = House::with("providers:\n  sim: { kind: simulator }\npolicies:\n  - policy: p\n    route: { target: sim, timeouts: { total: 36500d, between_tokens: 36500d, headers: 36500d, whole: 36500d, first_token: 36500d, connect: 36500d } }\n").await;
    for body in [chat("m"), streamed("m")] {
        assert_eq!(house.http.post("/v1/chat/completions", &body).await.status, 200);
    }
    house.write("tidegate.yaml", "providers:\n  sim: { kind: simulator }\npolicies:\n  - policy: p\n    route: { target: sim, timeouts: { total: 99999999999999d } }\n");
    assert!(!house.reloader.reload(&house.gateway));
}

#[tokio::test]
async fn a_probe_that_streams_has_found_out_at_its_first_token() {
    let streaming = sse::broken_off(&stream_of(&["one", "two"]), 2, Act::Stall);
    let a = FakeUpstream::start(vec![whole(500, "{}"), streaming, whole(200, &completion("well again"))]).await;
    let yaml = format!(
        "providers:\n  a: {{ kind: openai_compatible, url: \"{}\" }}\n\
         targets:\n  ta: {{ provider: a, breaker: {{ failures: 1, open_for: 1h }} }}\n\
         policies:\n  - policy: p\n    route: ta\n",
        a.url()
    );
    let house = House::with(&yaml).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 502);
    let body = streamed("m").to_string().into();
    let _probe = house.http.begin(http::Method::POST, "/v1/chat/completions", &[], body).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 200);
}
