//! Metrics as collectors are told them: what `/metrics` shows, at the interval that the file says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Method;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use regex::Regex;

use crate::support::collector::{Collector, metrics_in, named, series_in};
use crate::support::grpc::GrpcCollector;
use crate::support::running::Running;
use crate::support::{
    Act, FakeUpstream, House, Http, Script, chat, completion, sse, stream_of, streamed, whole, whole_with,
};

/// A gateway that has this said of metrics, and a provider at a dollar for a million tokens in, and ten out.
async fn house(metrics: &str, up: &FakeUpstream) -> House {
    House::with(&format!(
        "telemetry: {{ metrics: {metrics} }}\n\
         providers: {{ up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 10 }} }} }}\n\
         budgets: {{ all: {{ per: policy, usd: 5, window: day }} }}\n\
         policies: [{{ policy: \"a \\\"quoted\\\" one\", steps: [{{ budget: [all] }}, {{ redact: {{ find: [email] }} }}, \
           {{ cache: {{ keep: 1h, shared_by: policy }} }}], route: up }}]\n",
        up.url()
    ))
    .await
}

fn endpoint(collector: &Collector) -> String {
    collector.0.url().trim_end_matches("/v1").to_owned()
}

/// A plain request, the same again, a stream, and one that fails.
async fn traffic(house: &House) {
    for body in [chat("m"), chat("m"), streamed("m"), chat("other")] {
        house.http.post("/v1/chat/completions", &body).await;
    }
}

fn scripts() -> Vec<Script> {
    vec![whole(200, &completion("hi")), sse::stream(&stream_of(&["a", "b"])), whole(500, "{}")]
}

/// Each series that `/metrics` shows, with its value.
async fn shown(house: &House) -> BTreeMap<String, f64> {
    let line = Regex::new(r"^(\w+)(?:\{(.*)\})? (\S+)$").unwrap();
    let label = Regex::new(r#"(\w+)="((?:[^"\\]|\\.)*)""#).unwrap();
    let text = house.admin.get("/metrics").await;
    let lines = text.text().lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|text| {
        let parts = line.captures(text).unwrap_or_else(|| panic!("{text}"));
        let labels = label.captures_iter(parts.get(2).map_or("", |labels| labels.as_str()));
        let value = |name: &str, value: &str| match value.parse::<f64>() {
            // Both write the same bounds in other ways.
            Ok(bound) if name == "le" && bound.is_finite() => format!("{bound:?}"),
            _ => value.replace(r#"\""#, "\""),
        };
        let labels: Vec<_> = labels.map(|label| (label[1].to_owned(), value(&label[1], &label[2]))).collect();
        (named(&parts[1], &labels), parts[3].parse().unwrap())
    });
    series.collect()
}

/// Both are the same; only where they differ is said.
fn are_equal(told: &BTreeMap<String, f64>, shown: &BTreeMap<String, f64>) {
    let differ = |one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>| {
        let mut differ = one.clone();
        differ.retain(|name, value| other.get(name) != Some(value));
        differ
    };
    assert_eq!((differ(told, shown), differ(shown, told)), Default::default());
}

#[tokio::test]
async fn a_collector_is_told_what_the_admin_port_shows_and_nothing_else() {
    let (collector, up) = (Collector::start().await, FakeUpstream::start(scripts()).await);
    let house =
        house(&format!("{{ endpoint: \"{}\", headers: {{ x-t: \"${{env:NO:-me}}\" }} }}", endpoint(&collector)), &up)
            .await;
    traffic(&house).await;
    house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    let shown = shown(&house).await;
    let told = series_in(&collector.readings()[0]);
    assert!(shown.len() > 100, "{shown:?}");
    are_equal(&told, &shown);
    let request = &collector.0.received()[0];
    assert_eq!((request.path(), request.header("content-type")), ("/v1/metrics", Some("application/x-protobuf")));
    assert_eq!((request.header("content-encoding"), request.header("x-t")), (Some("gzip"), Some("me")));
}

#[tokio::test]
async fn sums_begin_with_the_process_and_units_are_those_of_opentelemetry() {
    let (collector, up) = (Collector::start().await, FakeUpstream::start(scripts()).await);
    let house = house(&format!("\"{}\"", endpoint(&collector)), &up).await;
    traffic(&house).await;
    for _ in 0..2 {
        house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    }
    let readings = collector.readings();
    let sums = |reading: usize| {
        metrics_in(&readings[reading]).into_iter().filter_map(|metric| match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => Some((sum.aggregation_temporality, sum.is_monotonic, sum.data_points.clone())),
            _ => None,
        })
    };
    let points = |reading| sums(reading).flat_map(|(_, _, points)| points).collect::<Vec<_>>();
    assert!(sums(0).all(|(temporality, is_monotonic, _)| (temporality, is_monotonic) == (2, true)));
    let began = points(0)[0].start_time_unix_nano;
    assert!(points(0).iter().chain(&points(1)).all(|point| point.start_time_unix_nano == began && began > 0));
    assert!(points(0)[0].time_unix_nano < points(1)[0].time_unix_nano);
    let unit = |name: &str| {
        let metrics = metrics_in(&readings[0]);
        metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("no {name}")).unit.clone()
    };
    assert_eq!(unit("tidegate_overhead_seconds"), "s");
    assert_eq!(unit("tidegate_requests_total"), "");
    let resource = readings[0].resource_metrics[0].resource.as_ref().unwrap();
    let said: Vec<_> = resource.attributes.iter().map(|said| said.key.as_str()).collect();
    for name in ["service.name", "service.version", "service.instance.id"] {
        assert!(said.contains(&name), "{said:?}");
    }
}

#[tokio::test]
async fn a_collector_that_speaks_grpc_is_told_the_same() {
    let (collector, up) = (GrpcCollector::start(1).await, FakeUpstream::start(scripts()).await);
    let metrics = format!(
        "{{ endpoint: \"http://{}\", protocol: grpc, headers: {{ x-t: \"${{env:NO:-me}}\" }} }}",
        collector.address
    );
    let house = house(&metrics, &up).await;
    traffic(&house).await;
    // It says no at first, and has it all with the next reading.
    for _ in 0..2 {
        house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    }
    let shown = shown(&house).await;
    let told = collector.told.lock().unwrap();
    assert_eq!(told.readings.len(), 1);
    are_equal(&series_in(&told.readings[0]), &shown);
    let header = |name: &str| told.headers[1].get(name).map(String::as_str);
    assert_eq!((header("x-t"), header("grpc-encoding")), (Some("me"), Some("gzip")));
}

#[tokio::test]
async fn a_collector_is_told_at_its_interval_and_no_more_once_the_files_do_not_name_it() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("hi")).await);
    let house = house(&format!("{{ endpoint: \"{}\", interval: 1s }}", endpoint(&collector)), &up).await;
    let begun = Instant::now();
    while collector.readings().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} readings", collector.readings().len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() > Duration::from_millis(1500), "two after {:?}", begun.elapsed());
    house.write("tidegate.yaml", "providers: { s: { kind: simulator } }\npolicies: [{ policy: p, route: s }]\n");
    assert!(house.reloader.reload(&house.gateway));
    let count = collector.readings().len();
    house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    assert_eq!(collector.readings().len(), count);
}

#[tokio::test]
async fn without_a_word_in_the_files_nobody_is_told() {
    let (collector, up) = (Collector::start().await, FakeUpstream::answering(&completion("hi")).await);
    let house = House::with(&format!(
        "{}providers: {{ up: {{ kind: openai_compatible, url: \"{}\" }} }}\npolicies: [{{ policy: p, route: up }}]\n",
        collector.section(),
        up.url()
    ))
    .await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    collector.tree(&house).await;
    house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    assert!(collector.readings().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_cuts_requests_off_tells_of_these_as_well() {
    let collector = Collector::start().await;
    let up = FakeUpstream::start(vec![sse::broken_off(&stream_of(&["a", "b"]), 2, Act::Stall)]).await;
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "version: 1\ncallers: {{ anonymous: true }}\nlimits: {{ drain: 100ms }}\ntelemetry: {{ metrics: \"{}\" }}\n\
         providers: {{ up: {{ kind: openai_compatible, url: \"{}\", price: {{ in: 1, out: 10 }} }} }}\n\
         policies: [{{ policy: p, route: up }}]\n",
        endpoint(&collector),
        up.url()
    );
    std::fs::write(folder.path().join("tidegate.yaml"), yaml).unwrap();
    let running = Running::start(folder.path());
    let http = Http::to(running.address.parse().unwrap());
    let json = [("content-type", "application/json")];
    let body = streamed("m").to_string().into();
    let _streaming = http.begin(Method::POST, "/v1/chat/completions", &json, body).await;
    running.stop();
    tokio::task::spawn_blocking(|| running.wait()).await.unwrap();
    let told = series_in(collector.readings().last().unwrap());
    let sum =
        |name: &str| told.iter().filter(|(series, _)| series.starts_with(name)).map(|(_, value)| value).sum::<f64>();
    assert_eq!((sum("tidegate_requests_total"), sum("tidegate_requests_in_flight")), (1.0, 0.0), "{told:?}");
    assert!(sum("tidegate_cost_usd_total") > 0.0, "{told:?}");
}

#[tokio::test]
async fn what_opens_the_collectors_of_traces_is_not_shown_to_those_of_metrics() {
    let (traces, metrics) = (Collector::start().await, Collector::start().await);
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = House::with(&format!(
        "telemetry: {{ otlp: \"{}\", metrics: \"{}\", headers: {{ x-tenant: acme }} }}\n\
         providers: {{ up: {{ kind: openai_compatible, url: \"{}\" }} }}\npolicies: [{{ policy: p, route: up }}]\n",
        endpoint(&traces),
        endpoint(&metrics),
        up.url()
    ))
    .await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    traces.tree(&house).await;
    house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    let (traced, metered) = (traces.0.received(), metrics.0.received());
    assert_eq!((traced[0].header("x-tenant"), metered[0].header("x-tenant")), (Some("acme"), None));
}

#[tokio::test]
async fn a_collector_that_wants_to_be_left_alone_is_not_told_before_its_time() {
    let busy = whole_with(429, "retry-after: 3\r\n", "");
    let (collector, up) =
        (Collector::scripted(vec![busy, whole(200, "")]).await, FakeUpstream::answering(&completion("hi")).await);
    let _house = house(&format!("{{ endpoint: \"{}\", interval: 1s }}", endpoint(&collector)), &up).await;
    let begun = Instant::now();
    while collector.0.count() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(4), "again after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_collector_that_hangs_holds_up_no_request_and_hears_the_newest_when_it_is_back() {
    let scripts = vec![vec![Act::Stall], whole(200, "")];
    let (collector, up) = (Collector::scripted(scripts).await, FakeUpstream::answering(&completion("hi")).await);
    let metrics = format!("{{ endpoint: \"{}\", interval: 1s, timeout: 300ms }}", endpoint(&collector));
    let house = house(&metrics, &up).await;
    while collector.0.count() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    house.http.post("/v1/chat/completions", &chat("m")).await;
    house.admin.get("/metrics").await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(400)).await;
    house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    let shown = shown(&house).await;
    let told = collector.readings().iter().map(series_in).next_back().unwrap();
    are_equal(&told, &shown);
}

/// A gateway that has a collector told of this share of its requests, and another of metrics.
async fn sampled(traces: &Collector, metrics: &Collector, up: &FakeUpstream, sample: &str) -> House {
    House::with(&format!(
        "telemetry: {{ otlp: {{ endpoint: \"{}\", sample: {sample} }}, metrics: \"{}\" }}\n\
         providers: {{ up: {{ kind: openai_compatible, url: \"{}\" }} }}\npolicies: [{{ policy: p, route: up }}]\n",
        endpoint(traces),
        endpoint(metrics),
        up.url()
    ))
    .await
}

const OPEN: [(&str, &str); 1] = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];

async fn openmetrics(house: &House) -> String {
    house.admin.send(http::Method::GET, "/metrics", &OPEN, Default::default()).await.text().to_owned()
}

/// The lines that have an exemplar.
fn exemplars(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(" # {")).collect()
}

#[tokio::test]
async fn a_bucket_names_the_trace_of_its_newest_request_to_those_who_can_read_it() {
    let (traces, metrics) = (Collector::start().await, Collector::start().await);
    let up = FakeUpstream::answering(&completion("hi")).await;
    let house = sampled(&traces, &metrics, &up, "100%").await;
    let mut last = String::new();
    for _ in 0..20 {
        last = house.http.post("/v1/chat/completions", &chat("m")).await.header("x-trace-id").to_owned();
    }
    let open = openmetrics(&house).await;
    let lines = exemplars(&open);
    let line = Regex::new(concat!(
        r#"^gen_ai_client_operation_(duration|time_to_first_chunk)_seconds_bucket\{le="[^"]+",target="up"\} \d+ "#,
        r#"# \{trace_id="[0-9a-f]{32}",span_id="[0-9a-f]{16}"\} [0-9.e-]+ [0-9.]+$"#
    ))
    .unwrap();
    assert!(lines.iter().all(|exemplar| line.is_match(exemplar)), "{lines:#?}");
    // Twenty requests lie in few buckets, each of which has one.
    assert!((2..20).contains(&lines.len()), "{lines:#?}");
    assert!(lines.iter().filter(|line| line.contains(&last)).count() == 2, "{last} is not in {lines:#?}");
    assert!(exemplars(house.admin.get("/metrics").await.text()).is_empty());
    let trees = traces.trees_of(&house, 20).await;
    house.gateway.world().meters.flush(Duration::from_secs(5)).await;
    let reading = &metrics.readings()[0];
    let told = metrics_in(reading).into_iter().flat_map(|metric| match metric.data.as_ref().unwrap() {
        Data::Histogram(histogram) => histogram.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        _ => Vec::new(),
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), lines.len());
    for exemplar in told {
        assert!(exemplar.time_unix_nano > 1_700_000_000_000_000_000);
        let (trace, span) = (&exemplar.trace_id, &exemplar.span_id);
        assert!(trees.iter().any(|tree| (&tree.root.trace_id, &tree.root.span_id) == (trace, span)), "{exemplar:?}");
    }
}

#[tokio::test]
async fn a_request_that_no_collector_is_told_of_is_nobodys_example() {
    let (traces, metrics) = (Collector::start().await, Collector::start().await);
    let failing = whole(500, r#"{"error":{"message":"oh","type":"x"}}"#);
    let cut = crate::support::sse::broken_off(&stream_of(&["a", "b"]), 2, Act::Close);
    let up = FakeUpstream::start(vec![whole(200, &completion("hi")), failing, cut]).await;
    let house = sampled(&traces, &metrics, &up, "0%").await;
    let parent = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    house.http.post_with("/v1/chat/completions", &parent, chat("m").to_string()).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(exemplars(&openmetrics(&house).await), Vec::<&str>::new());
    // What broke off is told of whatever the share.
    let cut = house.http.post("/v1/chat/completions", &streamed("m")).await;
    let open = openmetrics(&house).await;
    assert!(!exemplars(&open).is_empty());
    assert!(exemplars(&open).iter().all(|line| line.contains(cut.header("x-trace-id"))), "{open}");
}
