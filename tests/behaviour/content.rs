//! Texts in traces: none unless the file says so, as they went upstream, and as they came only if whoever starts the
//! gateway says so as well.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate::base::clock::Clock;
use tidegate::gateway::World;
use tidegate::gateway::reload::Reloader;
use tidegate::provider::Pools;
use tidegate::telemetry::AccessLog;

use crate::support::collector::{Collector, Tree, json_of, of};
use crate::support::{FakeUpstream, House, Script, chunk, completion, sse, stream_of, whole};

const MAIL: &str = "jane@example.org";

/// A gateway that hides addresses from its provider, and a collector that gets texts of this kind.
fn gateway(collector: &Collector, up: &FakeUpstream, content: &str) -> String {
    let section = collector.section_with(&format!("dialects: [genai, langfuse, openinference], content: {content}"));
    format!(
        "{section}callers: {{ anonymous: true, session: [header x-session-id] }}\n\
         providers: {{ up: {{ kind: openai_compatible, url: \"{}\" }} }}\n\
         policies: [{{ policy: p, steps: [{{ redact: {{ find: [email], restore: true, session: session }} }}], route: up }}]\n",
        up.url()
    )
}

/// What is seen of a request with an address in it.
struct Seen {
    /// What the provider was shown in the place of the address.
    placeholder: String,
    says: String,
    tree: Tree,
}

/// Asks a provider that answers with this script, which is told what it is shown in the place of the address.
async fn asked(content: &str, script: impl FnOnce(&str) -> Script, is_stream: bool) -> Seen {
    let collector = Collector::start().await;
    let first = FakeUpstream::answering(&completion("hi")).await;
    let house = House::showing_raw(&gateway(&collector, &first, content)).await;
    let text = format!("write to {MAIL}");
    let body = json!({ "model": "m", "stream": is_stream, "messages": [{ "role": "user", "content": text }] });
    let ask = || house.http.post_with("/v1/chat/completions", &[("x-session-id", "s1")], body.to_string());
    ask().await;
    let shown = first.received()[0].json()["messages"][0]["content"].as_str().unwrap().to_owned();
    let placeholder = shown.strip_prefix("write to ").unwrap().to_owned();
    // The same conversation has the same one in its next turn.
    let second = FakeUpstream::start(vec![script(&placeholder)]).await;
    house.write("tidegate.yaml", &gateway(&collector, &second, content));
    assert!(house.reloader.reload(&house.gateway));
    let answer = ask().await;
    assert_eq!(answer.status, 200);
    let tree = collector.trees_of(&house, 2).await.remove(1);
    Seen { placeholder, says: answer.says(), tree }
}

fn echo(placeholder: &str) -> Script {
    whole(200, &completion(&format!("to {placeholder}")))
}

fn texts(input: &str, output: &str) -> (Value, Value) {
    let said = |text: &str| json!([{ "type": "text", "content": text }]);
    (
        json!([{ "role": "user", "parts": said(input) }]),
        json!([{ "role": "assistant", "parts": said(output), "finish_reason": "stop" }]),
    )
}

/// What an attempt says was asked and answered, which all dialects agree on.
fn told(tree: &Tree) -> (Value, Value) {
    let attempt = tree.attempts()[0];
    let (input, output) = (json_of(attempt, "gen_ai.input.messages"), json_of(attempt, "gen_ai.output.messages"));
    for (span, name, expected) in [
        (attempt, "input.value", &input),
        (attempt, "output.value", &output),
        (attempt, "langfuse.observation.input", &input),
        (&tree.root, "langfuse.trace.input", &input),
        (&tree.root, "langfuse.trace.output", &output),
    ] {
        assert_eq!(json_of(span, name), *expected, "{name}");
    }
    for name in ["gen_ai.input.messages", "llm.input_messages.0.message.role"] {
        assert!(of(&tree.root, name).is_null(), "{name}");
    }
    // The root says it in a word, for tables of requests.
    let text = input.as_array().unwrap().last().unwrap()["parts"][0]["content"].clone();
    assert_eq!((of(&tree.root, "input.value"), of(&tree.root, "input.mime_type")), (text, json!("text/plain")));
    let first = |list: &str, what: &str| of(attempt, &format!("llm.{list}_messages.0.message.{what}"));
    assert_eq!(
        (first("input", "role"), first("input", "content")),
        (input[0]["role"].clone(), input[0]["parts"][0]["content"].clone())
    );
    assert_eq!(first("output", "content"), output[0]["parts"][0]["content"]);
    assert_eq!(first("output", "tool_calls.0.tool_call.function.name"), output[0]["parts"][0]["name"]);
    (input, output)
}

#[tokio::test]
async fn redacted_texts_are_those_that_went_upstream_and_came_from_there() {
    let seen = asked("redacted", echo, false).await;
    assert_eq!(seen.says, format!("to {MAIL}"));
    let shown = &seen.placeholder;
    assert_eq!(told(&seen.tree), texts(&format!("write to {shown}"), &format!("to {shown}")));
    assert!(!format!("{:?}", seen.tree).contains(MAIL));
}

#[tokio::test]
async fn of_a_stream_the_same_is_told() {
    let stream = |placeholder: &str| {
        let (one, two) = placeholder.split_at(4);
        sse::stream(&stream_of(&["to ", one, two]))
    };
    let seen = asked("redacted", stream, true).await;
    assert_eq!(seen.says, format!("to {MAIL}"));
    let shown = &seen.placeholder;
    assert_eq!(told(&seen.tree), texts(&format!("write to {shown}"), &format!("to {shown}")));
    assert!(!format!("{:?}", seen.tree).contains(MAIL));
}

#[tokio::test]
async fn raw_texts_are_what_the_caller_has_sent_and_got() {
    let seen = asked("raw", echo, false).await;
    assert_eq!(told(&seen.tree), texts(&format!("write to {MAIL}"), &format!("to {MAIL}")));
}

#[tokio::test]
async fn calls_of_tools_are_told_with_their_arguments() {
    let call = json!({ "tool_calls": [{ "index": 0, "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{}" } }] });
    let frames = [chunk(call, None), chunk(json!({}), Some("tool_calls")), "[DONE]".to_owned()];
    let seen = asked("redacted", |_| sse::stream(&frames), true).await;
    let (_, output) = told(&seen.tree);
    assert_eq!(output[0]["parts"], json!([{ "type": "tool_call", "id": "c1", "name": "look", "arguments": "{}" }]));
}

#[tokio::test]
async fn without_a_word_about_it_a_trace_has_no_text() {
    let seen = asked("none", echo, false).await;
    let shown = format!("{:?}", seen.tree);
    for text in [MAIL, "write to", "EMAIL_1", "input.value", "gen_ai.input.messages", "llm.input_messages"] {
        assert!(!shown.contains(text), "`{text}` in {shown}");
    }
}

#[tokio::test]
async fn each_collector_has_its_own_kind_of_texts() {
    let (none, redacted) = (Collector::start().await, Collector::start().await);
    let up = FakeUpstream::answering(&completion("hi")).await;
    let url = |collector: &Collector| collector.0.url().trim_end_matches("/v1").to_owned();
    let both = format!(
        "telemetry: {{ otlp: [ {{ endpoint: \"{}\" }}, {{ endpoint: \"{}\", content: redacted }} ] }}\n",
        url(&none),
        url(&redacted)
    );
    let rest = gateway(&none, &up, "none").split_once('\n').unwrap().1.to_owned();
    let house = House::with(&(both + &rest)).await;
    house
        .http
        .post("/v1/chat/completions", &json!({ "model": "m", "messages": [{ "role": "user", "content": MAIL }] }))
        .await;
    assert!(of(none.tree(&house).await.attempts()[0], "gen_ai.input.messages").is_null());
    let told = json_of(redacted.tree(&house).await.attempts()[0], "gen_ai.input.messages");
    assert!(told[0]["parts"][0]["content"].as_str().unwrap().starts_with("<EMAIL_1_"), "{told}");
}

#[tokio::test]
async fn an_answer_that_is_listened_to_leaves_byte_for_byte() {
    let odd = r#"{"id":"x", "object":"chat.completion","created":1,"model":"m","odd":[1.0],"choices":[{"index":0,"message":{"role":"assistant","content":"h\u0069"},"finish_reason":"stop"}]}"#;
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(odd).await);
    let yaml = gateway(&collector, &up, "redacted")
        .replace("steps: [{ redact: { find: [email], restore: true, session: session } }], ", "");
    let house = House::with(&yaml).await;
    let answer = house.http.post("/v1/chat/completions", &crate::support::chat("m")).await;
    assert_eq!(answer.text(), odd);
    assert_eq!(told(&collector.tree(&house).await), texts("hello", "hi"));
}

#[tokio::test]
async fn raw_texts_by_the_file_alone_do_not_load() {
    let (collector, up) = (Collector::start().await, FakeUpstream::start(vec![]).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.yaml");
    let yaml = format!("version: 1\n{}", gateway(&collector, &up, "raw"));
    std::fs::write(&file, yaml).unwrap();
    let world = Arc::new(World::new(Clock::system(), Arc::new(Pools::new()), AccessLog::off()));
    let broken = Reloader::start(&[file], &world).err().unwrap().0;
    assert!(broken.contains("--raw-content") && broken.contains("tidegate.yaml:2"), "{broken}");
}

#[tokio::test]
async fn a_copy_for_a_shadow_is_told_with_what_it_was_asked_and_what_it_answered() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("a")).await);
    let shadow = FakeUpstream::answering(&completion("other")).await;
    let yaml = gateway(&collector, &up, "redacted")
        .replace("route: up", "route: { target: up/x, shadow: { to: s/y, percent: 100% } }");
    let yaml = yaml.replace(
        "providers: {",
        &format!("providers: {{ s: {{ kind: openai_compatible, url: \"{}\" }},", shadow.url()),
    );
    let house = House::with(&yaml).await;
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": MAIL }] });
    house.http.post("/v1/chat/completions", &body).await;
    let trees = collector.trees_of(&house, 2).await;
    let copy = trees.iter().find(|tree| !of(&tree.root, "tidegate.shadow_of").is_null()).unwrap();
    let (input, output) = told(copy);
    let shown = shadow.received()[0].json()["messages"][0]["content"].clone();
    assert!(shown.as_str().unwrap().starts_with("<EMAIL_1_"));
    assert_eq!((&input[0]["parts"][0]["content"], &output[0]["parts"][0]["content"]), (&shown, &json!("other")));
    assert!(!format!("{trees:?}").contains(MAIL));
}

const RESPONSE: &str = r#"{"id":"r","object":"response","model":"m","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"seen"}]}],"usage":{"input_tokens":3,"output_tokens":1}}"#;

/// The tree of a request that is forwarded unread, and what its provider was shown.
async fn forwarded(content: &str, path: &str, body: &Value, answer: Script) -> (Tree, Value) {
    let (collector, up) = (Collector::start().await, FakeUpstream::start(vec![answer]).await);
    let yaml = gateway(&collector, &up, content).replace("session: session }", "session: session, unscannable: pass }");
    let house = House::showing_raw(&yaml).await;
    let answer = house.http.post(path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    (collector.tree(&house).await, up.received()[0].json())
}

#[tokio::test]
async fn what_is_forwarded_unread_is_told_as_it_went_and_came() {
    let body = json!({ "model": "m", "instructions": "be brief", "input": format!("write to {MAIL}") });
    let (tree, shown) = forwarded("redacted", "/v1/responses", &body, whole(200, RESPONSE)).await;
    let (input, output) = told(&tree);
    assert_eq!((&input[0]["role"], &input[0]["parts"][0]["content"]), (&json!("system"), &json!("be brief")));
    assert_eq!(input[1]["parts"][0]["content"], shown["input"]);
    assert!(shown["input"].as_str().unwrap().starts_with("write to <EMAIL_1_"), "{shown}");
    assert_eq!(output[0]["parts"][0]["content"], "seen");
    assert!(!format!("{tree:?}").contains(MAIL));
}

#[tokio::test]
async fn what_is_forwarded_unread_is_told_raw_only_to_who_may_have_it() {
    let body = json!({ "model": "m", "input": [MAIL] });
    let vectors = whole(200, r#"{"data":[{"embedding":[1.0]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#);
    let (tree, _) = forwarded("raw", "/v1/embeddings", &body, vectors.clone()).await;
    let attempt = tree.attempts()[0];
    assert_eq!(json_of(attempt, "gen_ai.input.messages")[0]["parts"][0]["content"], MAIL);
    assert!(of(attempt, "gen_ai.output.messages").is_null());
    let (tree, _) = forwarded("none", "/v1/embeddings", &body, vectors).await;
    assert!(!format!("{tree:?}").contains(MAIL) && of(tree.attempts()[0], "gen_ai.input.messages").is_null());
}

#[tokio::test]
async fn of_a_forwarded_stream_the_same_is_told() {
    let delta = json!({ "type": "response.output_text.delta", "delta": "se" }).to_string();
    let end = json!({ "type": "response.completed", "response": serde_json::from_str::<Value>(RESPONSE).unwrap() });
    let stream = sse::stream(&[delta, end.to_string()]);
    let body = json!({ "model": "m", "stream": true, "input": "hello" });
    let (tree, _) = forwarded("redacted", "/v1/responses", &body, stream).await;
    assert_eq!(told(&tree).1[0]["parts"][0]["content"], "seen");
}
