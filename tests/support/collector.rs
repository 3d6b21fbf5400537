//! A collector of traces and metrics, as far as tests look at what it gets.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric::Data, number_data_point};
pub use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::{span::SpanKind, status::StatusCode};
use prost::Message;
use serde_json::{Value, json};

use super::{FakeUpstream, House, Script, whole};

pub struct Collector(pub FakeUpstream);

impl Collector {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::scripted(vec![whole(200, "")]).await
    }

    pub async fn scripted(scripts: Vec<Script>) -> Self {
        Self(FakeUpstream::start(scripts).await)
    }

    /// The `telemetry` section of a gateway file that has it told in every dialect.
    pub fn section(&self) -> String {
        self.section_with("dialects: [genai, langfuse, openinference]")
    }

    pub fn section_with(&self, settings: &str) -> String {
        format!("telemetry: {{ otlp: {{ endpoint: \"{}\", {settings} }} }}\n", self.0.url().trim_end_matches("/v1"))
    }

    /// The trees it has so far.
    pub fn trees(&self) -> Vec<Tree> {
        let told = self.0.received().into_iter().filter(|request| request.path().ends_with("/v1/traces"));
        trees_of(told.flat_map(|request| spans_in(&request.body)).collect())
    }

    /// The readings of metrics that it has so far.
    pub fn readings(&self) -> Vec<ExportMetricsServiceRequest> {
        let told = self.0.received().into_iter().filter(|request| request.path().ends_with("/v1/metrics"));
        told.map(|request| ExportMetricsServiceRequest::decode(unpacked(&request.body).as_slice()).unwrap()).collect()
    }

    /// The trees it has once there are so many.
    pub async fn trees_of(&self, house: &House, count: usize) -> Vec<Tree> {
        for _ in 0..500 {
            house.gateway.world().traces.flush(Duration::from_secs(5)).await;
            let trees = self.trees();
            if trees.len() >= count {
                return trees;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the collector has {} trees and not {count}", self.trees().len());
    }

    pub async fn tree(&self, house: &House) -> Tree {
        self.trees_of(house, 1).await.remove(0)
    }
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The metrics of a reading.
pub fn metrics_in(reading: &ExportMetricsServiceRequest) -> Vec<&Metric> {
    let scopes = reading.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).collect()
}

/// Each series of a reading with its value, named as Prometheus names it, its labels in order.
pub fn series_in(reading: &ExportMetricsServiceRequest) -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    for metric in metrics_in(reading) {
        let name = &metric.name;
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => series.extend(sum.data_points.iter().map(|point| number(name, point))),
            Data::Gauge(gauge) => series.extend(gauge.data_points.iter().map(|point| number(name, point))),
            Data::Histogram(histogram) => {
                for point in &histogram.data_points {
                    let labels = labels_of(&point.attributes);
                    series.insert(named(&format!("{name}_sum"), &labels), point.sum.unwrap());
                    series.insert(named(&format!("{name}_count"), &labels), point.count as f64);
                    let bounds = point.explicit_bounds.iter().map(|bound| format!("{bound:?}"));
                    let mut below = 0;
                    for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&point.bucket_counts) {
                        below += count;
                        let labels = [labels.clone(), vec![("le".to_owned(), bound)]].concat();
                        series.insert(named(&format!("{name}_bucket"), &labels), below as f64);
                    }
                }
            }
            other => panic!("{other:?}"),
        }
    }
    series
}

fn number(name: &str, point: &NumberDataPoint) -> (String, f64) {
    let value = match point.value.as_ref().unwrap() {
        number_data_point::Value::AsInt(value) => *value as f64,
        number_data_point::Value::AsDouble(value) => *value,
    };
    (named(name, &labels_of(&point.attributes)), value)
}

fn labels_of(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |said: &KeyValue| plain(said.value.clone().unwrap()).as_str().unwrap().to_owned();
    attributes.iter().map(|said| (said.key.clone(), text(said))).collect()
}

/// A series by its name and labels, these in order.
pub fn named(name: &str, labels: &[(String, String)]) -> String {
    let labels: BTreeMap<_, _> = labels.iter().cloned().collect();
    format!("{name}{labels:?}")
}

fn spans_in(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(unpacked(body).as_slice()).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// A request's span and those below it, in the order in which they began.
#[derive(Debug)]
pub struct Tree {
    pub root: Span,
    pub below: Vec<Span>,
}

pub fn trees_of(spans: Vec<Span>) -> Vec<Tree> {
    let (roots, below): (Vec<_>, Vec<_>) = spans.into_iter().partition(|span| span.kind == SpanKind::Server as i32);
    let is_below = |span: &Span, root: &Span| span.trace_id == root.trace_id && span.parent_span_id == root.span_id;
    assert!(below.iter().all(|span| roots.iter().any(|root| is_below(span, root))), "a span without its request");
    let tree = |root: Span| {
        let mut below: Vec<_> = below.iter().filter(|span| is_below(span, &root)).cloned().collect();
        below.sort_by_key(|span| span.start_time_unix_nano);
        Tree { root, below }
    };
    roots.into_iter().map(tree).collect()
}

impl Tree {
    pub fn attempts(&self) -> Vec<&Span> {
        self.below.iter().filter(|span| span.kind == SpanKind::Client as i32).collect()
    }

    pub fn step(&self, name: &str) -> &Span {
        let found = self.below.iter().find(|span| span.name == name && span.kind == SpanKind::Internal as i32);
        found.unwrap_or_else(|| panic!("no step `{name}` among {:?}", self.names()))
    }

    pub fn names(&self) -> Vec<&str> {
        std::iter::once(&self.root).chain(&self.below).map(|span| span.name.as_str()).collect()
    }

    /// The sum of an attribute over all spans.
    pub fn sum(&self, name: &str) -> f64 {
        let all = std::iter::once(&self.root).chain(&self.below);
        all.filter_map(|span| of(span, name).as_f64()).sum()
    }
}

/// An attribute, or null.
pub fn of(span: &Span, name: &str) -> Value {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    found.and_then(|found| found.value.clone()).map_or(Value::Null, plain)
}

/// The JSON text in an attribute.
pub fn json_of(span: &Span, name: &str) -> Value {
    serde_json::from_str(of(span, name).as_str().unwrap_or("null")).unwrap()
}

pub fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32)
}

pub fn seconds(span: &Span) -> f64 {
    (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e9
}

fn plain(value: AnyValue) -> Value {
    match value.value {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::BoolValue(is)) => json!(is),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::DoubleValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => list.values.into_iter().map(plain).collect(),
        other => panic!("an attribute of another kind: {other:?}"),
    }
}
