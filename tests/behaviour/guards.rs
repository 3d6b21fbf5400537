//! What guards take away is gone from the bytes on the socket, and what they give back is whole again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Act, Answered, FakeUpstream, House, Script, chat, chunk, completion, messages, sse, whole};

const PATHS: [&str; 2] = ["/v1/chat/completions", "/v1/messages"];
const KINDS: [&str; 2] = ["openai_compatible", "anthropic_compatible"];
const MAIL: &str = "jo.doe@example.org";

/// A provider of a kind behind a `redact` step with these settings.
fn guarded(kind: &str, upstream: &FakeUpstream, redact: &str) -> String {
    format!(
        "callers: {{ anonymous: true, session: [header x-session-id] }}\nproviders:\n  up: {{ kind: {kind}, url: \"{}\" }}\npolicies:\n  - policy: p\n    steps: [{{ redact: {redact} }}]\n    route: up\n",
        upstream.url()
    )
}

/// One frame of an Anthropic stream.
fn event(name: &str, data: &Value) -> Vec<u8> {
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}

/// The frames of a stream that says these pieces, in the dialect of a kind of provider.
fn saying(kind: &str, pieces: &[&str]) -> Vec<Vec<u8>> {
    if kind == "openai_compatible" {
        let head = chunk(json!({ "role": "assistant", "content": "" }), None);
        let deltas = pieces.iter().map(|piece| chunk(json!({ "content": piece }), None));
        let end = [chunk(json!({}), Some("stop")), "[DONE]".into()];
        let data = std::iter::once(head).chain(deltas).chain(end);
        return data.map(|data| format!("data: {data}\n\n").into_bytes()).collect();
    }
    let delta = |piece: &&str| json!({ "type": "text_delta", "text": piece });
    anthropic(&json!({ "type": "text", "text": "" }), pieces.iter().map(delta).collect(), "end_turn")
}

/// The same of a tool that is called with these pieces of arguments.
fn calling(kind: &str, pieces: &[&str]) -> Vec<Vec<u8>> {
    if kind == "openai_compatible" {
        let call = |function: Value| json!({ "tool_calls": [{ "index": 0, "function": function }] });
        let mut head = call(json!({ "name": "send", "arguments": "" }));
        head["tool_calls"][0]["id"] = "c1".into();
        let deltas = pieces.iter().map(|piece| chunk(call(json!({ "arguments": piece })), None));
        let end = [chunk(json!({}), Some("tool_calls")), "[DONE]".into()];
        let data = std::iter::once(chunk(head, None)).chain(deltas).chain(end);
        return data.map(|data| format!("data: {data}\n\n").into_bytes()).collect();
    }
    let delta = |piece: &&str| json!({ "type": "input_json_delta", "partial_json": piece });
    let block = json!({ "type": "tool_use", "id": "c1", "name": "send", "input": {} });
    anthropic(&block, pieces.iter().map(delta).collect(), "tool_use")
}

fn anthropic(block: &Value, deltas: Vec<Value>, reason: &str) -> Vec<Vec<u8>> {
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let mut frames = vec![event("message_start", &json!({ "type": "message_start", "message": message }))];
    let start = json!({ "type": "content_block_start", "index": 0, "content_block": block });
    frames.push(event("content_block_start", &start));
    for delta in deltas {
        let data = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
        frames.push(event("content_block_delta", &data));
    }
    frames.push(event("content_block_stop", &json!({ "type": "content_block_stop", "index": 0 })));
    let end = json!({ "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null }, "usage": { "output_tokens": 5 } });
    frames.push(event("message_delta", &end));
    frames.push(event("message_stop", &json!({ "type": "message_stop" })));
    frames
}

fn script(frames: &[Vec<u8>]) -> Script {
    let mut script = vec![sse::head()];
    script.extend(frames.iter().map(|frame| sse::bytes(frame)));
    script.push(sse::end());
    script
}

/// Each way to cut a text into two pieces.
fn cuts(text: &str) -> Vec<[&str; 2]> {
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).map(|at| text.split_at(at).into()).collect()
}

/// A streamed request on a path.
fn asking(path: &str, text: &str) -> Value {
    let mut request = if path == PATHS[0] { chat("m") } else { messages("m") };
    request["stream"] = json!(true);
    request["messages"][0]["content"] = json!(text);
    request
}

/// All text, or all arguments, that a stream of either dialect brought.
fn said(answer: &Answered) -> String {
    let data = answer.data().into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let mut all = String::new();
    for event in data {
        let delta = &event["choices"][0]["delta"];
        let pieces = [
            &delta["content"],
            &delta["tool_calls"][0]["function"]["arguments"],
            &event["delta"]["text"],
            &event["delta"]["partial_json"],
        ];
        pieces.into_iter().filter_map(Value::as_str).for_each(|piece| all.push_str(piece));
    }
    all
}

fn is_complete(answer: &Answered) -> bool {
    answer.text().contains("[DONE]") || answer.text().contains("message_stop")
}

#[tokio::test]
async fn a_value_that_is_cut_in_two_anywhere_leaks_in_no_pair_of_dialects() {
    let text = "Zoë: ring +49 30 901820, ok";
    for kind in KINDS {
        let scripts = cuts(text).iter().map(|pieces| script(&saying(kind, pieces))).collect::<Vec<_>>();
        for path in PATHS {
            let upstream = FakeUpstream::start(scripts.clone()).await;
            let house = House::with(&guarded(kind, &upstream, "{ find: [phone], action: mask }")).await;
            for pieces in cuts(text) {
                let answer = house.http.post(path, &asking(path, "hello")).await;
                assert_eq!(said(&answer), "Zoë: ring +** ** **1820, ok", "{kind} {path} {pieces:?}: {}", answer.text());
                assert!(is_complete(&answer) && !answer.text().contains("901"), "{}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn arguments_that_are_cut_in_two_anywhere_stay_json_and_leak_nothing() {
    let text = r#"{"to":"jo.doe\u0040example.org","count":7}"#;
    for kind in KINDS {
        let scripts = cuts(text).iter().map(|pieces| script(&calling(kind, pieces))).collect::<Vec<_>>();
        for path in PATHS {
            let upstream = FakeUpstream::start(scripts.clone()).await;
            let house = House::with(&guarded(kind, &upstream, "{ find: [email], action: mask }")).await;
            for pieces in cuts(text) {
                let answer = house.http.post(path, &asking(path, "hello")).await;
                let arguments: Value = serde_json::from_str(&said(&answer)).unwrap();
                let expected = json!({ "to": "**.***@******e.org", "count": 7 });
                assert_eq!(arguments, expected, "{kind} {path} {pieces:?}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_placeholder_that_is_cut_in_two_anywhere_comes_back_as_its_value_in_every_pair_of_dialects() {
    let settings = "{ find: [email], where: [request], restore: true, session: session }";
    let session = [("x-session-id", "s1")];
    for (kind, path) in KINDS.iter().flat_map(|kind| PATHS.map(|path| (*kind, path))) {
        let first = FakeUpstream::start(vec![script(&saying(kind, &["hi"]))]).await;
        let house = House::with(&guarded(kind, &first, settings)).await;
        let asked = asking(path, &format!("write to {MAIL}")).to_string();
        house.http.post_with(path, &session, asked.clone()).await;
        let body = String::from_utf8(first.received()[0].body.clone()).unwrap();
        assert!(!body.contains(MAIL), "{body}");
        let at = body.find("<EMAIL_1_").unwrap();
        let placeholder = &body[at..at + "<EMAIL_1_abcdef>".len()];

        // Another revision of the policy, another turn of the same conversation.
        let text = format!("I wrote to {placeholder}.");
        let arguments = json!({ "to": placeholder, "more": [1, "x"] }).to_string();
        let mut scripts: Vec<_> = cuts(&text).iter().map(|pieces| script(&saying(kind, pieces))).collect();
        scripts.extend(cuts(&arguments).iter().map(|pieces| script(&calling(kind, pieces))));
        let second = FakeUpstream::start(scripts).await;
        house.write("tidegate.yaml", &guarded(kind, &second, settings));
        assert!(house.reloader.reload(&house.gateway));
        for pieces in cuts(&text) {
            let answer = house.http.post_with(path, &session, asked.clone()).await;
            assert_eq!(said(&answer), format!("I wrote to {MAIL}."), "{kind} {path} {pieces:?}: {}", answer.text());
        }
        for pieces in cuts(&arguments) {
            let answer = house.http.post_with(path, &session, asked.clone()).await;
            let arguments: Value = serde_json::from_str(&said(&answer)).unwrap();
            assert_eq!(arguments, json!({ "to": MAIL, "more": [1, "x"] }), "{kind} {path} {pieces:?}");
        }
        assert!(second.received().iter().all(|received| !String::from_utf8_lossy(&received.body).contains(MAIL)));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_at_any_byte_leaks_nothing_of_what_was_held_back() {
    for kind in KINDS {
        let frames = saying(kind, &["ring +49", " 30 9018", "20, ok"]);
        let all = frames.concat();
        let scripts = (0..all.len()).step_by(3).map(|at| vec![sse::head(), sse::bytes(&all[..at.max(1)]), Act::Close]);
        let upstream = FakeUpstream::start(scripts.collect()).await;
        let settings = "{ find: [phone], action: refuse, where: [answer_text] }";
        let house = House::with(&guarded(kind, &upstream, settings)).await;
        for at in (0..all.len()).step_by(3) {
            let answer = house.http.post(PATHS[0], &asking(PATHS[0], "hello")).await;
            assert!(!answer.text().contains("901820"), "cut at {at}: {}", answer.text());
            assert!(!is_complete(&answer), "cut at {at}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn words_leave_a_stream_that_is_gone_through_while_the_rest_is_still_to_come() {
    let mut script = vec![sse::head()];
    script.extend(saying(KINDS[0], &["hello there, ", "ring "])[..3].iter().map(|frame| sse::bytes(frame)));
    script.push(Act::Stall);
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&guarded(KINDS[0], &upstream, "{ find: [pii, secrets] }")).await;
    let headers = [("content-type", "application/json")];
    let body = asking(PATHS[0], "hello").to_string().into();
    let mut body = house.http.begin(http::Method::POST, PATHS[0], &headers, body).await.into_body();
    let mut seen = String::new();
    while !seen.contains("hello there") {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(10), http_body_util::BodyExt::frame(&mut body));
        seen.push_str(std::str::from_utf8(&frame.await.unwrap().unwrap().unwrap().into_data().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn the_log_probabilities_of_what_is_taken_away_go_with_it() {
    let mut data: Value = serde_json::from_str(&completion("ring +49 30 901820")).unwrap();
    data["choices"][0]["logprobs"] = json!({ "content": [{ "token": "901820", "logprob": -0.1 }] });
    let mut piece: Value = serde_json::from_str(&chunk(json!({ "content": "ring +49 30 901820" }), None)).unwrap();
    piece["choices"][0]["logprobs"] = data["choices"][0]["logprobs"].clone();
    let mut frames = saying(KINDS[0], &["x"]);
    frames[1] = format!("data: {piece}\n\n").into_bytes();
    let upstream = FakeUpstream::start(vec![whole(200, &data.to_string()), script(&frames)]).await;
    let house = House::with(&guarded(KINDS[0], &upstream, "{ find: [phone] }")).await;
    for stream in [false, true] {
        let mut request = asking(PATHS[0], "hello");
        request["logprobs"] = json!(true);
        request["stream"] = json!(stream);
        let answer = house.http.post(PATHS[0], &request).await;
        assert!(answer.says().starts_with("ring <PHONE_1_") && !answer.text().contains("901820"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_field_of_a_stream_that_nobody_reads_does_not_leave_with_a_value_in_it() {
    // Before the text and after it, among frames that are like each other, and again.
    let before = chunk(json!({ "audio": { "transcript": "ring +49 30 901820" }, "content": "ok, " }), None);
    let after = chunk(json!({ "content": "ok, ", "zone": "ring +49 30 901820" }), None);
    let mut frames = saying(KINDS[0], &["so, ", "so, ", "", "", "", "so, ", ""]);
    for (at, odd) in [(3, &before), (4, &after), (5, &after), (7, &before)] {
        frames[at] = format!("data: {odd}\n\n").into_bytes();
    }
    let upstream = FakeUpstream::start(vec![script(&frames)]).await;
    let house = House::with(&guarded(KINDS[0], &upstream, "{ find: [phone] }")).await;
    let answer = house.http.post(PATHS[0], &asking(PATHS[0], "hello")).await;
    assert_eq!(answer.says(), "so, so, ok, ok, ok, so, ok, ");
    assert!(!answer.text().contains("901820"), "{}", answer.text());
}

#[tokio::test]
async fn two_callers_and_two_conversations_share_no_placeholder() {
    let upstream = FakeUpstream::answering(&completion("hi")).await;
    let settings = "{ find: [email], where: [request], session: session }";
    let house = House::with(&guarded(KINDS[0], &upstream, settings)).await;
    let mut request = chat("m");
    request["messages"][0]["content"] = json!(MAIL);
    for session in ["s1", "s2", "s1"] {
        house.http.post_with(PATHS[0], &[("x-session-id", session)], request.to_string()).await;
    }
    let sent: Vec<_> = upstream.received().iter().map(|received| received.json()["messages"].to_string()).collect();
    assert!(sent[0] == sent[2] && sent[0] != sent[1], "{sent:?}");
}

#[tokio::test]
async fn what_guards_did_is_counted_by_type_and_action_and_their_bounds_are_shown() {
    let upstream = FakeUpstream::answering(&completion("ring +49 30 901820")).await;
    let settings = "{ find: [email, phone], actions: { phone: mask } }";
    let house = House::with(&guarded(KINDS[0], &upstream, settings)).await;
    let mut request = chat("m");
    request["messages"][0]["content"] = json!(format!("{MAIL} and {MAIL}"));
    let answer = house.http.post(PATHS[0], &request).await;
    assert_eq!(answer.says(), "ring +** ** **1820");
    let metrics = house.admin.get("/metrics").await;
    for line in [
        r#"tidegate_guard_actions_total{guard="redact",action="replace",kind="email"} 2"#,
        r#"tidegate_guard_actions_total{guard="redact",action="mask",kind="phone"} 1"#,
        r#"tidegate_guard_hold_back_bytes{policy="p",guard="redact"} "#,
    ] {
        assert!(metrics.text().contains(line), "{line} is not in\n{}", metrics.text());
    }
    let log = house.access_lines(1).await[0].to_string();
    assert!(!log.contains(MAIL) && !metrics.text().contains(MAIL), "{log}");
}

/// How long a long exchange took, and the longest that somebody else waited meanwhile.
async fn beside(house: &House, long: Value) -> (Duration, Duration) {
    let begun = Instant::now();
    let http = house.http.clone();
    let under_way = tokio::spawn(async move { http.post(PATHS[0], &long).await });
    let mut longest = Duration::ZERO;
    while !under_way.is_finished() {
        let asked = Instant::now();
        assert_eq!(house.http.post(PATHS[0], &asking(PATHS[0], "hello")).await.status, 200);
        longest = longest.max(asked.elapsed());
    }
    assert_eq!(under_way.await.unwrap().status, 200);
    (begun.elapsed(), longest)
}

#[tokio::test]
async fn nobody_waits_while_a_long_prompt_of_somebody_else_is_gone_through() {
    let upstream = FakeUpstream::answering(&completion("ok")).await;
    let settings = "{ find: [default, deny], deny: [nightjar], where: [request] }";
    let house = House::with(&guarded("openai_compatible", &upstream, settings)).await;
    let (took, longest) = beside(&house, asking(PATHS[0], &LONG.repeat(10_000))).await;
    assert!(longest < took / 2, "one waited {longest:?} of {took:?}");
    let received = upstream.received();
    let body = received.iter().map(|received| received.body.len()).max().unwrap();
    assert!(body > 500_000 && received.iter().all(|received| !String::from_utf8_lossy(&received.body).contains(MAIL)));
}

#[tokio::test]
async fn nobody_waits_while_a_long_answer_to_somebody_else_is_gone_through() {
    let long = FakeUpstream::answering(&completion(&LONG.repeat(10_000))).await;
    let short = FakeUpstream::answering(&completion("ok")).await;
    let settings = "{ find: [default, deny], deny: [nightjar], where: [answer] }";
    let provider = |name: &str, url: String| format!("  {name}: {{ kind: openai_compatible, url: \"{url}\" }}\n");
    let policy = |name: &str, models: &str| {
        format!(
            "  - policy: {name}\n    for: {{ models: [\"{models}\"] }}\n    steps: [{{ redact: {settings} }}]\n    route: {name}\n"
        )
    };
    let providers = provider("long", long.url()) + &provider("short", short.url());
    let policies = policy("long", "long") + &policy("short", "*");
    let house = House::with(&format!("providers:\n{providers}policies:\n{policies}")).await;
    let (took, longest) = beside(&house, chat("long")).await;
    assert!(longest < took / 2, "one waited {longest:?} of {took:?}");
}

const LONG: &str = "The committee met on Tuesday. Write to jo.doe@example.org, not to the nightjar.\n";
#[tokio::test]
async fn a_policy_that_observes_leaves_answers_as_they_came_and_counts_what_it_finds_in_them() {
    let frames = saying(KINDS[0], &["ring +49", " 30 9018", "20, ok"]);
    let plain = completion("ring +49 30 901820");
    for (script, expected, stream) in
        [(script(&frames), frames.concat(), true), (whole(200, &plain), plain.clone().into_bytes(), false)]
    {
        for action in ["mask", "refuse"] {
            let upstream = FakeUpstream::start(vec![script.clone()]).await;
            let yaml = guarded(KINDS[0], &upstream, &format!("{{ find: [phone], action: {action} }}"));
            let house = House::with(&yaml.replace("    steps:", "    mode: observe\n    steps:")).await;
            let mut request = asking(PATHS[0], "hello");
            request["stream"] = json!(stream);
            let answer = house.http.post(PATHS[0], &request).await;
            assert_eq!((answer.status, answer.text().as_bytes()), (200, &*expected));
            house.access_lines(1).await;
            let metrics = house.admin.get("/metrics").await;
            let counted = r#"tidegate_guard_actions_total{guard="redact",action="report",kind="phone"} 1"#;
            assert!(metrics.text().contains(counted), "{}", metrics.text());
        }
    }
}
