//! The dashboard and the alerts that we ship, in a Prometheus that reads a busy gateway: each panel has something to
//! show, and each alert can be decided. Where there is no `prometheus`, nothing is checked.

#[path = "support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use support::prometheus::Prometheus;
use support::running::Running;
use support::{Act, FakeUpstream, Http, chat, completion, sse, stream_of, streamed, wasm, whole};

/// A gateway that has all that a panel shows: its collector is not there, so that traces are lost.
fn gateway(good: &FakeUpstream, bad: &FakeUpstream, cut: &FakeUpstream) -> String {
    let plugin = wasm::probe("request", Path::new(env!("CARGO_TARGET_TMPDIR")));
    let provider = |name: &str, up: &FakeUpstream, more: &str| {
        format!("  {name}: {{ kind: openai_compatible, url: \"{}\"{more} }}\n", up.url())
    };
    let providers = provider("good", good, ", price: { in: 1, out: 10 }")
        + &provider("bad", bad, "")
        + &provider("cut", cut, ", price: { in: 1, out: 10 }");
    format!(
        r#"version: 1
callers: {{ anonymous: true }}
state: {{ dir: state }}
telemetry: {{ otlp: "http://127.0.0.1:1", decisions: {{ dir: decisions }} }}
budgets: {{ all: {{ per: policy, usd: 1, window: day, warn_at: 0.001% }} }}
providers:
{providers}policies:
  - {{ policy: fallback, for: {{ models: [flaky] }}, route: {{ fallback: [bad, good], retry_on: [server_error] }} }}
  - {{ policy: cut, for: {{ models: [cut] }}, route: cut }}
  - {{ policy: failing, for: {{ models: [bad] }}, route: bad }}
  - policy: all
    steps:
      - budget: [all]
      - redact: {{ find: [email] }}
      - cache: {{ keep: 1h, shared_by: policy }}
      - plugin: {{ wasm: "{}" }}
    route: good
"#,
        plugin.display()
    )
}

/// A bit of everything, so many times.
async fn traffic(http: &Http, rounds: usize) {
    for round in 0..rounds {
        let mut mail = chat("m");
        mail["messages"][0]["content"] = format!("number {round} is for ada@example.org").into();
        for body in [mail, chat("m"), streamed("m"), chat("flaky"), streamed("cut"), chat("bad")] {
            http.post("/v1/chat/completions", &body).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/observability").join(name)
}

/// The title and the query of everything that panels show.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file("dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let queries = panel["targets"].as_array().into_iter().flatten();
        queries.map(move |query| (title.clone(), query["expr"].as_str().unwrap().to_owned()))
    });
    queries.collect()
}

/// A query as Grafana asks it, with everything chosen.
fn asked(query: &str) -> String {
    let query = query.replace("$__rate_interval", "10s").replace("[1h]", "[10s]");
    ["$job", "$policy", "$target"].iter().fold(query, |query, name| query.replace(name, ".*"))
}

fn has_number(series: &[Value]) -> bool {
    series.iter().any(|series| series["value"][1].as_str().is_some_and(|value| value != "NaN"))
}

/// The panels that have nothing to show, with their queries.
async fn empty_panels(prometheus: &Prometheus) -> Vec<(String, String)> {
    let mut empty = Vec::new();
    for (title, query) in panels() {
        if !has_number(&prometheus.query(&asked(&query)).await) {
            empty.push((title, query));
        }
    }
    empty
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_panel_has_something_to_show_and_each_alert_can_be_decided() {
    if Command::new("prometheus").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `prometheus`");
        return;
    }
    let good = FakeUpstream::start(vec![
        whole(200, &completion("hi")),
        whole(200, &completion("hi")),
        sse::stream(&stream_of(&["a", "b"])),
        whole(200, &completion("hi")),
    ])
    .await;
    let bad = FakeUpstream::start(vec![whole(500, "{}")]).await;
    let cut = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["a", "b"]), 2, Act::Close)]).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidegate.yaml"), gateway(&good, &bad, &cut)).unwrap();
    let running = Running::start(folder.path());
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let http = Http::to(address(&running.address));
    traffic(&http, 3).await;
    let prometheus = Prometheus::reading(address(&running.admin), &file("alerts.yaml")).await.unwrap();
    // What grows is only seen to from one reading to the next.
    prometheus.eventually("count_over_time(up[1m]) >= 2").await;
    traffic(&http, 40).await;
    prometheus.eventually("count_over_time(up[1m]) >= 6").await;

    // Rates are of the last seconds: there has to be something to see in them for as long as panels are asked.
    let empty = tokio::select! {
        empty = empty_panels(&prometheus) => empty,
        () = traffic(&http, usize::MAX) => panic!("the traffic has ended"),
    };
    assert_eq!(empty, Vec::new(), "panels have nothing to show");

    let groups = prometheus.ask("rules", &[("type", "alert")]).await;
    let rules = groups["groups"][0]["rules"].as_array().unwrap();
    let sick: Vec<_> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(rules.len() >= 10 && sick.is_empty(), "{sick:?}");
    let state = |name: &str| rules.iter().find(|rule| rule["name"] == name).unwrap()["state"].clone();
    // More than one request in twenty fails, and the breaker of `bad` is open.
    for name in ["TidegateRequestsFail", "TidegateTargetOut"] {
        assert_ne!(state(name), "inactive", "{name}: {rules:?}");
    }
    assert_eq!(state("TidegateReloadFailed"), "inactive");
    has_exemplars(&prometheus).await;
}

/// Prometheus asks for the format that has them, and keeps them.
async fn has_exemplars(prometheus: &Prometheus) {
    let query = "gen_ai_client_operation_duration_seconds_bucket";
    let around = [("query", query), ("start", "0"), ("end", "9999999999")];
    let found = prometheus.ask("query_exemplars", &around).await;
    let exemplars: Vec<_> =
        found.as_array().unwrap().iter().flat_map(|of| of["exemplars"].as_array().unwrap()).collect();
    assert!(!exemplars.is_empty());
    assert!(exemplars.iter().all(|exemplar| exemplar["labels"]["trace_id"].as_str().unwrap().len() == 32));
}
