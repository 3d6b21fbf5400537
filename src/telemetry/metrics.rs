//! Counts and durations, in Prometheus' text format.
//!
//! Labels are names out of the policy files and closed vocabularies: never users, sessions or keys, so the
//! number of series is bounded by the configuration.

mod classic;
mod kept;
mod labels;
mod shown;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use foldhash::fast::RandomState;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::base::ids::{PolicyName, TargetName};
use crate::base::money::Nanos;
use labels::{
    AttemptLabels, BudgetLabels, CacheEventLabels, CacheLabels, CacheTierLabels, ExporterLabels, GuardLabels,
    HoldLabels, PluginCallLabels, PluginCountLabels, PluginHookLabels, PluginLabels, PolicyLabels, PromptCacheLabels,
    RequestLabels, RevisionLabels, StateLabels, TargetLabels, TokenLabels, WarningLabels,
};
pub use shown::PluginCounts;

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The metrics of the process.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    counted_requests: Prepared<(Option<PolicyName>, &'static str, &'static str), Counter>,
    counted_attempts: Prepared<(TargetName, &'static str), Counter>,
    of_target: Prepared<TargetName, TargetMeters>,
    overhead: Histogram,
    duration: Histograms<TargetLabels>,
    first_token: Histograms<TargetLabels>,
    tokens: Histograms<TokenLabels>,
    cost: Family<TargetLabels, Counter<f64, AtomicU64>>,
    prompt_cache: Family<PromptCacheLabels, Counter>,
    prompt_cache_saved: Family<TargetLabels, Counter<f64, AtomicU64>>,
    budget_remaining: Family<BudgetLabels, Gauge<f64, AtomicU64>>,
    budget_warnings: Family<WarningLabels, Gauge<u64, AtomicU64>>,
    reservations_open: Gauge<u64, AtomicU64>,
    price_unknown: Counter,
    guard_actions: Family<GuardLabels, Counter>,
    guard_hold_back: Family<HoldLabels, Gauge<u64, AtomicU64>>,
    plugin_calls: Family<PluginCallLabels, Counter>,
    plugin_seconds: Family<PluginHookLabels, Counter<f64, AtomicU64>>,
    plugin_log_dropped: Family<PluginLabels, Counter>,
    plugin_counts: Family<PluginCountLabels, Counter>,
    counted_guards: Prepared<(Arc<str>, &'static str, String), Counter>,
    target_state: Family<StateLabels, Gauge>,
    cache: Family<CacheLabels, Counter>,
    cache_events: Family<CacheEventLabels, Counter>,
    cache_given: Family<CacheTierLabels, Counter>,
    cache_saved: Family<PolicyLabels, Counter<f64, AtomicU64>>,
    cache_charged: Family<PolicyLabels, Counter<f64, AtomicU64>>,
    of_cache: Prepared<(Option<PolicyName>, &'static str, Option<&'static str>), CacheMeters>,
    revision: Family<RevisionLabels, Gauge>,
    reload_failed: Gauge,
    in_flight: Gauge,
    dropped_lines: Gauge<u64, AtomicU64>,
    dropped_shadows: Gauge<u64, AtomicU64>,
    dropped_spans: Family<ExporterLabels, Counter>,
    dropped_decisions: Counter,
}

/// What was looked up before, by names that are shared: labels are spelled out, and hashed letter by letter, only
/// the first time. No caller makes up these names, so they need no hash that withstands an attack.
struct Prepared<K, V>(RwLock<HashMap<K, V, RandomState>>);

impl<K, V> Default for Prepared<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Prepared<K, V> {
    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn get(&self, key: K, look_up: impl FnOnce(&K) -> V) -> V {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let found = look_up(&key);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        found
    }
}

/// What is measured of the answers of one target.
#[derive(Clone)]
struct TargetMeters {
    duration: Histogram,
    first_token: Histogram,
    input: Histogram,
    output: Histogram,
    cost: Counter<f64, AtomicU64>,
}

/// What is measured of the kept answers of one policy.
#[derive(Clone)]
struct CacheMeters {
    count: Counter,
    /// Of the way an answer was found, if one was.
    given: Option<Counter>,
    saved: Counter<f64, AtomicU64>,
    charged: Counter<f64, AtomicU64>,
}

/// One request, for counting.
pub struct Counted<'a> {
    pub policy: Option<&'a PolicyName>,
    pub status: u16,
    pub decision: &'static str,
    pub target: Option<&'a TargetName>,
    pub took: Duration,
    pub first_token: Option<Duration>,
    pub overhead: Option<Duration>,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cost: Option<Nanos>,
    /// Nobody knows what the model that was asked costs.
    pub is_unpriced: bool,
    /// It was no caller's request, but a copy of one.
    pub is_copy: bool,
    /// What came of looking for the answer among those that are kept.
    pub cache: Option<&'static str>,
    /// How the answer was found, if one was given.
    pub cache_tier: Option<&'static str>,
    /// What a kept answer cost when it was made.
    pub saved: Option<Nanos>,
    /// What was charged for it.
    pub charged: Option<Nanos>,
    pub prompt_cache: PromptCache,
}

/// What the provider's own cache has done for one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct PromptCache {
    /// Tokens.
    pub read: u64,
    pub written: u64,
    /// What reading them has saved, where the price is known.
    pub saved: Option<Nanos>,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.01, 2.0, 15));
        let tokens: fn() -> Histogram = || Histogram::new(exponential_buckets(1.0, 4.0, 12));
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            attempts: Family::default(),
            counted_requests: Prepared::default(),
            counted_attempts: Prepared::default(),
            of_target: Prepared::default(),
            overhead: Histogram::new(exponential_buckets(0.000_05, 2.0, 14)),
            duration: Family::new_with_constructor(seconds),
            first_token: Family::new_with_constructor(seconds),
            tokens: Family::new_with_constructor(tokens),
            cost: Family::default(),
            prompt_cache: Family::default(),
            prompt_cache_saved: Family::default(),
            budget_remaining: Family::default(),
            budget_warnings: Family::default(),
            reservations_open: Gauge::default(),
            price_unknown: Counter::default(),
            guard_actions: Family::default(),
            guard_hold_back: Family::default(),
            plugin_calls: Family::default(),
            plugin_seconds: Family::default(),
            plugin_log_dropped: Family::default(),
            plugin_counts: Family::default(),
            counted_guards: Prepared::default(),
            target_state: Family::default(),
            cache: Family::default(),
            cache_events: Family::default(),
            cache_given: Family::default(),
            cache_saved: Family::default(),
            cache_charged: Family::default(),
            of_cache: Prepared::default(),
            revision: Family::default(),
            reload_failed: Gauge::default(),
            in_flight: Gauge::default(),
            dropped_lines: Gauge::default(),
            dropped_shadows: Gauge::default(),
            dropped_spans: Family::default(),
            dropped_decisions: Counter::default(),
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
        r.register("tidegate_cost_usd", "What requests cost, in US dollars", self.cost.clone());
        let help = "Tokens of input that providers have read from their own caches, or written to them";
        r.register("tidegate_prompt_cache_tokens", help, self.prompt_cache.clone());
        let help = "What input would have cost more that was read from providers' own caches, in US dollars";
        r.register("tidegate_prompt_cache_saved_usd", help, self.prompt_cache_saved.clone());
        let help = "What is left of a budget in US dollars; scope `least` is its account that has the least";
        r.register("tidegate_budget_remaining_usd", help, self.budget_remaining.clone());
        let help = "How often accounts of a budget have come to where it warns, since the start";
        r.register("tidegate_budget_warnings", help, self.budget_warnings.clone());
        let help = "Requests under way that have money set aside";
        r.register("tidegate_reservations_open", help, self.reservations_open.clone());
        let help = "Requests to models whose price nobody knows";
        r.register("tidegate_price_unknown", help, self.price_unknown.clone());
        let help = "What guards have found, by its kind and by what they did about it";
        r.register("tidegate_guard_actions", help, self.guard_actions.clone());
        let help = "The most that a guard keeps back of each text of a streamed answer";
        r.register_with_unit("tidegate_guard_hold_back", help, Unit::Bytes, self.guard_hold_back.clone());
        let help = "Calls of plugins, by hook and by what they came to";
        r.register("tidegate_plugin_calls", help, self.plugin_calls.clone());
        let help = "Time that calls of plugins took";
        r.register_with_unit("tidegate_plugin_calls", help, Unit::Seconds, self.plugin_seconds.clone());
        let help = "Log lines of plugins that did not fit their budget";
        r.register_with_unit("tidegate_plugin_log_dropped", help, Unit::Bytes, self.plugin_log_dropped.clone());
        let help = "What plugins count themselves";
        r.register("tidegate_plugin_count", help, self.plugin_counts.clone());
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
        r.register("tidegate_otlp_spans_dropped", "Spans that no collector has", self.dropped_spans.clone());
        let help = "Decisions that were not recorded, though they should be";
        r.register("tidegate_decisions_dropped", help, self.dropped_decisions.clone());
        self.register_kept();
    }

    /// What there is to count of answers that are kept.
    fn register_kept(&mut self) {
        let r = &mut self.registry;
        let help = "Requests by what came of looking for their answers among those that are kept";
        r.register("tidegate_cache", help, self.cache.clone());
        let help = "What came up of kept answers: some were damaged, renewed, or could not be renewed";
        r.register("tidegate_cache_events", help, self.cache_events.clone());
        let help = "Answers that were given to others than those they were made for, by how they were found";
        r.register("tidegate_cache_given", help, self.cache_given.clone());
        let help = "What answers cost when they were made that were given again, in US dollars";
        r.register("tidegate_cache_saved_usd", help, self.cache_saved.clone());
        let help = "What was charged for answers that were given again, in US dollars";
        r.register("tidegate_cache_charged_usd", help, self.cache_charged.clone());
    }

    pub fn request_began(&self) {
        self.in_flight.inc();
    }

    pub fn request_ended(&self, counted: &Counted<'_>) {
        let key = (counted.policy.cloned(), status_class(counted.status), counted.decision);
        let requests = self.counted_requests.get(key, |(policy, status_class, decision)| {
            let policy = policy.as_ref().map(ToString::to_string).unwrap_or_default();
            self.requests.get_or_create_owned(&RequestLabels { policy, status_class, decision })
        });
        if !counted.is_copy {
            self.in_flight.dec();
            requests.inc();
            if let Some(overhead) = counted.overhead {
                self.overhead.observe(overhead.as_secs_f64());
            }
        }
        if counted.is_unpriced {
            self.price_unknown.inc();
        }
        if let Some(result) = counted.cache.filter(|_| !counted.is_copy) {
            self.cached(result, counted);
        }
        let Some(target) = counted.target else { return };
        let meters = self.of_target.get(target.clone(), |target| self.meters(target));
        meters.duration.observe(counted.took.as_secs_f64());
        let first_token = counted.first_token.map(|first_token| first_token.as_secs_f64());
        let tokens = |count: Option<u64>| count.map(|count| count as f64);
        for (meter, measured) in [
            (&meters.first_token, first_token),
            (&meters.input, tokens(counted.input_tokens)),
            (&meters.output, tokens(counted.output_tokens)),
        ] {
            if let Some(measured) = measured {
                meter.observe(measured);
            }
        }
        self.prompt_cached(target, counted.prompt_cache);
        if let Some(cost) = counted.cost {
            meters.cost.inc_by(cost.0.max(0) as f64 / 1e9);
        }
    }

    fn meters(&self, target: &TargetName) -> TargetMeters {
        let labels = TargetLabels { target: target.to_string() };
        let tokens = |kind| TokenLabels { target: target.to_string(), gen_ai_token_type: kind };
        TargetMeters {
            duration: self.duration.get_or_create_owned(&labels),
            first_token: self.first_token.get_or_create_owned(&labels),
            input: self.tokens.get_or_create_owned(&tokens("input")),
            output: self.tokens.get_or_create_owned(&tokens("output")),
            cost: self.cost.get_or_create_owned(&labels),
        }
    }

    pub fn attempt(&self, target: &TargetName, outcome: &'static str) {
        let attempts = self.counted_attempts.get((target.clone(), outcome), |(target, outcome)| {
            self.attempts.get_or_create_owned(&AttemptLabels { target: target.to_string(), outcome })
        });
        attempts.inc();
    }

    /// A guard outside names its rules itself, so that only so many of them are told apart.
    pub fn guard_acted(&self, guard: Arc<str>, action: &'static str, kind: &str) {
        let kind = if self.counted_guards.len() < MOST_GUARD_SERIES { kind } else { "" };
        let actions = self.counted_guards.get((guard, action, kind.to_owned()), |(guard, action, kind)| {
            let labels = GuardLabels { guard: guard.to_string(), action, kind: kind.clone() };
            self.guard_actions.get_or_create_owned(&labels)
        });
        actions.inc();
    }

    /// Everything, in Prometheus' own text format.
    pub fn classic_text(&self) -> String {
        classic::of(&self.text())
    }

    /// Everything, in the text format of OpenMetrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

const MOST_GUARD_SERIES: usize = 500;

fn status_class(status: u16) -> &'static str {
    match status {
        200..300 => "2xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "other",
    }
}
