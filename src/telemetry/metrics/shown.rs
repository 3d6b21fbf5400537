//! What others count, or how things stand: set as it is when somebody looks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Metrics;
use super::labels::{
    BudgetLabels, CacheEventLabels, ExporterLabels, GuardLabels, HoldLabels, PluginCallLabels, PluginCountLabels,
    PluginHookLabels, PluginLabels, RevisionLabels, StateLabels, WarningLabels,
};
use crate::base::ids::PolicyName;
use crate::base::money::Nanos;

/// What one plugin has done since the start.
pub struct PluginCounts<'a> {
    pub plugin: &'a str,
    pub policy: &'a str,
    /// The hook, what calls have come to, and how many.
    pub calls: Vec<(&'static str, &'static str, u64)>,
    /// The hook, and how long its calls have taken.
    pub took: Vec<(&'static str, Duration)>,
    /// Bytes of log lines that were dropped.
    pub log_dropped: u64,
    /// What it counts itself: name, label and count.
    pub own: Vec<(String, String, u64)>,
}

impl Metrics {
    pub fn revision_is(&self, revision: &str) {
        self.revision.clear();
        self.revision.get_or_create(&RevisionLabels { revision: revision.into() }).set(1);
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
                let labels = StateLabels { target: target.into(), state: known };
                self.target_state.get_or_create(&labels).set(i64::from(known == state));
            }
        }
    }

    /// What came up of kept answers: policy, event, count. Shown as it is when somebody looks.
    pub fn cache_events_are(&self, counts: impl IntoIterator<Item = (PolicyName, &'static str, u64)>) {
        for (policy, event, count) in counts {
            let labels = CacheEventLabels { policy: policy.to_string().into(), event };
            self.cache_events.get_or_create_owned(&labels).inner().store(count, Ordering::Relaxed);
        }
    }

    /// What is left of each budget and scope. Shown as it is when somebody looks.
    pub fn budgets_are(&self, remaining: impl IntoIterator<Item = ((String, String), Nanos)>) {
        self.budget_remaining.clear();
        for ((budget, scope), left) in remaining {
            self.budget_remaining
                .get_or_create(&BudgetLabels { budget: budget.into(), scope: scope.into() })
                .set(left.0 as f64 / 1e9);
        }
    }

    pub fn budget_warnings_are(&self, counts: impl IntoIterator<Item = (Arc<str>, u64)>) {
        for (budget, count) in counts {
            self.budget_warnings.get_or_create(&WarningLabels { budget: budget.to_string().into() }).set(count);
        }
    }

    /// What a guard has done since the start: the action, the kind it was about, and how often.
    pub fn guard_actions_are(&self, guard: &'static str, counts: Vec<(&'static str, String, u64)>) {
        for (action, kind, count) in counts {
            let counter =
                self.guard_actions.get_or_create_owned(&GuardLabels { guard: guard.into(), action, kind: kind.into() });
            counter.inner().store(count, Ordering::Relaxed);
        }
    }

    /// The bounds that the policies in charge have. Shown as they are when somebody looks.
    pub fn guard_hold_backs_are(&self, bounds: impl IntoIterator<Item = (String, &'static str, usize)>) {
        self.guard_hold_back.clear();
        for (policy, guard, bytes) in bounds {
            self.guard_hold_back.get_or_create(&HoldLabels { policy: policy.into(), guard }).set(bytes as u64);
        }
    }

    /// What a plugin has done.
    pub fn plugin_is(&self, counts: PluginCounts<'_>) {
        let (plugin, policy) = (|| counts.plugin.into(), || counts.policy.into());
        for (hook, outcome, count) in counts.calls {
            let labels = PluginCallLabels { plugin: plugin(), policy: policy(), hook, outcome };
            self.plugin_calls.get_or_create_owned(&labels).inner().store(count, Ordering::Relaxed);
        }
        for (hook, took) in counts.took {
            let labels = PluginHookLabels { plugin: plugin(), policy: policy(), hook };
            let seconds = took.as_secs_f64().to_bits();
            self.plugin_seconds.get_or_create_owned(&labels).inner().store(seconds, Ordering::Relaxed);
        }
        let labels = PluginLabels { plugin: plugin(), policy: policy() };
        self.plugin_log_dropped.get_or_create_owned(&labels).inner().store(counts.log_dropped, Ordering::Relaxed);
        for (name, label, count) in counts.own {
            let labels =
                PluginCountLabels { plugin: plugin(), policy: policy(), name: name.into(), label: label.into() };
            self.plugin_counts.get_or_create_owned(&labels).inner().store(count, Ordering::Relaxed);
        }
    }

    pub fn reservations_open(&self, count: u64) {
        self.reservations_open.set(count);
    }

    /// Spans that no collector has, by exporter.
    pub fn spans_dropped(&self, dropped: BTreeMap<String, u64>) {
        for (exporter, count) in dropped {
            let counter = self.dropped_spans.get_or_create_owned(&ExporterLabels { exporter: exporter.into() });
            counter.inner().store(count, Ordering::Relaxed);
        }
    }

    pub fn decisions_dropped(&self, count: u64) {
        self.dropped_decisions.inner().store(count, Ordering::Relaxed);
    }

    pub fn dropped(&self, access_lines: u64, shadows: u64) {
        self.dropped_lines.set(access_lines);
        self.dropped_shadows.set(shadows);
    }
}
