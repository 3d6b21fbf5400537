//! Nothing leaks: canaries driven through every endpoint and error path appear in no sink.

#[path = "support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex};

use serde_json::json;
use tidegate::auth::{KeyHash, VirtualKey};
use tracing_subscriber::fmt::MakeWriter;

use support::collector::Collector;
use support::{Act, FakeUpstream, House, completion, sse, stream_of, whole};

/// What must be seen nowhere.
const UPSTREAM_KEY: &str = "sk-canary-upstream";
const GUARD_KEY: &str = "canary-guard-key";
const PROMPT: &str = "canary-prompt";
const ANSWER: &str = "canary-answer";
/// Personal data that a policy takes out of requests.
const MAIL: &str = "jane.canary@example.org";
const COLLECTOR_KEY: &str = "canary-collector-key";

/// Everything that is logged, at the most talkative level.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What an upstream does wrong, one thing after the other, quoting what it was sent where it can.
fn troubles() -> Vec<Vec<Act>> {
    let quoting = format!(r#"{{"error":{{"message":"bad: {PROMPT} {UPSTREAM_KEY}","type":"invalid_request_error"}}}}"#);
    vec![
        whole(200, &completion(ANSWER)),
        whole(400, &quoting),
        whole(401, &quoting),
        whole(429, &quoting),
        whole(500, &quoting),
        whole(200, "garbage"),
        vec![Act::Close],
        sse::stream(&stream_of(&[ANSWER])),
        sse::broken_off(&stream_of(&[ANSWER, "x"]), 2, Act::Close),
        sse::broken_off(&[r#"{"error":{"message":"bad: canary-prompt"}}"#.to_owned()], 1, sse::end()),
    ]
}

/// What a guard says that quotes what it is shown.
fn quotes() -> Vec<Vec<Act>> {
    let message = format!("do not say {PROMPT}");
    let kind = format!("they said: {PROMPT}!");
    vec![
        whole(200, &json!({ "action": "refuse", "rule": "r", "message": message }).to_string()),
        whole(200, &json!({ "action": "allow", "findings": [{ "kind": kind }] }).to_string()),
        whole(200, &json!({ "action": PROMPT }).to_string()),
        whole(200, &json!({ "action": "refuse", "rule": GUARD_KEY }).to_string()),
        whole(500, PROMPT),
        whole(200, PROMPT),
        vec![Act::Close],
    ]
}

#[tokio::test]
async fn no_secret_and_no_text_reaches_a_log_a_metric_a_trace_a_decision_or_the_admin_port() {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(sink.clone())
        .with_ansi(false)
        .finish();
    // The only test of this process, so that the log is its own.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let upstream = FakeUpstream::start(troubles()).await;
    let guard = FakeUpstream::start(quotes()).await;
    let collector = Collector::start().await;
    // One that is to have texts has no keys all the same, and what a policy hides in none of them.
    let reader = Collector::start().await;
    let key = VirtualKey::generate().unwrap();
    let gateway = format!(
        "version: 1\ncallers: {{ keys: keys.yaml }}\n\
         telemetry: {{ otlp: [ {{ endpoint: \"{}\", headers: {{ authorization: \"${{env:NOT_SET:-{COLLECTOR_KEY}}}\" }}, \
         dialects: [genai, langfuse, openinference] }}, {{ endpoint: \"{}\", dialects: [genai, openinference], content: redacted }} ], \
         metrics: {{ endpoint: \"{}\", headers: {{ authorization: \"${{env:NOT_SET:-{COLLECTOR_KEY}}}\" }} }}, decisions: {{ dir: kept }} }}\nproviders:\n  up: {{ kind: openai_compatible, url: \"{}\", keys: [\"${{env:NOT_SET:-{UPSTREAM_KEY}}}\"] }}\n\
         screens: {{ guard: {{ kind: webhook, url: \"{}\", key: \"${{env:NOT_SET:-{GUARD_KEY}}}\" }} }}\n\
         policies:\n  - policy: q\n    for: {{ models: [guarded] }}\n    steps: [{{ screen: {{ by: guard }} }}]\n    route: up\n\
         \x20 - policy: r\n    for: {{ models: [private] }}\n    steps: [{{ redact: {{ find: [email], restore: true }} }}]\n    route: up\n\
         \x20 - policy: p\n    route: up\n",
        collector.0.url().trim_end_matches("/v1"),
        reader.0.url().trim_end_matches("/v1"),
        collector.0.url().trim_end_matches("/v1"),
        upstream.url(),
        guard.url()
    );
    let keys = format!("version: 1\nkeys:\n  k1: {{ hash: \"{}\" }}\n", KeyHash::of(key.secret().expose()));
    let house = House::with_files(&[("tidegate.yaml", &gateway), ("keys.yaml", &keys)]).await;

    let bearer = format!("Bearer {}", key.secret().expose());
    let mut seen = String::new();
    for round in 0..troubles().len() {
        let body = json!({ "model": "m", "max_tokens": 9, "stream": round >= 7, "messages": [{ "role": "user", "content": PROMPT }] }).to_string();
        let path = if round % 2 == 0 { "/v1/chat/completions" } else { "/v1/messages" };
        let answer = house.http.post_with(path, &[("authorization", &bearer)], body).await;
        seen.push_str(&format!("{:?}", answer.headers));
        assert!(!answer.text().contains(UPSTREAM_KEY), "the provider's key came back: {}", answer.text());
    }
    for _ in quotes() {
        let body = json!({ "model": "guarded", "messages": [{ "role": "user", "content": PROMPT }] }).to_string();
        let answer = house.http.post_with("/v1/chat/completions", &[("authorization", &bearer)], body).await;
        assert!(!answer.text().contains(GUARD_KEY), "the guard's key came back: {}", answer.text());
        seen.push_str(&format!("{:?}", answer.headers));
    }
    for round in 0..3 {
        let body = json!({ "model": "private", "stream": round == 2, "messages": [{ "role": "user", "content": format!("{PROMPT} {MAIL}") }] });
        let answer =
            house.http.post_with("/v1/chat/completions", &[("authorization", &bearer)], body.to_string()).await;
        seen.push_str(&format!("{:?}", answer.headers));
    }
    // Forwarded unread, and told to the reader all the same.
    let body = json!({ "model": "private", "input": format!("{PROMPT} {MAIL}") }).to_string();
    let answer = house.http.post_with("/v1/responses", &[("authorization", &bearer)], body).await;
    seen.push_str(&format!("{:?}", answer.headers));
    for path in ["/v1/embeddings", "/v1/files", "/v1/messages/count_tokens", "/v1/models", "/nowhere"] {
        let answer = house.http.post_with(path, &[("x-api-key", "tg-canary-wrong")], PROMPT).await;
        seen.push_str(answer.text());
    }
    for path in ["/metrics", "/policies", "/decisions?limit=1000", "/budgets", "/cache", "/"] {
        seen.push_str(house.admin.get(path).await.text());
    }
    // Those for no endpoint are in the access log alone.
    let requests = troubles().len() + quotes().len() + 3 + 1 + 3;
    let trees = collector.trees_of(&house, requests).await;
    assert!(trees.iter().any(|tree| tree.names().contains(&"redact")) && seen.contains("\"redact\""));
    seen.push_str(&format!("{trees:?}"));
    house.gateway.world().meters.flush(std::time::Duration::from_secs(5)).await;
    let readings = format!("{:?}", collector.readings());
    assert!(readings.contains("tidegate_requests_total"), "no metrics were told, so none were tested");
    seen.push_str(&readings);
    let read = format!("{:?}", reader.trees_of(&house, requests).await);
    assert!(read.contains(PROMPT) && read.contains(ANSWER), "nothing was read, so nothing was tested");
    for canary in [UPSTREAM_KEY, GUARD_KEY, COLLECTOR_KEY, key.secret().expose(), "tg-canary-wrong", MAIL] {
        assert!(!read.contains(canary), "`{canary}` was read");
    }
    for file in std::fs::read_dir(house.path("kept")).unwrap() {
        seen.push_str(&String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()));
    }
    for line in house.access_lines(requests + 2).await {
        seen.push_str(&line.to_string());
    }
    seen.push_str(&String::from_utf8_lossy(&sink.0.lock().unwrap()));
    assert!(seen.contains("giving up") || seen.contains("`up`"), "nothing was logged, so nothing was tested");
    for canary in
        [UPSTREAM_KEY, GUARD_KEY, COLLECTOR_KEY, key.secret().expose(), "tg-canary-wrong", PROMPT, ANSWER, MAIL]
    {
        if let Some(at) = seen.find(canary) {
            let from = at.saturating_sub(300);
            panic!("`{canary}` was seen: …{}", &seen[from..(at + 60).min(seen.len())]);
        }
    }
}
