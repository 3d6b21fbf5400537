//! Counts and durations, in Prometheus' text format.
//!
//! Labels are names out of the policy files and closed vocabularies: never users, sessions or keys, so the
//! number of series is bounded by the configuration.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    policy: String,
    status_class: &'static str,
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    target: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    target: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    target: String,
    gen_ai_token_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    target: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RevisionLabels {
    revision: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The metrics of the process.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    overhead: Histogram,
    duration: Histograms<TargetLabels>,
    first_token: Histograms<TargetLabels>,
    tokens: Histograms<TokenLabels>,
    target_state: Family<StateLabels, Gauge>,
    revision: Family<RevisionLabels, Gauge>,
    reload_failed: Gauge,
    in_flight: Gauge,
    dropped_lines: Gauge<u64, AtomicU64>,
    dropped_shadows: Gauge<u64, AtomicU64>,
}

/// One request, for counting.
pub struct Counted<'a> {
    pub policy: &'a str,
    pub status: u16,
    pub decision: &'static str,
    pub target: Option<&'a str>,
    pub took: Duration,
    pub first_token: Option<Duration>,
    pub overhead: Option<Duration>,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.01, 2.0, 15));
        let tokens: fn() -> Histogram = || Histogram::new(exponential_buckets(1.0, 4.0, 12));
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            attempts: Family::default(),
            overhead: Histogram::new(exponential_buckets(0.000_05, 2.0, 14)),
            duration: Family::new_with_constructor(seconds),
            first_token: Family::new_with_constructor(seconds),
            tokens: Family::new_with_constructor(tokens),
            target_state: Family::default(),
            revision: Family::default(),
            reload_failed: Gauge::default(),
            in_flight: Gauge::default(),
            dropped_lines: Gauge::default(),
            dropped_shadows: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("tidegate_requests", "Requests by the policy that decided on them", self.requests.clone());
        r.register("tidegate_attempts", "Attempts at targets by their outcome", self.attempts.clone());
        let help = "Time the gateway itself took, until the first byte of the answer";
        r.register_with_unit("tidegate_overhead", help, Unit::Seconds, self.overhead.clone());
        let help = "Time from the request to the end of its answer";
        r.register_with_unit("gen_ai_client_operation_duration", help, Unit::Seconds, self.duration.clone());
        let help = "Time from the request to the first token of its answer";
        r.register_with_unit(
            "gen_ai_client_operation_time_to_first_chunk",
            help,
            Unit::Seconds,
            self.first_token.clone(),
        );
        r.register("gen_ai_client_token_usage", "Tokens used by a request", self.tokens.clone());
        r.register("tidegate_target_state", "1 for the state a target's breaker is in", self.target_state.clone());
        r.register("tidegate_policy_revision_info", "The policy revision in charge", self.revision.clone());
        r.register(
            "tidegate_policy_reload_failed",
            "1 while the files on disk cannot be loaded",
            self.reload_failed.clone(),
        );
        r.register("tidegate_requests_in_flight", "Requests under way", self.in_flight.clone());
        r.register("tidegate_access_log_dropped", "Access log lines dropped", self.dropped_lines.clone());
        r.register("tidegate_shadows_dropped", "Shadow copies not sent", self.dropped_shadows.clone());
    }

    pub fn request_began(&self) {
        self.in_flight.inc();
    }

    pub fn request_ended(&self, counted: &Counted<'_>) {
        self.in_flight.dec();
        let labels = RequestLabels {
            policy: counted.policy.to_owned(),
            status_class: status_class(counted.status),
            decision: counted.decision,
        };
        self.requests.get_or_create(&labels).inc();
        if let Some(overhead) = counted.overhead {
            self.overhead.observe(overhead.as_secs_f64());
        }
        let Some(target) = counted.target else { return };
        let labels = TargetLabels { target: target.to_owned() };
        self.duration.get_or_create(&labels).observe(counted.took.as_secs_f64());
        if let Some(first_token) = counted.first_token {
            self.first_token.get_or_create(&labels).observe(first_token.as_secs_f64());
        }
        for (kind, count) in [("input", counted.input_tokens), ("output", counted.output_tokens)] {
            if let Some(count) = count {
                let labels = TokenLabels { target: target.to_owned(), gen_ai_token_type: kind };
                self.tokens.get_or_create(&labels).observe(count as f64);
            }
        }
    }

    pub fn attempt(&self, target: &str, outcome: &'static str) {
        self.attempts.get_or_create(&AttemptLabels { target: target.to_owned(), outcome }).inc();
    }

    pub fn revision_is(&self, revision: &str) {
        self.revision.clear();
        self.revision.get_or_create(&RevisionLabels { revision: revision.to_owned() }).set(1);
        self.reload_failed.set(0);
    }

    pub fn reload_failed(&self) {
        self.reload_failed.set(1);
    }

    /// States are shown as they are when somebody looks.
    pub fn targets_are<'a>(&self, states: impl Iterator<Item = (&'a str, &'static str)>) {
        self.target_state.clear();
        for (target, state) in states {
            for known in ["closed", "open", "probing"] {
                let labels = StateLabels { target: target.to_owned(), state: known };
                self.target_state.get_or_create(&labels).set(i64::from(known == state));
            }
        }
    }

    pub fn dropped(&self, access_lines: u64, shadows: u64) {
        self.dropped_lines.set(access_lines);
        self.dropped_shadows.set(shadows);
    }

    /// Everything, in the text format of OpenMetrics, which Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn status_class(status: u16) -> &'static str {
    match status {
        200..300 => "2xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "other",
    }
}
