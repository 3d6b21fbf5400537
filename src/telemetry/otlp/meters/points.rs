//! A reading of the metrics in the words of OTLP: the same names, labels, bounds and values.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::super::{names, resource};
use crate::telemetry::metrics::reading::{self, Family, Labels, Sample, families};

/// Everything in a text of OpenMetrics, as it was at `now`; what is counted was nothing at `began`.
pub fn request(text: &str, began: SystemTime, now: SystemTime) -> ExportMetricsServiceRequest {
    let moments = Moments { began: nanos(began), now: nanos(now) };
    let metrics = families(text).iter().filter_map(|family| moments.metric(family)).collect();
    let scope = InstrumentationScope {
        name: names::SCOPE.to_owned(),
        version: names::VERSION.to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }];
    let here = resource::here();
    let attributes = here.iter().map(|(name, said)| attribute(name.as_str(), &said.as_str())).collect();
    let resource = Some(Resource { attributes, ..Resource::default() });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }],
    }
}

/// Nanoseconds since 1970.
struct Moments {
    began: u64,
    now: u64,
}

impl Moments {
    /// `None` if there is nothing of it yet.
    fn metric(&self, family: &Family<'_>) -> Option<Metric> {
        let first = family.samples.first()?;
        let data = match family.kind {
            "counter" => metric::Data::Sum(Sum {
                data_points: self.numbers(family, self.began),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
            "histogram" => metric::Data::Histogram(Histogram {
                data_points: self.histograms(family),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            }),
            _ => metric::Data::Gauge(Gauge { data_points: self.numbers(family, 0) }),
        };
        Some(Metric {
            // A counter is known by the name of its samples.
            name: if family.kind == "counter" { first.name } else { family.name }.to_owned(),
            description: family.help.to_owned(),
            unit: family.unit.map(unit).unwrap_or_default().to_owned(),
            metadata: Vec::new(),
            data: Some(data),
        })
    }

    fn numbers(&self, family: &Family<'_>, began: u64) -> Vec<NumberDataPoint> {
        let point = |sample: &Sample<'_>| NumberDataPoint {
            attributes: attributes(&sample.labels),
            start_time_unix_nano: began,
            time_unix_nano: self.now,
            value: number(sample.value),
            ..NumberDataPoint::default()
        };
        family.samples.iter().map(point).collect()
    }

    /// The samples of one histogram stand together, and its sum comes first.
    fn histograms(&self, family: &Family<'_>) -> Vec<HistogramDataPoint> {
        let mut points: Vec<HistogramDataPoint> = Vec::new();
        for sample in &family.samples {
            match sample.name.strip_prefix(family.name) {
                Some("_sum") => points.push(HistogramDataPoint {
                    attributes: attributes(&sample.labels),
                    start_time_unix_nano: self.began,
                    time_unix_nano: self.now,
                    sum: sample.value.parse().ok(),
                    ..HistogramDataPoint::default()
                }),
                Some("_count") => {
                    points.last_mut().into_iter().for_each(|point| point.count = sample.value.parse().unwrap_or(0));
                }
                Some("_bucket") => points.last_mut().into_iter().for_each(|point| bucket(point, sample)),
                _ => {}
            }
        }
        points
    }
}

/// In the text each bucket has all that is below its bound, and here what is between that and the bound before.
fn bucket(point: &mut HistogramDataPoint, sample: &Sample<'_>) {
    let below: u64 = point.bucket_counts.iter().sum();
    let count: u64 = sample.value.parse().unwrap_or(below);
    point.bucket_counts.push(count.saturating_sub(below));
    let bound = sample.labels.iter().find(|(name, _)| *name == BOUND).and_then(|(_, bound)| bound.parse::<f64>().ok());
    point.explicit_bounds.extend(bound.filter(|bound| bound.is_finite()));
    point.exemplars.extend(sample.exemplar.as_ref().map(told));
}

/// The label of a bucket that says how far it goes. The last one goes on for ever.
const BOUND: &str = "le";

fn told(exemplar: &reading::Exemplar<'_>) -> Exemplar {
    let labels: HashMap<_, _> = exemplar.labels.iter().map(|(name, value)| (*name, value.as_ref())).collect();
    let id = |name| labels.get(name).map(|hex| bytes(hex)).unwrap_or_default();
    let at = exemplar.at.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Exemplar {
        filtered_attributes: Vec::new(),
        time_unix_nano: at.map_or(0, |at| u64::try_from(at.as_nanos()).unwrap_or(0)),
        span_id: id("span_id"),
        trace_id: id("trace_id"),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
    }
}

/// Of hexadecimal digits.
fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map_while(pair).collect()
}

fn attributes(labels: &Labels<'_>) -> Vec<KeyValue> {
    labels.iter().filter(|(name, _)| *name != BOUND).map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn number(text: &str) -> Option<number_data_point::Value> {
    match text.parse() {
        Ok(whole) => Some(number_data_point::Value::AsInt(whole)),
        Err(_) => text.parse().ok().map(number_data_point::Value::AsDouble),
    }
}

/// By the Unified Code for Units of Measure, as OpenTelemetry has it.
fn unit(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        unit => unit,
    }
}

fn nanos(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(text: &str) -> Vec<Metric> {
        let (began, now) = (UNIX_EPOCH + Duration::from_nanos(1), UNIX_EPOCH + Duration::from_nanos(9));
        request(text, began, now).resource_metrics.remove(0).scope_metrics.remove(0).metrics
    }

    #[test]
    fn a_counter_is_a_sum_since_the_start_and_a_gauge_is_what_it_is_now() {
        let text = "# HELP a Things.\n# TYPE a counter\na_total{x=\"1\"} 2\n# HELP b_bytes Much.\n# TYPE b_bytes gauge\n\
                    # UNIT b_bytes bytes\nb_bytes 0.5\n# HELP c Nothing.\n# TYPE c gauge\n# EOF\n";
        let [sum, gauge] = metrics(text).try_into().unwrap();
        assert_eq!((sum.name.as_str(), sum.description.as_str(), sum.unit.as_str()), ("a_total", "Things.", ""));
        let Some(metric::Data::Sum(sum)) = sum.data else { panic!("{sum:?}") };
        assert_eq!((sum.is_monotonic, sum.aggregation_temporality), (true, 2));
        let point = &sum.data_points[0];
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 9));
        assert_eq!(point.value, Some(number_data_point::Value::AsInt(2)));
        assert_eq!((gauge.name.as_str(), gauge.unit.as_str()), ("b_bytes", "By"));
        let Some(metric::Data::Gauge(gauge)) = gauge.data else { panic!("{gauge:?}") };
        assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(0.5)));
    }

    #[test]
    fn a_histogram_has_what_lies_between_its_bounds() {
        let text = "# HELP h_seconds Long.\n# TYPE h_seconds histogram\n# UNIT h_seconds seconds\n\
                    h_seconds_sum{t=\"x\"} 7.5\nh_seconds_count{t=\"x\"} 4\nh_seconds_bucket{le=\"1.0\",t=\"x\"} 1\n\
                    h_seconds_bucket{le=\"2.0\",t=\"x\"} 3 # {trace_id=\"0aff\"} 1.5 2.5\nh_seconds_bucket{le=\"+Inf\",t=\"x\"} 4\n";
        let [metric] = metrics(text).try_into().unwrap();
        let Some(metric::Data::Histogram(histogram)) = metric.data else { panic!("{metric:?}") };
        let [point] = histogram.data_points.try_into().unwrap();
        assert_eq!((point.count, point.sum), (4, Some(7.5)));
        assert_eq!((point.bucket_counts, point.explicit_bounds), (vec![1, 2, 1], vec![1.0, 2.0]));
        assert_eq!(point.attributes.len(), 1);
        let exemplar = &point.exemplars[0];
        assert_eq!((exemplar.trace_id.as_slice(), exemplar.time_unix_nano), ([10, 255].as_slice(), 2_500_000_000));
    }
}
