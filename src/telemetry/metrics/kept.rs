//! What is counted of kept answers, and of what providers keep themselves.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::labels::{CacheLabels, CacheTierLabels, Name, PolicyLabels, PromptCacheLabels, TargetLabels};
use super::{CacheMeters, Counted, Metrics, PromptCache};
use crate::base::ids::{PolicyName, TargetName};

impl Metrics {
    /// Most requests have nothing to do with such a cache, and have no series made for it.
    pub(super) fn prompt_cached(&self, target: &TargetName, prompt_cache: PromptCache) {
        for (kind, tokens) in [("read", prompt_cache.read), ("written", prompt_cache.written)] {
            if tokens > 0 {
                let labels = PromptCacheLabels { target: target.to_string().into(), kind };
                self.prompt_cache.get_or_create_owned(&labels).inc_by(tokens);
            }
        }
        if let Some(saved) = prompt_cache.saved {
            let labels = TargetLabels { target: target.to_string().into() };
            self.prompt_cache_saved.get_or_create_owned(&labels).inc_by(saved.0.max(0) as f64 / 1e9);
        }
    }

    pub(super) fn cached(&self, result: &'static str, counted: &Counted<'_>) {
        let key = (counted.policy.cloned(), result, counted.cache_tier);
        let meters = self.of_cache.get(key, |(policy, result, tier)| {
            let policy = policy.as_ref().map(ToString::to_string).unwrap_or_default();
            let policy = Name::from(policy);
            let given = |tier| self.cache_given.get_or_create_owned(&CacheTierLabels { policy: policy.clone(), tier });
            CacheMeters {
                given: tier.map(given),
                count: self.cache.get_or_create_owned(&CacheLabels { policy: policy.clone(), result }),
                saved: self.cache_saved.get_or_create_owned(&PolicyLabels { policy: policy.clone() }),
                charged: self.cache_charged.get_or_create_owned(&PolicyLabels { policy }),
            }
        });
        meters.count.inc();
        if let Some(given) = &meters.given {
            given.inc();
        }
        for (meter, amount) in [(&meters.saved, counted.saved), (&meters.charged, counted.charged)] {
            if let Some(amount) = amount {
                meter.inc_by(amount.0.max(0) as f64 / 1e9);
            }
        }
    }

    /// How often each result came of looking for kept answers of a policy, and what those saved that were given and what
    /// was charged for them, in US dollars, since the start.
    pub fn cache_of(&self, policy: &PolicyName) -> (Vec<(&'static str, u64)>, f64, f64) {
        let policy = Name::from(policy.to_string());
        let count = |result| {
            let count = self.cache.get(&CacheLabels { policy: policy.clone(), result })?.get();
            Some((result, count))
        };
        let results = ["hit", "stale", "shared", "miss", "refresh", "bypass"].into_iter().filter_map(count).collect();
        let labels = PolicyLabels { policy: policy.clone() };
        let usd = |of: &Family<PolicyLabels, Counter<f64, AtomicU64>>| of.get(&labels).map_or(0.0, |usd| usd.get());
        (results, usd(&self.cache_saved), usd(&self.cache_charged))
    }
}
