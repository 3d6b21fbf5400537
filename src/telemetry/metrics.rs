//! Counts and durations, in Prometheus' text format.
//!
//! Labels are names out of the policy files and closed vocabularies: never users, sessions or keys, so the
//! number of series is bounded by the configuration.

mod classic;
mod kept;
mod labels;
pub(super) mod reading;
mod register;
mod roster;
mod shown;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use foldhash::fast::RandomState;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::base::ids::{PolicyName, TargetName};
use crate::base::money::Nanos;
use crate::base::trace::TraceContext;
use labels::{
    AttemptLabels, BudgetLabels, CacheEventLabels, CacheLabels, CacheTierLabels, CostLabels, ExemplarLabels,
    ExporterLabels, GuardLabels, HoldLabels, PluginCallLabels, PluginCountLabels, PluginHookLabels, PluginLabels,
    PolicyLabels, PromptCacheLabels, RequestLabels, RevisionLabels, StateLabels, TargetLabels, TokenLabels,
    WarningLabels,
};
use roster::Roster;
pub use shown::PluginCounts;

type Dollars = Counter<f64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;
/// Each bucket of which names the trace of the newest request in it that has one.
type Latency = HistogramWithExemplars<ExemplarLabels>;
type Latencies = Family<TargetLabels, Latency, fn() -> Latency>;

/// The metrics of the process.
pub struct Metrics {
    registry: Registry,
    /// Held by whoever looks.
    looking: Mutex<()>,
    requests: Family<RequestLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    counted_requests: Prepared<(Option<PolicyName>, &'static str, &'static str), Counter>,
    counted_attempts: Prepared<(TargetName, &'static str), Counter>,
    of_target: Prepared<TargetName, TargetMeters>,
    of_team: Prepared<(TargetName, Option<Arc<str>>), Dollars>,
    /// Teams that costs are told apart by: those in the files.
    pub teams: Roster,
    /// Models that budgets are told apart by.
    pub models: Roster,
    overhead: Histogram,
    duration: Latencies,
    first_token: Latencies,
    tokens: Histograms<TokenLabels>,
    cost: Family<CostLabels, Counter<f64, AtomicU64>>,
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
    ledger_fsync: Histogram,
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
    duration: Latency,
    first_token: Latency,
    input: Histogram,
    output: Histogram,
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
    /// Nobody knows what the model that was asked costs.
    pub is_unpriced: bool,
    /// It was no caller's request, but a copy of one.
    pub is_copy: bool,
    /// What came of looking for the answer among those that are kept.
    pub cache: Option<&'static str>,
    /// How the answer was found, if one was given.
    pub cache_tier: Option<&'static str>,
    /// What an answer cost when it was made that was kept or made for another, less what is charged for it.
    pub saved: Option<Nanos>,
    /// What was charged for it.
    pub charged: Option<Nanos>,
    pub prompt_cache: PromptCache,
    /// Its trace, if a collector is told of it.
    pub trace: Option<TraceContext>,
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
        let seconds: fn() -> Latency = || Latency::new(exponential_buckets(0.01, 2.0, 15));
        let tokens: fn() -> Histogram = || Histogram::new(exponential_buckets(1.0, 4.0, 12));
        let mut metrics = Self {
            registry: Registry::default(),
            looking: Mutex::default(),
            requests: Family::default(),
            attempts: Family::default(),
            counted_requests: Prepared::default(),
            counted_attempts: Prepared::default(),
            of_target: Prepared::default(),
            of_team: Prepared::default(),
            teams: Roster::with_room(MOST_TEAMS),
            models: Roster::with_room(MOST_MODELS),
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
            ledger_fsync: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    pub fn request_began(&self) {
        self.in_flight.inc();
    }

    pub fn request_ended(&self, counted: &Counted<'_>) {
        let key = (counted.policy.cloned(), status_class(counted.status), counted.decision);
        let requests = self.counted_requests.get(key, |(policy, status_class, decision)| {
            let policy = policy.as_ref().map(ToString::to_string).unwrap_or_default();
            self.requests.get_or_create_owned(&RequestLabels { policy: policy.into(), status_class, decision })
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
        let exemplar = counted.trace.map(|of| ExemplarLabels { trace_id: of.trace, span_id: of.span });
        // A clock may stand before 1970, and no exemplar does.
        let now = exemplar.map(|_| SystemTime::now()).filter(|now| *now > UNIX_EPOCH);
        meters.duration.observe(counted.took.as_secs_f64(), exemplar, now);
        if let Some(first_token) = counted.first_token {
            meters.first_token.observe(first_token.as_secs_f64(), exemplar, now);
        }
        for (meter, count) in [(&meters.input, counted.input_tokens), (&meters.output, counted.output_tokens)] {
            if let Some(count) = count {
                meter.observe(count as f64);
            }
        }
        self.prompt_cached(target, counted.prompt_cache);
    }

    /// What a target has cost a team, whatever came of it.
    pub fn spent(&self, target: &TargetName, team: Option<&str>, cost: Nanos) {
        self.cost_of(target, team).inc_by(cost.0.max(0) as f64 / 1e9);
    }

    fn cost_of(&self, target: &TargetName, team: Option<&str>) -> Dollars {
        let team = team.map(|team| self.teams.name(team));
        self.of_team.get((target.clone(), team), |(target, team)| {
            let team = team.as_deref().unwrap_or_default().into();
            self.cost.get_or_create_owned(&CostLabels { team, target: target.to_string().into() })
        })
    }

    /// Notes how long the disk took to have what was spent.
    pub fn ledger_synced(&self) -> impl Fn(Duration) + Send + Sync + 'static {
        let meter = self.ledger_fsync.clone();
        move |took| meter.observe(took.as_secs_f64())
    }

    fn meters(&self, target: &TargetName) -> TargetMeters {
        let labels = TargetLabels { target: target.to_string().into() };
        let tokens = |kind| TokenLabels { target: target.to_string().into(), gen_ai_token_type: kind };
        TargetMeters {
            duration: self.duration.get_or_create_owned(&labels),
            first_token: self.first_token.get_or_create_owned(&labels),
            input: self.tokens.get_or_create_owned(&tokens("input")),
            output: self.tokens.get_or_create_owned(&tokens("output")),
        }
    }

    pub fn attempt(&self, target: &TargetName, outcome: &'static str) {
        let attempts = self.counted_attempts.get((target.clone(), outcome), |(target, outcome)| {
            self.attempts.get_or_create_owned(&AttemptLabels { target: target.to_string().into(), outcome })
        });
        attempts.inc();
    }

    /// A guard outside names its rules itself, so that only so many of them are told apart.
    pub fn guard_acted(&self, guard: Arc<str>, action: &'static str, kind: &str) {
        let kind = if self.counted_guards.len() < MOST_GUARD_SERIES { kind } else { "" };
        let actions = self.counted_guards.get((guard, action, kind.to_owned()), |(guard, action, kind)| {
            let labels = GuardLabels { guard: guard.to_string().into(), action, kind: kind.clone().into() };
            self.guard_actions.get_or_create_owned(&labels)
        });
        actions.inc();
    }

    /// Everything, in the text format of OpenMetrics, once `set` has said how things stand. Those who look at the same
    /// time do so one after the other, so that nobody sees what another is about to set.
    pub fn shown(&self, set: impl FnOnce(&Self)) -> String {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        set(self);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The text of OpenMetrics in Prometheus' own format.
pub fn classic(openmetrics: &str) -> String {
    classic::of(openmetrics)
}

const MOST_GUARD_SERIES: usize = 500;
/// Models that are in no file, and that budgets are told apart by all the same.
const MOST_MODELS: usize = 100;
/// Teams that no file names and that tokens or certificates vouch for.
const MOST_TEAMS: usize = 100;

fn status_class(status: u16) -> &'static str {
    match status {
        200..300 => "2xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "other",
    }
}
