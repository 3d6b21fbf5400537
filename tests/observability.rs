//! The dashboard and the alerts that we ship: what they ask for is there, and Prometheus can read it.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use regex::Regex;
use serde_json::Value;

use support::{FakeUpstream, House, chat, completion, whole};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/observability").join(name)
}

fn dashboard() -> Value {
    serde_json::from_str(&std::fs::read_to_string(file("dashboard.json")).unwrap()).unwrap()
}

/// The queries of all panels.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// The names that a gateway has samples by, as the code registers them.
fn samples() -> BTreeSet<String> {
    let code = include_str!("../src/telemetry/metrics/register.rs");
    let fields = include_str!("../src/telemetry/metrics.rs");
    let register =
        Regex::new(r#"register(?:_with_unit)?\(\s*"(\w+)",[^;]*?(?:Unit::(\w+),\s*)?self\.(\w+)\.clone\(\)"#).unwrap();
    let field =
        |name: &str| Regex::new(&format!(r"\n    {name}: (.*),")).unwrap().captures(fields).unwrap()[1].to_owned();
    let mut samples = BTreeSet::new();
    for found in register.captures_iter(code) {
        let unit = found.get(2).map(|unit| format!("_{}", unit.as_str().to_lowercase())).unwrap_or_default();
        let (name, kind) = (format!("{}{unit}", &found[1]), field(&found[3]));
        let endings: &[&str] = match &kind {
            kind if kind.contains("Histogram") || kind.contains("Latencies") => &["_bucket", "_sum", "_count"],
            kind if kind.contains("Counter") => &["_total"],
            _ => &[""],
        };
        samples.extend(endings.iter().map(|ending| format!("{name}{ending}")));
    }
    samples
}

fn asked_for(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\b(?:tidegate|gen_ai)_\w+").unwrap();
    name.find_iter(text).map(|found| found.as_str().to_owned()).filter(|name| name != "gen_ai_token_type").collect()
}

#[test]
fn each_metric_that_the_dashboard_and_the_alerts_ask_for_exists() {
    let known = samples();
    assert!(known.len() > 30 && known.contains("tidegate_requests_total"), "{known:?}");
    let alerts = std::fs::read_to_string(file("alerts.yaml")).unwrap();
    let asked = asked_for(&(dashboard().to_string() + &alerts));
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(asked.len() > 20 && unknown.is_empty(), "nobody counts {unknown:?}");
}

#[tokio::test]
async fn what_a_gateway_shows_is_among_what_the_code_registers() {
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = busy(&up).await;
    let shown = asked_for(house.admin.get("/metrics").await.text());
    // Families are named without their endings where they are described.
    let known = samples();
    let is_known = |name: &&String| known.iter().any(|known| known.starts_with(name.as_str()));
    let unknown: Vec<_> = shown.iter().filter(|name| !is_known(name)).collect();
    assert!(shown.len() > 20 && unknown.is_empty(), "{unknown:?}");
}

async fn busy(up: &FakeUpstream) -> House {
    let house = House::with(&format!(
        "providers: {{ up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 10 }} }} }}\n\
         policies: [{{ policy: p, steps: [{{ redact: {{ find: [email] }} }}, {{ cache: {{ keep: 1h, shared_by: policy }} }}], route: up }}]\n",
        up.url()
    ))
    .await;
    for _ in 0..2 {
        assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.status, 200);
    }
    house
}

/// What Prometheus' own tool says to this; `None` where there is none.
fn promtool(words: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new("promtool");
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

fn is_content_with(words: &[&str], input: &str) {
    match promtool(words, input) {
        Some(said) => assert!(said.status.success(), "{words:?}: {said:?}"),
        None => eprintln!("skipped: there is no `promtool`"),
    }
}

#[tokio::test]
async fn prometheus_has_nothing_to_say_against_the_metrics_in_its_own_format() {
    let up = FakeUpstream::start(vec![whole(200, &completion("hi"))]).await;
    let house = busy(&up).await;
    let shown = house.admin.get("/metrics").await;
    assert_eq!(shown.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    is_content_with(&["check", "metrics"], shown.text());
    let open = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let shown = house.admin.send(http::Method::GET, "/metrics", &open, Default::default()).await;
    assert!(shown.header("content-type").starts_with("application/openmetrics-text"));
    assert!(shown.text().ends_with("# EOF\n"));
}

#[test]
fn the_alerts_are_sound_and_do_what_their_tests_say() {
    is_content_with(&["check", "rules", file("alerts.yaml").to_str().unwrap()], "");
    is_content_with(&["test", "rules", file("alerts.test.yaml").to_str().unwrap()], "");
}

#[test]
fn each_query_of_the_dashboard_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (number, query) in queries(&dashboard()).iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m");
        let query = ["$job", "$policy", "$target"].iter().fold(query, |query, name| query.replace(name, ".*"));
        assert!(!query.contains('$'), "{query}");
        rules.push_str(&format!("      - {{ record: \"q:{number}\", expr: {} }}\n", Value::from(query)));
    }
    let path = folder.path().join("queries.yaml");
    std::fs::write(&path, rules).unwrap();
    is_content_with(&["check", "rules", path.to_str().unwrap()], "");
}
