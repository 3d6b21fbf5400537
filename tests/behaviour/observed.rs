//! The example `policies/observed.yaml`, with collectors that look at what it says they get.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::support::collector::{Collector, json_of, of, series_in};
use crate::support::grpc::GrpcCollector;
use crate::support::{Answered, FakeUpstream, House, completion};

struct Watched {
    langfuse: Collector,
    collector: GrpcCollector,
    up: FakeUpstream,
    house: House,
}

async fn watched() -> Watched {
    let (langfuse, collector) = (Collector::start().await, GrpcCollector::start(0).await);
    let up = FakeUpstream::answering(&completion("hi")).await;
    let mut yaml = include_str!("../../policies/observed.yaml").to_owned();
    for (theirs, ours) in [
        ("https://langfuse.internal/api/public/otel", langfuse.0.url().trim_end_matches("/v1")),
        ("http://collector.internal:4317", &format!("http://{}", collector.address)),
        ("http://vllm.internal:8000/v1", &up.url()),
        ("keys: \"${file:/run/secrets/keys.yaml}\"", "anonymous: true"),
        ("/var/lib/tidegate/decisions", "decisions"),
        ("${env:LANGFUSE_BASIC}", "${env:NO:-b25l}"),
        ("${env:OPENAI_API_KEY}", "${env:NO:-key}"),
    ] {
        assert!(yaml.contains(theirs), "the example has no `{theirs}`");
        yaml = yaml.replace(theirs, ours);
    }
    let house = House::with(&yaml).await;
    Watched { langfuse, collector, up, house }
}

impl Watched {
    /// Asks within the trace whose id ends like this.
    async fn ask(&self, model: &str, trace: &str) -> Answered {
        let parent = format!("00-4bf92f3577b34da6{trace}-00f067aa0ba902b7-01");
        let headers = [("traceparent", parent.as_str()), ("baggage", "tenant=acme,other=x"), ("x-session-id", "s1")];
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "mail jo@example.org" }] });
        self.house.http.post_with("/v1/chat/completions", &headers, body.to_string()).await
    }

    async fn flush(&self) {
        let world = self.house.gateway.world();
        tokio::join!(world.traces.flush(Duration::from_secs(5)), world.meters.flush(Duration::from_secs(5)));
    }
}

/// Of these a tenth has the one, and not the other.
const SAMPLED: &str = "a300000000000001";
const UNSAMPLED: &str = "a3ffffffffffffff";

#[tokio::test]
async fn conversations_go_to_langfuse_as_the_provider_has_seen_them() {
    let watched = watched().await;
    assert_eq!(watched.ask("chat", UNSAMPLED).await.status, 200);
    let tree = watched.langfuse.tree(&watched.house).await;
    let shown = watched.up.received()[0].json()["messages"][0]["content"].clone();
    assert!(shown.as_str().unwrap().starts_with("mail <EMAIL_1_"), "{shown}");
    let attempt = tree.attempts()[0];
    assert_eq!(json_of(attempt, "langfuse.observation.input")[0]["parts"][0]["content"], shown);
    assert_eq!(of(attempt, "gen_ai.request.model"), "llama-3.3-70b");
    assert_eq!((of(attempt, "baggage.tenant"), of(attempt, "baggage.other")), (json!("acme"), json!(null)));
    assert!(!format!("{tree:?}").contains("jo@example.org"));
    assert_eq!(watched.langfuse.0.received()[0].header("authorization"), Some("Basic b25l"));
    // The house's own server goes on with the trace.
    assert!(watched.up.received()[0].header("traceparent").unwrap().contains(UNSAMPLED));
}

#[tokio::test]
async fn the_collector_has_a_tenth_without_texts_and_every_refusal_and_the_metrics() {
    let watched = watched().await;
    for (model, trace, status) in [("chat", SAMPLED, 200), ("chat", UNSAMPLED, 200), ("unknown", UNSAMPLED, 404)] {
        assert_eq!(watched.ask(model, trace).await.status, status, "{model}");
    }
    watched.flush().await;
    let told = watched.collector.told.lock().unwrap();
    let roots: Vec<_> = told.spans.iter().filter(|span| !of(span, "tidegate.request.id").is_null()).collect();
    let outcomes: Vec<_> = roots.iter().map(|root| of(root, "tidegate.outcome")).collect();
    assert_eq!(outcomes, ["ok", "refused"]);
    let shown = format!("{:?}", told.spans);
    assert!(!shown.contains("EMAIL_1") && !shown.contains("jo@example.org") && !shown.contains("langfuse"));
    let series = series_in(&told.readings[0]);
    let requests: f64 =
        series.iter().filter(|(name, _)| name.starts_with("tidegate_requests_total")).map(|of| of.1).sum();
    assert_eq!(requests, 3.0);
}

#[tokio::test]
async fn each_decision_can_be_looked_at() {
    let watched = watched().await;
    let id = watched.ask("chat", UNSAMPLED).await.header("x-request-id").to_owned();
    let decision = watched.house.admin.send(Method::GET, &format!("/decisions/{id}"), &[], Default::default()).await;
    assert_eq!((decision.status, decision.json()["policy"].clone()), (200, json!("chat")));
}
