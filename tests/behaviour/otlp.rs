//! Traces as a collector gets them: one tree for each request, and each token on it once.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support::collector::{Collector, Tree, is_error, json_of, of, seconds};
use crate::support::{Act, FakeUpstream, House, chat, completion, messages, sse, stream_of, streamed, whole};

/// A dollar for a million tokens in, ten for a million out.
fn provider(name: &str, upstream: &FakeUpstream) -> String {
    format!("  {name}: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 10 }} }}\n", upstream.url())
}

fn gateway(collector: &Collector, upstream: &FakeUpstream, rest: &str) -> String {
    format!("{}providers:\n{}{rest}", collector.section(), provider("up", upstream))
}

const PLAIN: &str = "policies: [{ policy: p, route: up }]\n";

/// What is on the spans is what is in the access log.
async fn each_token_is_on_one_span(house: &House, tree: &Tree) {
    let line = &house.access_lines(1).await[0];
    let said = |name: &str| line[name].as_f64().unwrap_or_default();
    assert!((tree.sum("tidegate.cost_usd") - said("cost_usd")).abs() < 1e-12, "{tree:#?} {line}");
    for (span, column) in [("input", "input_tokens"), ("output", "output_tokens")] {
        let name = format!("gen_ai.usage.{span}_tokens");
        assert_eq!(tree.sum(&name), said(column), "{name} of {line}");
    }
}

/// What a span says, by name.
fn said(span: &crate::support::collector::Span, names: &[&str]) -> Value {
    names.iter().map(|name| of(span, name)).collect()
}

#[tokio::test]
async fn a_plain_request_is_a_server_span_with_one_attempt_that_has_it_all() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("hi")).await);
    let rest =
        "callers: { anonymous: true, user: header x-user-id, session: header x-session-id }\n".to_owned() + PLAIN;
    let house = House::with(&gateway(&collector, &up, &rest)).await;
    let headers = [("x-user-id", "u1"), ("x-session-id", "s1")];
    let answer = house.http.post_with("/v1/chat/completions", &headers, chat("m").to_string()).await;
    let tree = collector.tree(&house).await;
    assert_eq!(tree.names(), ["POST chat", "chat m"]);
    let (root, attempt) = (&tree.root, tree.attempts()[0]);
    let trace: String = root.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((trace.as_str(), root.parent_span_id.len(), is_error(root)), (answer.header("x-trace-id"), 0, false));
    assert_eq!(
        said(
            root,
            &["http.request.method", "url.path", "http.response.status_code", "tidegate.policy", "tidegate.outcome"]
        ),
        json!(["POST", "/v1/chat/completions", 200, "p", "ok"])
    );
    assert_eq!(of(root, "tidegate.request.id"), answer.header("x-request-id"));
    assert_eq!(of(root, "tidegate.revision"), answer.header("x-tidegate-revision"));
    let port: u16 = up.url().trim_end_matches("/v1").rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(
        said(attempt, &["server.address", "server.port", "http.response.status_code", "tidegate.attempt.number"]),
        json!(["127.0.0.1", port, 200, 1])
    );
    assert_eq!(
        said(
            attempt,
            &[
                "gen_ai.operation.name",
                "gen_ai.provider.name",
                "gen_ai.request.model",
                "gen_ai.response.model",
                "gen_ai.response.id"
            ]
        ),
        json!(["chat", "openai_compatible", "m", "m", "chatcmpl-1"])
    );
    assert_eq!(of(attempt, "gen_ai.response.finish_reasons"), json!(["stop"]));
    assert_eq!(
        said(
            attempt,
            &["llm.token_count.prompt", "llm.token_count.completion", "llm.token_count.total", "llm.cost.total"]
        ),
        json!([10, 2, 12, 0.00003])
    );
    for span in [root, attempt] {
        assert_eq!(said(span, &["user.id", "session.id", "gen_ai.conversation.id"]), json!(["u1", "s1", "s1"]));
    }
    each_token_is_on_one_span(&house, &tree).await;
}

#[tokio::test]
async fn a_stream_says_when_its_first_token_came_and_how_many_followed() {
    let frames = stream_of(&["a", "b", "c"]);
    let mut script = sse::stream(&frames);
    script.insert(2, Act::Wait(Duration::from_millis(60)));
    let (collector, up) = (Collector::start().await, FakeUpstream::start(vec![script]).await);
    let house = House::with(&gateway(&collector, &up, PLAIN)).await;
    house.http.post("/v1/chat/completions", &streamed("m")).await;
    let tree = collector.tree(&house).await;
    let attempt = tree.attempts()[0];
    let first = of(attempt, "gen_ai.response.time_to_first_chunk").as_f64().unwrap();
    assert!(first >= 0.06 && first <= seconds(attempt), "{first} of {}", seconds(attempt));
    // Three words, and why it ended.
    assert_eq!(said(attempt, &["tidegate.stream.chunks", "gen_ai.request.stream"]), json!([4, true]));
    assert_eq!(attempt.events[0].name, "tidegate.first_token");
    assert!(json_of(attempt, "langfuse.observation.completion_start_time").as_str().unwrap().ends_with('Z'));
    assert_eq!(of(attempt, "tidegate.usage.estimated"), true, "the upstream did not say");
    assert!(of(attempt, "tidegate.stream.cut").is_null());
}

#[tokio::test]
async fn the_numbers_that_a_model_is_to_answer_by_are_told_as_steps_have_left_them_and_where_it_stops_is_not() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("hi")).await);
    let rest = "policies: [{ policy: p, steps: [{ rewrite: { cap: { max_tokens: 50 } } }], route: up }]\n";
    let house = House::with(&gateway(&collector, &up, rest)).await;
    let mut body = chat("m");
    for (name, value) in
        [("max_tokens", json!(900)), ("temperature", json!(0.5)), ("seed", json!(7)), ("stop", json!(["secret"]))]
    {
        body[name] = value;
    }
    house.http.post("/v1/chat/completions", &body).await;
    let tree = collector.tree(&house).await;
    let attempt = tree.attempts()[0];
    let names =
        ["max_tokens", "temperature", "seed", "top_p", "choice.count"].map(|name| format!("gen_ai.request.{name}"));
    assert_eq!(said(attempt, &names.each_ref().map(String::as_str)), json!([50, 0.5, 7, null, null]));
    let parameters = json!({ "max_tokens": 50, "seed": 7, "temperature": 0.5 });
    assert_eq!(json_of(attempt, "llm.invocation_parameters"), parameters);
    assert_eq!(json_of(attempt, "langfuse.observation.model.parameters"), parameters);
    assert!(!format!("{tree:?}").contains("secret"));
}

#[tokio::test]
async fn of_what_a_caller_carries_along_every_span_has_what_is_wanted_and_nothing_else() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("hi")).await);
    let yaml = gateway(&collector, &up, PLAIN).replacen("telemetry: { ", "telemetry: { baggage: [tenant, region], ", 1);
    let house = House::with(&yaml).await;
    let carried = [("baggage", "tenant=a%20b;ttl=1, password=hunter2")];
    house.http.post_with("/v1/chat/completions", &carried, chat("m").to_string()).await;
    let tree = collector.tree(&house).await;
    for span in [&tree.root, tree.attempts()[0]] {
        assert_eq!(said(span, &["baggage.tenant", "baggage.region"]), json!(["a b", null]));
    }
    assert!(!format!("{tree:?}").contains("hunter2"));
    assert!(up.received()[0].header("baggage").is_none(), "it went on to a provider that is not to have it");
}

#[tokio::test]
async fn each_attempt_is_a_span_and_only_the_one_that_answered_is_billed() {
    let failing = whole(500, r#"{"error":{"message":"oh","type":"x"}}"#);
    let (collector, up) =
        (Collector::start().await, FakeUpstream::start(vec![failing, whole(200, &completion("hi"))]).await);
    let rest =
        "policies: [{ policy: p, route: { fallback: [up], attempts_per_target: 2, retry_on: [server_error] } }]\n";
    let house = House::with(&gateway(&collector, &up, rest)).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    let tree = collector.tree(&house).await;
    let [first, second] = tree.attempts()[..] else { panic!("{:?}", tree.names()) };
    assert_eq!(
        said(
            first,
            &["http.response.status_code", "error.type", "langfuse.observation.level", "gen_ai.usage.input_tokens"]
        ),
        json!([500, "server_error", "WARNING", null])
    );
    assert!(is_error(first) && !is_error(second) && !is_error(&tree.root));
    assert_eq!(said(second, &["tidegate.attempt.number", "gen_ai.usage.input_tokens"]), json!([2, 10]));
    assert!(first.end_time_unix_nano <= second.start_time_unix_nano);
    each_token_is_on_one_span(&house, &tree).await;
}

#[tokio::test]
async fn a_fallback_names_both_targets_and_bills_for_what_worked_in_vain() {
    let (collector, slow) = (Collector::start().await, FakeUpstream::start(vec![vec![Act::Stall]]).await);
    let up = FakeUpstream::answering(&completion("hi")).await;
    let rest = provider("slow", &slow)
        + "policies: [{ policy: p, route: { fallback: [slow/a, up/b], retry_on: [timeout], timeouts: { whole: 100ms } } }]\n";
    let house = House::with(&gateway(&collector, &up, &rest)).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    let tree = collector.tree(&house).await;
    let [first, second] = tree.attempts()[..] else { panic!("{:?}", tree.names()) };
    assert_eq!(said(first, &["tidegate.target", "error.type"]), json!(["slow/a", "timeout"]));
    assert_eq!(said(second, &["tidegate.target", "gen_ai.request.model"]), json!(["up/b", "b"]));
    // Somebody was at work for a hundred milliseconds, and says not for how much.
    assert_eq!(of(first, "tidegate.usage.estimated"), true);
    let line = &house.access_lines(1).await[0];
    assert!((tree.sum("tidegate.cost_usd") - line["cost_usd"].as_f64().unwrap()).abs() < 1e-12);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_marked_as_one() {
    let script = sse::broken_off(&stream_of(&["a", "b", "c"]), 3, Act::Close);
    let (collector, up) = (Collector::start().await, FakeUpstream::start(vec![script]).await);
    let house = House::with(&gateway(&collector, &up, PLAIN)).await;
    house.http.post("/v1/chat/completions", &streamed("m")).await;
    let tree = collector.tree(&house).await;
    let attempt = tree.attempts()[0];
    assert_eq!(
        said(attempt, &["tidegate.stream.cut", "tidegate.attempt.outcome", "langfuse.observation.level"]),
        json!([true, "cut", "ERROR"])
    );
    assert!(is_error(attempt) && is_error(&tree.root));
    assert_eq!(of(&tree.root, "tidegate.outcome"), "cut");
    assert!(of(attempt, "tidegate.cost_usd").as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn an_answer_that_was_kept_has_no_attempt_and_says_what_it_saved() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("hi")).await);
    let rest = "policies: [{ policy: p, steps: [{ cache: { keep: 1h, shared_by: policy } }], route: up }]\n";
    let house = House::with(&gateway(&collector, &up, rest)).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(up.count(), 1);
    let trees = collector.trees_of(&house, 2).await;
    let kept = trees.iter().find(|tree| of(&tree.root, "tidegate.cache.status") == "hit").unwrap();
    assert_eq!((kept.names(), kept.sum("gen_ai.usage.input_tokens")), (vec!["POST chat", "cache"], 0.0));
    assert_eq!(said(kept.step("cache"), &["tidegate.verdict", "langfuse.observation.type"]), json!(["hit", "span"]));
    assert_eq!(of(&kept.root, "tidegate.cache.saved_usd"), 0.00003);
}

#[tokio::test]
async fn a_guard_that_refuses_is_a_span_without_a_word_of_the_text() {
    let refusal = json!({ "action": "refuse", "rule": "no-poetry", "message": "prose only" }).to_string();
    let (collector, guard) = (Collector::start().await, FakeUpstream::answering(&refusal).await);
    let up = FakeUpstream::answering(&completion("hi")).await;
    let rest = format!(
        "screens: {{ guard: {{ kind: webhook, url: \"{}\" }} }}\n\
         policies: [{{ policy: p, steps: [{{ screen: {{ by: guard }} }}], route: up }}]\n",
        guard.url()
    );
    let house = House::with(&gateway(&collector, &up, &rest)).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 403);
    let tree = collector.tree(&house).await;
    assert_eq!(tree.names(), ["POST chat", "screen"]);
    let step = tree.step("screen");
    assert_eq!(
        said(
            step,
            &["tidegate.verdict", "openinference.span.kind", "langfuse.observation.type", "langfuse.observation.level"]
        ),
        json!(["refuse", "GUARDRAIL", "guardrail", "WARNING"])
    );
    assert_eq!(said(&tree.root, &["tidegate.outcome", "error.type"]), json!(["refused", "guard_refused"]));
    assert!(!format!("{tree:?}").contains("hello"));
}

#[tokio::test]
async fn a_budget_that_refuses_is_a_span_and_nobody_is_asked() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("hi")).await);
    let rest = "budgets: { all: { per: policy, usd: 0.000001, window: day } }\n\
                policies: [{ policy: p, steps: [{ budget: [all] }], route: up }]\n";
    let house = House::with(&gateway(&collector, &up, rest)).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 402);
    let tree = collector.tree(&house).await;
    assert_eq!(
        (tree.names(), of(tree.step("budget"), "tidegate.verdict")),
        (vec!["POST chat", "budget"], json!("refuse"))
    );
    assert_eq!(said(&tree.root, &["http.response.status_code", "error.type"]), json!([402, "budget_exceeded"]));
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_a_tree_with_what_was_used_by_then() {
    let script = sse::broken_off(&stream_of(&["a", "b", "c"]), 3, Act::Stall);
    let collector = Collector::start().await;
    let mut up = FakeUpstream::start(vec![script]).await;
    let house = House::with(&gateway(&collector, &up, PLAIN)).await;
    let json = [("content-type", "application/json")];
    let body = streamed("m").to_string();
    let mut answer = house.http.begin(http::Method::POST, "/v1/chat/completions", &json, body.into()).await;
    answer.body_mut().frame().await.unwrap().unwrap();
    drop(answer);
    up.hung_up_on(1).await;
    let tree = collector.tree(&house).await;
    assert_eq!(of(&tree.root, "tidegate.outcome"), "hang_up");
    assert!(!is_error(&tree.root) && !is_error(tree.attempts()[0]));
    let line = &house.access_lines(1).await[0];
    assert!((tree.sum("tidegate.cost_usd") - line["cost_usd"].as_f64().unwrap()).abs() < 1e-12);
}

#[tokio::test]
async fn a_copy_for_a_shadow_is_a_trace_of_its_own_with_a_link_to_its_original() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("a")).await);
    let shadow = FakeUpstream::answering(&completion("s")).await;
    let rest = provider("s", &shadow)
        + "policies: [{ policy: p, route: { target: up/x, shadow: { to: s/y, percent: 100% } } }]\n";
    let house = House::with(&gateway(&collector, &up, &rest)).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    let trees = collector.trees_of(&house, 2).await;
    let (copies, own): (Vec<_>, Vec<_>) =
        trees.iter().partition(|tree| !of(&tree.root, "tidegate.shadow_of").is_null());
    let (copy, own) = (copies[0], own[0]);
    assert_ne!(copy.root.trace_id, own.root.trace_id);
    let link = &copy.root.links[0];
    assert_eq!((&link.trace_id, &link.span_id), (&own.root.trace_id, &own.root.span_id));
    assert_eq!(of(copy.attempts()[0], "tidegate.target"), "s/y");
    assert_eq!((own.attempts().len(), own.root.links.len()), (1, 0));
}

#[tokio::test]
async fn langfuse_is_told_of_usage_and_cost_in_disjoint_parts_that_add_up_and_of_no_model_on_the_root() {
    let answer = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{ "type": "text", "text": "hi" }], "stop_reason": "end_turn",
        "usage": { "input_tokens": 100, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 400, "output_tokens": 50 } });
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&answer.to_string()).await);
    let yaml = format!(
        "{}providers: {{ anthropic: {{ kind: anthropic, url: \"{}\", key: \"${{env:PATH}}\" }} }}\n\
         policies: [{{ policy: p, route: anthropic }}]\n",
        collector.section(),
        up.url()
    );
    let house = House::with(&yaml).await;
    let parent = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    house.http.post_with("/v1/messages", &parent, messages("claude-sonnet-4-5").to_string()).await;
    house.http.post("/v1/messages", &messages("claude-sonnet-4-5")).await;
    let trees = collector.trees_of(&house, 2).await;
    let attempt = trees[0].attempts()[0];
    assert_eq!(
        json_of(attempt, "langfuse.observation.usage_details"),
        json!({ "input": 100, "input_cache_read": 1000, "input_cache_creation_5m": 400, "output": 50, "total": 1550 })
    );
    let cost = json_of(attempt, "langfuse.observation.cost_details");
    let parts = cost.as_object().unwrap().iter().filter(|(key, _)| *key != "total");
    let sum: f64 = parts.map(|(_, usd)| usd.as_f64().unwrap()).sum();
    let billed = house.access_lines(1).await[0]["cost_usd"].as_f64().unwrap();
    assert!(billed > 0.0 && (sum - billed).abs() < 1e-12 && cost["total"] == billed, "{cost} of {billed}");
    assert_eq!(
        said(
            attempt,
            &[
                "langfuse.observation.type",
                "langfuse.observation.model.name",
                "gen_ai.usage.input_tokens",
                "gen_ai.usage.cache_creation.input_tokens"
            ]
        ),
        json!(["generation", "claude-sonnet-4-5", 1500, 400])
    );
    for tree in &trees {
        let root = &tree.root;
        assert_eq!(
            said(root, &["langfuse.observation.type", "langfuse.trace.name", "openinference.span.kind"]),
            json!(["span", "p", "CHAIN"])
        );
        let of_a_model = root.attributes.iter().filter(|said| {
            ["gen_ai.", "llm.", "langfuse.observation.model"].iter().any(|begin| said.key.starts_with(begin))
        });
        assert_eq!(of_a_model.count(), 0, "{root:?}");
    }
    let is_continued = |tree: &Tree| (tree.root.parent_span_id.len() == 8, of(&tree.root, "langfuse.internal.as_root"));
    let mut roots: Vec<_> = trees.iter().map(is_continued).collect();
    roots.sort_by_key(|(is_continued, _)| !is_continued);
    assert_eq!(roots, [(true, json!(true)), (false, Value::Null)]);
}

#[tokio::test]
async fn each_exporter_has_its_own_headers_dialects_and_sample() {
    let (all, some) = (Collector::start().await, Collector::start().await);
    let up = FakeUpstream::start(vec![whole(200, &completion("hi")), whole(400, "{}"), vec![Act::Close]]).await;
    let url = |collector: &Collector| collector.0.url().trim_end_matches("/v1").to_owned();
    let yaml = format!(
        "telemetry:\n  otlp:\n    - {{ endpoint: \"{}\", headers: {{ authorization: \"${{env:NO:-Basic one}}\" }}, dialects: [openinference] }}\n    \
         - {{ endpoint: \"{}/v1/traces\", headers: {{ x-two: \"${{env:NO:-two}}\" }}, sample: 0% }}\n\
         providers:\n{}{PLAIN}",
        url(&all),
        url(&some),
        provider("up", &up)
    );
    let house = House::with(&yaml).await;
    for _ in 0..3 {
        house.http.post("/v1/chat/completions", &chat("m")).await;
    }
    let trees = all.trees_of(&house, 3).await;
    assert!(
        trees.iter().all(|tree| of(&tree.root, "langfuse.trace.name").is_null()
            && of(&tree.root, "openinference.span.kind") == "CHAIN")
    );
    let failed = some.trees_of(&house, 1).await;
    assert!(failed.iter().all(|tree| is_error(&tree.root)), "a sample of nothing has what went well: {failed:?}");
    let (one, two) = (&all.0.received()[0], &some.0.received()[0]);
    assert_eq!((one.path(), one.header("authorization"), one.header("x-two")), ("/v1/traces", Some("Basic one"), None));
    assert_eq!((two.path(), two.header("authorization"), two.header("x-two")), ("/v1/traces", None, Some("two")));
    assert_eq!(
        (one.header("content-type"), one.header("content-encoding")),
        (Some("application/x-protobuf"), Some("gzip"))
    );
}

#[tokio::test]
async fn a_reload_changes_who_is_told() {
    let (before, after) = (Collector::start().await, Collector::start().await);
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&gateway(&before, &up, PLAIN)).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    house.write("tidegate.yaml", &gateway(&after, &up, PLAIN));
    assert!(house.reloader.reload(&house.gateway));
    house.http.post("/v1/chat/completions", &chat("m")).await;
    after.tree(&house).await;
    for _ in 0..500 {
        if before.trees().len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((before.trees().len(), after.trees().len()), (1, 1));
}
