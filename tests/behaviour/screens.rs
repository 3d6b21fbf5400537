//! Guards outside: what they are shown, what they stop, and what happens when they do not answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Act, Answered, Ending, FakeUpstream, House, Script, chat, chunk, completion, messages, sse, stream_of, streamed,
    whole,
};

/// A gateway with one guard, named `guard`, and one provider.
fn screened(guard: &FakeUpstream, kind: &str, upstream: &FakeUpstream, step: &str) -> String {
    format!(
        "screens:\n  guard: {{ {kind}, url: \"{}\" }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 1 }} }}\n\
         policies:\n  - policy: p\n    steps: [{{ screen: {{ by: guard{step} }} }}]\n    route: up\n",
        guard.url(),
        upstream.url()
    )
}

/// What a moderation endpoint says of one text.
fn moderated(categories: Value, scores: Value) -> String {
    json!({ "id": "modr-1", "model": "m", "results": [{ "flagged": true, "categories": categories, "category_scores": scores }] })
        .to_string()
}

fn violent() -> String {
    moderated(json!({ "violence": true, "hate": false, "illicit": null }), json!({ "violence": 0.9, "hate": 0.3 }))
}

fn webhook(answer: Value) -> Script {
    whole(200, &answer.to_string())
}

fn allow() -> Script {
    webhook(json!({ "action": "allow" }))
}

fn refuse() -> Script {
    webhook(json!({ "action": "refuse", "rule": "no-poetry", "message": "prose only" }))
}

fn later(mut script: Script) -> Script {
    script.insert(0, Act::Wait(Duration::from_millis(150)));
    script
}

fn code(answer: &Answered) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_a_moderation_endpoint_flags_is_refused_by_its_category_before_anybody_is_asked() {
    let (guard, up) = (FakeUpstream::answering(&violent()).await, FakeUpstream::answering(&completion("hi")).await);
    let step = ", refuse: [violence, \"self-harm*\"]";
    let house =
        House::with(&screened(&guard, "kind: openai_moderation, key: \"${env:PATH}\", model: omni", &up, step)).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(code(&answer), (403, "guard_refused".into()));
    assert!(answer.text().contains("`violence`") && answer.text().contains("`guard`"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "false");
    let anthropic = house.http.post("/v1/messages", &messages("m")).await;
    assert_eq!((anthropic.status, anthropic.json()["type"].as_str()), (403, Some("error")));
    assert!(anthropic.text().contains("`violence`"), "{}", anthropic.text());
    assert_eq!((guard.count(), up.count()), (2, 0));
    assert_eq!(guard.received()[0].json(), json!({ "model": "omni", "input": ["hello"] }));
    let metrics = house.admin.get("/metrics").await;
    let counted = "tidegate_guard_actions_total{guard=\"guard\",action=\"refuse\",kind=\"violence\"} 2";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
    let line = &house.access_lines(1).await[0];
    assert_eq!((line["code"].as_str(), line["outcome"].as_str()), (Some("guard_refused"), Some("refused")));
}

#[tokio::test]
async fn categories_that_the_policy_does_not_name_pass() {
    let (guard, up) = (FakeUpstream::answering(&violent()).await, FakeUpstream::answering(&completion("hi")).await);
    let house = House::with(&screened(&guard, "kind: openai_moderation", &up, ", refuse: [\"self-harm*\"]")).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "hi");
}

#[tokio::test]
async fn a_score_refuses_what_the_guard_does_not_flag() {
    for (least, status) in [("0.3", 403), ("0.31", 200)] {
        let (guard, up) = (FakeUpstream::answering(&violent()).await, FakeUpstream::answering(&completion("hi")).await);
        let step = format!(", scores: {{ \"hate*\": {least} }}");
        let house = House::with(&screened(&guard, "kind: openai_moderation", &up, &step)).await;
        assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, status);
    }
}

#[tokio::test]
async fn presidio_refuses_by_the_type_of_an_entity_and_its_score() {
    let found = json!([{ "entity_type": "US_SSN", "start": 0, "end": 3, "score": 0.7 }, { "entity_type": "DATE_TIME", "start": 0, "end": 3, "score": 0.9 }]);
    for (least, status) in [("0.7", 403), ("0.8", 200)] {
        let guard = FakeUpstream::answering(&found.to_string()).await;
        let up = FakeUpstream::answering(&completion("hi")).await;
        let kind = format!("kind: presidio, language: de, min_score: {least}");
        let house = House::with(&screened(&guard, &kind, &up, ", refuse: [PERSON, \"US_*\"]")).await;
        assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, status);
        let asked = guard.received()[0].json();
        assert_eq!((asked["text"].as_str(), asked["language"].as_str()), (Some("hello"), Some("de")));
    }
}

#[tokio::test]
async fn a_webhook_decides_itself_and_its_rule_and_message_reach_the_caller() {
    let guard = FakeUpstream::start(vec![refuse(), allow()]).await;
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&screened(&guard, "kind: webhook", &up, "")).await;
    let refused = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(code(&refused), (403, "guard_refused".into()));
    assert!(refused.text().contains("`no-poetry`: prose only"), "{}", refused.text());
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "hi");
    let asked = guard.received()[0].json();
    assert_eq!(asked["request_id"].as_str(), Some(refused.header("x-request-id")));
    assert_eq!((asked["policy"].as_str(), asked["place"].as_str()), (Some("p"), Some("request")));
    assert_eq!(asked["texts"], json!([{ "role": "user", "part": "text", "text": "hello" }]));
}

#[tokio::test]
async fn the_guard_sees_all_that_the_model_reads_and_nothing_of_the_callers_credentials() {
    let (guard, up) = (FakeUpstream::start(vec![allow()]).await, FakeUpstream::answering(&completion("hi")).await);
    let house = House::with(&screened(&guard, "kind: webhook, key: \"${env:PATH}\"", &up, "")).await;
    let body = json!({ "model": "m", "messages": [
        { "role": "system", "content": "rules" }, { "role": "user", "content": "earlier" },
        { "role": "assistant", "content": null, "tool_calls": [{ "id": "1", "type": "function", "function": { "name": "f", "arguments": "{\"q\":\"args\"}" } }] },
        { "role": "tool", "tool_call_id": "1", "content": "result" }, { "role": "user", "content": "now" }],
        "tools": [{ "type": "function", "function": { "name": "f", "description": "what for" } }] });
    let headers = [("authorization", "Bearer caller-canary"), ("x-user-id", "header-canary")];
    house.http.post_with("/v1/chat/completions", &headers, body.to_string()).await;
    let asked = &guard.received()[0];
    let texts = asked.json()["texts"].to_string();
    for part in ["rules", "earlier", "args", "result", "now", "what for"] {
        assert!(texts.contains(part), "{part} is not in {texts}");
    }
    assert!(!asked.head.contains("canary"), "{}", asked.head);
    assert_eq!(asked.header("authorization"), Some(format!("Bearer {}", std::env::var("PATH").unwrap()).as_str()));
}

#[tokio::test]
async fn only_the_last_word_of_the_user_is_shown_if_the_policy_says_so() {
    let (guard, up) = (FakeUpstream::start(vec![allow()]).await, FakeUpstream::answering(&completion("hi")).await);
    let house = House::with(&screened(&guard, "kind: webhook", &up, ", only: last_user")).await;
    let body = json!({ "model": "m", "messages": [{ "role": "system", "content": "a" }, { "role": "user", "content": "b" },
        { "role": "assistant", "content": "c" }, { "role": "user", "content": "d" }] });
    house.http.post("/v1/chat/completions", &body).await;
    assert_eq!(guard.received()[0].json()["texts"], json!([{ "role": "user", "part": "text", "text": "d" }]));
}

/// Guards that do not do what they are there for.
fn unfit() -> Vec<(&'static str, Script)> {
    vec![
        ("dead", vec![Act::Close]),
        ("hanging", vec![Act::Stall]),
        ("failing", whole(500, r#"{"action":"allow"}"#)),
        ("redirecting", vec![Act::Write(b"HTTP/1.1 302 X\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n".to_vec())]),
        ("garbling", whole(200, "<html>allow</html>")),
        ("silent", whole(200, "")),
        ("undecided", webhook(json!({ "action": "maybe" }))),
        (
            "breaking off",
            vec![
                Act::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"action\":\"allow\"}".to_vec()),
                Act::Close,
            ],
        ),
    ]
}

#[tokio::test]
async fn a_guard_that_does_not_answer_as_it_should_refuses_unless_the_policy_says_otherwise() {
    for (what, script) in unfit() {
        for (step, status) in [("", 503), (", when_unavailable: allow", 200)] {
            let (guard, up) =
                (FakeUpstream::start(vec![script.clone()]).await, FakeUpstream::answering(&completion("hi")).await);
            let house = House::with(&screened(&guard, "kind: webhook, timeout: 100ms", &up, step)).await;
            let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
            assert_eq!((answer.status, up.count()), (status, usize::from(status == 200)), "{what}: {}", answer.text());
            if status == 503 {
                assert_eq!(code(&answer).1, "guard_unavailable", "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_guard_that_nobody_is_at_refuses_answers_as_well() {
    let up = FakeUpstream::answering(&completion("canary")).await;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = socket.local_addr().unwrap();
    drop(socket);
    let yaml = format!(
        "screens: {{ guard: {{ kind: webhook, url: \"http://{nobody}/\" }} }}\nproviders: {{ up: {{ kind: openai_compatible, url: \"{}\" }} }}\n\
         policies: [{{ policy: p, steps: [{{ screen: {{ by: guard, where: [answer] }} }}], route: up }}]\n",
        up.url()
    );
    let house = House::with(&yaml).await;
    for body in [chat("m"), messages("m")] {
        let path = if body.get("max_tokens").is_some() { "/v1/messages" } else { "/v1/chat/completions" };
        let answer = house.http.post(path, &body).await;
        assert_eq!((answer.status, answer.text().contains("canary")), (503, false), "{}", answer.text());
    }
}

#[tokio::test]
async fn no_more_questions_are_with_a_guard_than_it_is_meant_to_bear() {
    let (guard, up) =
        (FakeUpstream::start(vec![vec![Act::Stall]]).await, FakeUpstream::answering(&completion("hi")).await);
    let house = House::with(&screened(&guard, "kind: webhook, timeout: 200ms, max_concurrent: 2", &up, "")).await;
    let asked = (0..6).map(|_| {
        let http = house.http.clone();
        async move { http.post("/v1/chat/completions", &chat("m")).await.status }
    });
    assert_eq!(futures_util::future::join_all(asked).await, [503; 6]);
    assert!(guard.count() <= 4, "{} questions came through", guard.count());
}

#[tokio::test]
async fn while_waiting_the_target_is_asked_at_once_and_let_go_of_when_the_guard_refuses() {
    let guard = FakeUpstream::start(vec![later(refuse())]).await;
    let mut up = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let house = House::with(&screened(&guard, "kind: webhook", &up, ", while: waiting")).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(code(&answer), (403, "guard_refused".into()));
    assert_eq!(up.count(), 1);
    up.hung_up_on(1).await;
}

#[tokio::test]
async fn without_it_the_target_is_asked_only_when_the_guard_has_spoken() {
    let guard = FakeUpstream::start(vec![later(refuse())]).await;
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&screened(&guard, "kind: webhook", &up, "")).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 403);
    assert_eq!(up.count(), 0);
}

#[tokio::test]
async fn while_waiting_nothing_of_an_answer_is_seen_before_the_guard_has_spoken() {
    for body in [chat("m"), streamed("m")] {
        let stream = body.get("stream").is_some();
        let said = if stream { sse::stream(&stream_of(&["can", "ary"])) } else { whole(200, &completion("canary")) };
        let (guard, up) =
            (FakeUpstream::start(vec![later(refuse()), later(allow())]).await, FakeUpstream::start(vec![said]).await);
        let house = House::with(&screened(&guard, "kind: webhook", &up, ", while: waiting")).await;
        let refused = house.http.post("/v1/chat/completions", &body).await;
        assert_eq!(code(&refused), (403, "guard_refused".into()));
        assert!(!refused.text().contains("can"), "{}", refused.text());
        let begun = Instant::now();
        let allowed = house.http.post("/v1/chat/completions", &body).await;
        assert_eq!((allowed.status, allowed.says().as_str(), allowed.ending), (200, "canary", Ending::Clean));
        assert!(begun.elapsed() >= Duration::from_millis(150));
        assert_eq!(up.count(), 2);
        // The one that was refused has been asked all the same, and costs what its question does.
        let lines = house.access_lines(2).await;
        assert!(lines.iter().all(|line| line["cost_usd"].as_f64().unwrap() > 0.0), "{lines:#?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_refused_never_reaches_its_caller_and_is_charged_for() {
    for (path, body) in [("/v1/chat/completions", chat("m")), ("/v1/messages", messages("m"))] {
        let (guard, up) =
            (FakeUpstream::start(vec![refuse()]).await, FakeUpstream::answering(&completion("canary")).await);
        let house = House::with(&screened(&guard, "kind: webhook", &up, ", where: [answer]")).await;
        let answer = house.http.post(path, &body).await;
        assert_eq!((answer.status, answer.text().contains("canary")), (403, false), "{}", answer.text());
        assert!(answer.text().contains("`no-poetry`"), "{}", answer.text());
        let asked = guard.received()[0].json();
        assert_eq!(asked["texts"], json!([{ "role": "assistant", "part": "text", "text": "canary" }]));
        assert_eq!(asked["place"], "answer");
        // Ten tokens in and two out, at a dollar for a million.
        assert_eq!(house.access_lines(1).await[0]["cost_usd"], json!(0.000_012));
    }
}

#[tokio::test]
async fn a_stream_is_held_until_all_of_it_is_screened_and_then_passes_byte_for_byte() {
    let frames = stream_of(&["can", "ary"]);
    let up = FakeUpstream::start(vec![sse::stream(&frames)]).await;
    let guard = FakeUpstream::start(vec![refuse(), allow()]).await;
    let house = House::with(&screened(&guard, "kind: webhook", &up, ", where: [answer]")).await;
    let refused = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!(code(&refused), (403, "guard_refused".into()));
    assert!(!refused.text().contains("can"), "{}", refused.text());
    let allowed = house.http.post("/v1/chat/completions", &streamed("m")).await;
    let expected: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    assert_eq!(allowed.text(), expected);
    // What is cut in two is judged in one piece.
    assert_eq!(guard.received()[0].json()["texts"][0]["text"], "canary");
    let mut anthropic = messages("m");
    anthropic["stream"] = json!(true);
    let answer = house.http.post("/v1/messages", &anthropic).await;
    assert!(answer.text().contains("message_stop"), "{}", answer.text());
}

#[tokio::test]
async fn arguments_of_tools_in_a_stream_are_screened_without_their_escapes() {
    let call = |arguments: &str| {
        let function = json!({ "name": "send", "arguments": arguments });
        chunk(json!({ "tool_calls": [{ "index": 0, "id": "1", "type": "function", "function": function }] }), None)
    };
    let more = |arguments: &str| {
        chunk(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": arguments } }] }), None)
    };
    let frames = [call("{\"to\":\"\\u00"), more("62ob\"}"), chunk(json!({}), Some("tool_calls")), "[DONE]".to_owned()];
    let (guard, up) = (FakeUpstream::start(vec![allow()]).await, FakeUpstream::start(vec![sse::stream(&frames)]).await);
    let house = House::with(&screened(&guard, "kind: webhook", &up, ", where: [answer]")).await;
    house.http.post("/v1/chat/completions", &streamed("m")).await;
    let shown = json!([{ "role": "assistant", "part": "tool_call", "text": "send {\"to\":\"bob\"}" }]);
    assert_eq!(guard.received()[0].json()["texts"], shown);
}

#[tokio::test]
async fn a_stream_that_breaks_off_while_it_is_held_is_an_error_and_shows_nothing() {
    let up = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["can", "ary"]), 2, Act::Close)]).await;
    let guard = FakeUpstream::start(vec![allow()]).await;
    let house = House::with(&screened(&guard, "kind: webhook", &up, ", where: [answer]")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!(code(&answer), (502, "upstream_cut".into()));
    assert!(!answer.text().contains("\"can\""), "{}", answer.text());
    assert_eq!(guard.count(), 0);
}

/// A stream of these pieces, each in a write of its own.
fn slowly(pieces: &[&str]) -> Script {
    let frames = stream_of(pieces);
    let mut script = vec![sse::head()];
    for frame in &frames {
        script.extend([sse::data(frame), Act::Wait(Duration::from_millis(5))]);
    }
    script.push(sse::end());
    script
}

const WINDOW: &str = ", where: [answer], window: { size: 8B, overlap: 4B }";

/// What a guard was shown, question by question.
fn shown(guard: &FakeUpstream) -> Vec<String> {
    guard
        .received()
        .iter()
        .map(|asked| asked.json()["texts"][0]["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn by_windows_a_stream_leaves_part_by_part_and_byte_for_byte() {
    let pieces = ["abcd", "efgh", "ijkl", "mnop", "qr"];
    let (guard, up) = (FakeUpstream::start(vec![allow()]).await, FakeUpstream::start(vec![slowly(&pieces)]).await);
    let house = House::with(&screened(&guard, "kind: webhook", &up, WINDOW)).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    let expected: String = stream_of(&pieces).iter().map(|frame| format!("data: {frame}\n\n")).collect();
    assert_eq!((answer.status, answer.text(), answer.ending), (200, &*expected, Ending::Clean));
    let shown = shown(&guard);
    assert!(shown.len() >= 3, "{shown:?}");
    // Each begins with the end of the one before, and together they are the whole.
    let mut all = shown[0].clone();
    for pair in shown.windows(2) {
        let overlap = &pair[0][pair[0].len() - 4..];
        assert!(pair[1].starts_with(overlap), "{shown:?}");
        all.push_str(&pair[1][4..]);
    }
    assert_eq!(all, "abcdefghijklmnopqr");
}

#[tokio::test]
async fn by_windows_words_leave_while_the_rest_is_still_to_come() {
    let mut script = vec![sse::head()];
    script.extend(stream_of(&["abcdefgh", "ijklmnop"])[..3].iter().map(|frame| sse::data(frame)));
    script.push(Act::Stall);
    let (guard, up) = (FakeUpstream::start(vec![allow()]).await, FakeUpstream::start(vec![script]).await);
    let house = House::with(&screened(&guard, "kind: webhook", &up, WINDOW)).await;
    let body = streamed("m").to_string().into();
    let headers = [("content-type", "application/json")];
    let answer = house.http.begin(http::Method::POST, "/v1/chat/completions", &headers, body).await;
    let mut body = answer.into_body();
    let mut seen = String::new();
    while !seen.contains("ijklmnop") {
        let frame = tokio::time::timeout(Duration::from_secs(10), http_body_util::BodyExt::frame(&mut body)).await;
        seen.push_str(std::str::from_utf8(&frame.unwrap().unwrap().unwrap().into_data().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn by_windows_a_refusal_in_the_first_has_a_status_and_later_ends_the_stream_with_an_error() {
    let pieces = ["abcd", "efgh", "bad!", "more", "text", "last"];
    for (path, stream) in [("/v1/chat/completions", streamed("m")), ("/v1/messages", anthropic_stream())] {
        let up = FakeUpstream::start(vec![slowly(&pieces)]).await;
        let guard = FakeUpstream::start(vec![refuse()]).await;
        let house = House::with(&screened(&guard, "kind: webhook", &up, WINDOW)).await;
        let answer = house.http.post(path, &stream).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(answer.text().contains("`no-poetry`") && !answer.text().contains("abcd"), "{}", answer.text());
        assert!(house.access_lines(1).await[0]["cost_usd"].as_f64().unwrap() > 0.0);

        let guard = FakeUpstream::start(vec![allow(), refuse()]).await;
        let house = House::with(&screened(&guard, "kind: webhook", &up, WINDOW)).await;
        let answer = house.http.post(path, &stream).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("abcd") && !answer.text().contains("bad!"), "{}", answer.text());
        assert!(answer.text().contains("guard_refused") || answer.text().contains("event: error"), "{}", answer.text());
        assert!(answer.text().contains("`no-poetry`"), "{}", answer.text());
        assert!(!answer.text().contains("[DONE]") && !answer.text().contains("message_stop"), "{}", answer.text());
        let line = &house.access_lines(1).await[0];
        assert_eq!((line["outcome"].as_str(), line["code"].as_str()), (Some("refused"), Some("guard_refused")));
        assert!(line["output_tokens"].as_u64().unwrap() >= 4, "what was withheld is charged for: {line}");
    }
}

fn anthropic_stream() -> Value {
    let mut body = messages("m");
    body["stream"] = json!(true);
    body
}

#[tokio::test]
async fn by_windows_a_word_that_is_cut_by_a_border_is_seen_whole_in_the_overlap() {
    let (guard, up) = (
        FakeUpstream::start(vec![allow()]).await,
        FakeUpstream::start(vec![slowly(&["abcdef", "se", "cr", "et", "xyzxyz"])]).await,
    );
    let step = ", where: [answer], window: { size: 10B, overlap: 6B }";
    let house = House::with(&screened(&guard, "kind: webhook", &up, step)).await;
    house.http.post("/v1/chat/completions", &streamed("m")).await;
    let shown = shown(&guard);
    assert!(shown.iter().any(|text| text.contains("secret")), "{shown:?}");
}

#[tokio::test]
async fn by_windows_no_more_is_read_than_two_of_them_while_the_guard_thinks() {
    let piece = "x".repeat(64 * 1024);
    let pieces: Vec<&str> = std::iter::repeat_n(piece.as_str(), 400).collect();
    let mut script = vec![sse::head()];
    script.extend(stream_of(&pieces).iter().map(|frame| sse::data(frame)));
    script.push(sse::end());
    let (guard, mut up) = (FakeUpstream::start(vec![vec![Act::Stall]]).await, FakeUpstream::start(vec![script]).await);
    let step = ", where: [answer], window: { size: 64KiB, overlap: 1KiB }";
    let house = House::with(&screened(&guard, "kind: webhook, timeout: 1s", &up, step)).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!(code(&answer), (503, "guard_unavailable".into()));
    up.hung_up_on(1).await;
    // What lies in the buffers of two sockets is read by nobody.
    assert!(up.acts_done() < 300, "{} pieces of 400 were taken", up.acts_done());
}

#[tokio::test]
async fn by_windows_what_is_held_of_a_stream_that_breaks_off_is_judged_before_it_leaves() {
    for (script, is_seen) in [(allow(), true), (refuse(), false)] {
        let mut pieces = slowly(&["abcdefgh", "can", "ary"]);
        pieces.truncate(pieces.len() - 5);
        pieces.push(Act::Close);
        let up = FakeUpstream::start(vec![pieces]).await;
        let guard = FakeUpstream::start(vec![allow(), script]).await;
        let house = House::with(&screened(&guard, "kind: webhook", &up, WINDOW)).await;
        let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
        assert!(answer.text().contains("abcdefgh") && !answer.text().contains("[DONE]"), "{}", answer.text());
        assert_eq!(answer.text().contains("ary"), is_seen, "{}", answer.text());
        assert!(answer.text().contains("\"error\""), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_policy_that_screens_still_counts_tokens() {
    let (guard, up) = (FakeUpstream::start(vec![refuse()]).await, FakeUpstream::answering("{}").await);
    let house = House::with(&screened(&guard, "kind: webhook", &up, ", where: [request, answer]")).await;
    let answer = house.http.post("/v1/messages/count_tokens", &messages("m")).await;
    assert_eq!((answer.status, guard.count()), (200, 0), "{}", answer.text());
    assert!(answer.json()["input_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn images_are_refused_unless_the_policy_lets_them_pass_unseen() {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [{ "type": "text", "text": "what is it?" },
        { "type": "image_url", "image_url": { "url": "https://example.org/a.png" } }] }] });
    for (step, expected) in [("", (403, 0)), (", unscannable: pass", (200, 1))] {
        let (guard, up) = (FakeUpstream::start(vec![allow()]).await, FakeUpstream::answering(&completion("hi")).await);
        let house = House::with(&screened(&guard, "kind: webhook", &up, step)).await;
        let answer = house.http.post("/v1/chat/completions", &body).await;
        assert_eq!((answer.status, guard.count()), expected, "{}", answer.text());
    }
}

#[tokio::test]
async fn who_only_observes_stops_nothing_and_holds_nothing_but_the_end() {
    let mut script = sse::stream(&stream_of(&["hel", "lo"]));
    script.insert(3, Act::Wait(Duration::from_millis(20)));
    let (guard, up) = (FakeUpstream::start(vec![refuse()]).await, FakeUpstream::start(vec![script]).await);
    let yaml = screened(&guard, "kind: webhook", &up, ", where: [request, answer]");
    let house = House::with(&yaml.replace("    steps:", "    mode: observe\n    steps:")).await;
    let answer = house.http.post("/v1/chat/completions", &streamed("m")).await;
    assert_eq!((answer.status, answer.says().as_str(), answer.data().last()), (200, "hello", Some(&"[DONE]")));
    assert_eq!(guard.count(), 2);
    house.access_lines(1).await;
    let metrics = house.admin.get("/metrics").await;
    let counted = "tidegate_guard_actions_total{guard=\"guard\",action=\"report\",kind=\"no-poetry\"} 2";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test]
async fn a_dead_guard_that_only_observes_is_in_nobodys_way() {
    let (guard, up) =
        (FakeUpstream::start(vec![vec![Act::Stall]]).await, FakeUpstream::answering(&completion("hi")).await);
    let yaml = screened(&guard, "kind: webhook, timeout: 50ms", &up, ", where: [request, answer]");
    let house = House::with(&yaml.replace("    steps:", "    mode: observe\n    steps:")).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "hi");
}

#[tokio::test]
async fn requests_that_a_guard_cannot_read_are_not_its_policys() {
    let (guard, up) = (FakeUpstream::start(vec![allow()]).await, FakeUpstream::answering("{}").await);
    let house = House::with(&screened(&guard, "kind: webhook", &up, "")).await;
    let answer = house.http.post("/v1/embeddings", &json!({ "model": "m", "input": "x" })).await;
    assert_eq!((code(&answer), guard.count(), up.count()), ((404, "no_policy".into()), 0, 0));
}

#[tokio::test]
async fn no_text_reaches_the_log_of_requests() {
    let (guard, up) = (FakeUpstream::start(vec![refuse()]).await, FakeUpstream::answering(&completion("canary")).await);
    let house = House::with(&screened(&guard, "kind: webhook", &up, ", where: [answer]")).await;
    let mut body = chat("m");
    body["messages"][0]["content"] = json!("prompt-canary");
    house.http.post("/v1/chat/completions", &body).await;
    let line = house.access_lines(1).await[0].to_string();
    assert!(!line.contains("canary") && !line.contains("prose"), "{line}");
}

#[tokio::test]
async fn a_caller_that_hangs_up_on_a_held_answer_ends_the_question_and_pays_for_the_answer() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let mut guard = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let house = House::with(&screened(&guard, "kind: webhook, timeout: 20s", &up, ", where: [answer]")).await;
    let http = house.http.clone();
    let asking = tokio::spawn(async move { http.post("/v1/chat/completions", &chat("m")).await });
    while guard.count() == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    guard.hung_up_on(1).await;
    let line = &house.access_lines(1).await[0];
    assert_eq!((line["outcome"].as_str(), &line["cost_usd"]), (Some("hang_up"), &json!(0.000_012)));
}
