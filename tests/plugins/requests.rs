//! What a plugin may do to requests, and only what it is granted.

use serde_json::{Value, json};

use crate::probe::{Hooks, file, house, refused};
use crate::support::{Answered, FakeUpstream, House, chat, completion};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose plugin has these grants and does this to requests.
async fn with(upstream: &FakeUpstream, grants: &str, act: &str) -> House {
    house(upstream, Hooks::Request, &format!("grants: [{grants}], config: {{ request: {act} }}")).await
}

async fn answered(grants: &str, act: &str) -> (Answered, FakeUpstream) {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let answer = with(&upstream, grants, act).await.http.post(CHAT, &chat("m")).await;
    (answer, upstream)
}

fn sent(upstream: &FakeUpstream) -> Value {
    upstream.received().first().expect("a request").json()
}

#[tokio::test]
async fn a_request_that_a_plugin_lets_pass_keeps_its_bytes() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let house = with(&upstream, "request.text", "{ do: pass }").await;
    let body = "{ \"model\":\"m\",  \"messages\":[{\"content\":\"h\\u0065llo\",\"role\":\"user\"}], \"odd\":1 }";
    assert_eq!(house.http.post_with(CHAT, &[], body).await.says(), "fine");
    assert_eq!(upstream.received()[0].body, body.as_bytes());
}

#[tokio::test]
async fn a_range_that_a_plugin_replaces_is_spliced_into_the_bytes() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let house = with(&upstream, "request.text", "{ do: mask, text: sécret }").await;
    let body = "{ \"model\":\"m\",  \"messages\":[{\"content\":\"a s\\u00e9cret, two sécret.\",\"role\":\"user\"}], \"odd\":1 }";
    house.http.post_with(CHAT, &[], body).await;
    let expected =
        "{ \"model\":\"m\",  \"messages\":[{\"content\":\"a ******, two ******.\",\"role\":\"user\"}], \"odd\":1 }";
    assert_eq!(upstream.received()[0].body, expected.as_bytes());
}

#[tokio::test]
async fn texts_in_tool_results_and_arguments_have_places_of_their_own() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let house = with(&upstream, "request.text", "{ do: mask, text: hush }").await;
    let call = json!({ "id": "1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":\"hush\"}" } });
    let messages = json!([
        { "role": "assistant", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "1", "content": [{ "type": "text", "text": "no" }, { "type": "text", "text": "a hush" }] },
    ]);
    house.http.post(CHAT, &json!({ "model": "m", "messages": messages })).await;
    let sent = sent(&upstream);
    assert_eq!(sent["messages"][0]["tool_calls"][0]["function"]["arguments"], "{\"a\":\"****\"}");
    assert_eq!(sent["messages"][1]["content"][1]["text"], "a ****");
}

#[tokio::test]
async fn a_plugin_may_refuse_and_answer() {
    let (refused, upstream) = answered("", "{ do: deny, text: not here }").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (422, Some("probe_denied")));
    assert_eq!(refused.json()["error"]["message"], "not here");
    assert!(upstream.received().is_empty());
    let (given, upstream) = answered("", "{ do: respond, text: from the probe }").await;
    assert_eq!((given.status, given.says().as_str()), (200, "from the probe"));
    let given = given.json();
    assert_eq!(
        (&given["object"], &given["choices"][0]["message"]["role"]),
        (&json!("chat.completion"), &json!("assistant"))
    );
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn an_answer_of_a_plugins_own_is_a_stream_for_who_wants_one() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let house = with(&upstream, "", "{ do: respond, text: from the probe }").await;
    let mut request = chat("m");
    request["stream"] = json!(true);
    let answer = house.http.post(CHAT, &request).await;
    assert_eq!(answer.says(), "from the probe");
    assert_eq!(answer.data().last(), Some(&"[DONE]"));
    let whole = house.http.post("/v1/messages", &crate::support::messages("m")).await;
    assert_eq!(whole.json()["content"][0]["text"], "from the probe");
}

#[tokio::test]
async fn messages_parameters_model_and_headers_change_as_granted() {
    let (_, upstream) = answered("request.text", "{ do: insert, text: be brief }").await;
    assert_eq!(sent(&upstream)["messages"][0], json!({ "role": "system", "content": "be brief" }));
    let (_, upstream) =
        answered("request.params", r#"{ do: params, text: '{"temperature":0.5,"max_tokens":7}' }"#).await;
    assert_eq!((&sent(&upstream)["temperature"], &sent(&upstream)["max_tokens"]), (&json!(0.5), &json!(7)));
    let (_, upstream) = answered("request.model", "{ do: model, text: other }").await;
    assert_eq!(sent(&upstream)["model"], "other");
    let (_, upstream) = answered("request.set_headers: [x-probe]", "{ do: header, text: signed }").await;
    assert_eq!(upstream.received()[0].header("x-probe"), Some("signed"));
}

#[tokio::test]
async fn what_is_not_granted_cannot_be_changed_and_refuses() {
    for act in [
        "{ do: set, text: x }",
        "{ do: insert, text: x }",
        "{ do: remove }",
        "{ do: model, text: x }",
        "{ do: params, text: '{}' }",
        "{ do: header, text: x }",
        "{ do: smuggle }",
    ] {
        let (answer, upstream) = answered("", act).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("plugin_failed")), "{act}");
        assert!(upstream.received().is_empty(), "{act}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_an_error_of_the_plugins_and_changes_nothing() {
    for act in ["{ do: place }", "{ do: cut }", "{ do: kind }", "{ do: status }", "{ do: fail, text: sorry }"] {
        let grants = "request.text";
        let (answer, upstream) = answered(grants, act).await;
        assert_eq!(answer.status, 503, "{act}");
        assert!(upstream.received().is_empty() && !answer.text().contains("sorry"), "{act}");
        let upstream = FakeUpstream::answering(&completion("fine")).await;
        let step = format!("grants: [{grants}], on_error: allow, config: {{ request: {act} }}");
        let house = house(&upstream, Hooks::Request, &step).await;
        assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "fine", "{act}");
        assert_eq!(sent(&upstream), chat("m"), "{act}");
    }
}

#[tokio::test]
async fn a_plugin_sees_what_it_is_granted_and_no_more() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let shown = async |grants: &str| {
        let house = with(&upstream, grants, "{ do: show }").await;
        let mut request = chat("m");
        request["max_tokens"] = json!(5);
        let headers = [("x-team", "blue"), ("authorization", "Bearer canary")];
        let answer = house.http.post_with(CHAT, &headers, request.to_string()).await;
        assert!(!answer.text().contains("canary"), "{}", answer.text());
        serde_json::from_str::<Value>(&answer.says()).unwrap()
    };
    let nothing = shown("").await;
    assert_eq!((&nothing["texts"], &nothing["headers"]), (&json!([]), &json!([])));
    assert_eq!((&nothing["model"], &nothing["policy"]), (&json!("m"), &json!("p")));
    assert_eq!(nothing["params"], r#"{"max_tokens":5}"#);
    let all = shown("request.text, { request.headers: [x-team] }").await;
    assert!(all["texts"][0].as_str().unwrap().contains("hello"), "{all}");
    assert_eq!(all["headers"], json!(["x-team: blue"]));
}

#[tokio::test]
async fn a_plugin_reads_the_bytes_that_came_along() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let house = with(&upstream, "request.text", "{ do: blob }").await;
    let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AQIDBAU=" } });
    let request = json!({ "model": "m", "messages": [{ "role": "user", "content": [image] }] });
    assert_eq!(house.http.post(CHAT, &request).await.says(), "Ok([2, 3, 4])");
    assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "Err(Error::Gone)");
}

#[tokio::test]
async fn a_plugin_that_only_observes_changes_nothing() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    for act in ["{ do: deny, text: x }", "{ do: mask, text: hello }", "{ do: panic }"] {
        let step = format!("mode: observe, grants: [request.text], config: {{ request: {act} }}");
        let house = house(&upstream, Hooks::Request, &step).await;
        assert_eq!(house.http.post(CHAT, &chat("m")).await.says(), "fine", "{act}");
    }
    assert!(upstream.received().iter().all(|request| request.json() == chat("m")));
}

#[tokio::test]
async fn instances_serve_many_requests_unless_each_shall_have_its_own() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let numbers = async |isolation: &str| {
        let step = format!("isolation: {isolation}, config: {{ request: {{ do: nth }} }}");
        let house = house(&upstream, Hooks::Request, &step).await;
        let mut numbers = Vec::new();
        for _ in 0..3 {
            numbers.push(house.http.post(CHAT, &chat("m")).await.says());
        }
        numbers
    };
    assert_eq!(numbers("pooled").await, ["1", "2", "3"]);
    assert_eq!(numbers("request").await, ["1", "1", "1"]);
}

#[tokio::test]
async fn a_policy_with_a_plugin_that_does_not_fit_does_not_load() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let wrong = |step: &str| refused(&file(&upstream, Hooks::Request, step));
    let schema = wrong("config: { request: { do: 1 } }");
    assert!(schema.contains("`config.request.do`: 1 is not of type \"string\""), "{schema}");
    assert!(schema.contains("do: 1 } } }\n  |") && schema.contains("   ^^\n"), "{schema}");
    let pin = wrong("sha256: \"0000000000000000000000000000000000000000000000000000000000000000\"");
    assert!(pin.contains("is not the one that `sha256` names; its own is "), "{pin}");
    let rejected = wrong("config: { reject: no thanks }");
    assert!(rejected.contains("it does not accept its configuration: no thanks"), "{rejected}");
    let limit = wrong("limits: { memory: 4GiB }");
    assert!(limit.contains("`limits.memory` is more than"), "{limit}");
    let origin = wrong("grants: [{ http: [example.org] }]");
    assert!(origin.contains("`example.org` is no origin"), "{origin}");
    let secret = wrong("grants: [{ secrets: [SIGNING, OTHER] }]");
    assert!(secret.contains("has no secret `OTHER`; it has: SIGNING"), "{secret}");
    let unused = wrong("grants: [], name: no-secrets");
    assert!(unused.contains("nothing uses the secret `SIGNING`"), "{unused}");
    let target = wrong("grants: [{ model: { ask: [upp/m], tokens: 1k/min } }]");
    assert!(target.contains("there is no target `upp/m`"), "{target}");
    let header = wrong("grants: [{ request.set_headers: [authorization] }]");
    assert!(header.contains("no plugin can be granted it"), "{header}");
    let credential = wrong("grants: [{ request.headers: [Authorization] }]");
    assert!(credential.contains("`authorization` carries a credential"), "{credential}");
}

#[tokio::test]
async fn a_component_for_another_version_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.wasm");
    let wat = r#"(component (component $c) (instance $i (instantiate $c))
        (export "tidegate:plugin/lifecycle@0.3.0" (instance $i)))"#;
    std::fs::write(&path, wat::parse_str(wat).unwrap()).unwrap();
    let report = refused(&format!(
        "providers: {{ up: {{ kind: openai, key: \"${{env:PATH}}\" }} }}\npolicies: [{{ policy: p, steps: [{{ plugin: {{ wasm: \"{}\" }} }}], route: up }}]\n",
        path.display()
    ));
    assert!(report.contains("it is built for tidegate:plugin@0.3.0, this gateway speaks 0.1"), "{report}");
}

/// What a plugin answers by itself it answers for whoever asks, and when.
#[tokio::test]
async fn an_answer_of_a_plugins_own_is_not_kept_by_a_cache_before_it() {
    let upstream = FakeUpstream::answering(&completion("fine")).await;
    let respond = "config: { request: { do: respond, text: from the probe } }";
    let file =
        crate::probe::file(&upstream, Hooks::Request, respond).replace("steps:\n", "steps:\n      - cache: {}\n");
    let house = House::with(&file).await;
    for _ in 0..2 {
        let answer = house.http.post(CHAT, &chat("m")).await;
        assert_eq!((answer.says().as_str(), answer.header("x-tidegate-cache")), ("from the probe", "miss"));
    }
}
