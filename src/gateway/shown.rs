//! The metrics as they are now: what is counted as it happens, and how things stand when somebody looks.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_core::future::BoxFuture;
use tokio::time::timeout;

use crate::base::money::Nanos;
use crate::gateway::standings::{AccountStanding, standings};
use crate::gateway::world::World;
use crate::policy::Snapshot;
use crate::telemetry::otlp::Meter;
use crate::telemetry::{Metrics, PluginCounts};

/// Everything, in the text format of OpenMetrics.
pub async fn shown(world: &World, snapshot: &Snapshot) -> String {
    // What cannot be asked now is not shown, rather than shown as it was.
    let standings = timeout(PATIENCE, standings(world, snapshot)).await;
    let standings = standings.ok().and_then(Result::ok).unwrap_or_default();
    world.metrics.shown(|metrics| {
        metrics.budgets_are(remaining(metrics, &standings));
        metrics.budget_warnings_are(world.stores.alerts.counts());
        stand(metrics, world, snapshot);
        plugins(metrics, world);
    })
}

fn stand(metrics: &Metrics, world: &World, snapshot: &Snapshot) {
    let states = snapshot.targets.iter().map(|target| (target.name.as_str(), target.health.breaker.state()));
    metrics.targets_are(states);
    metrics.dropped(world.access.dropped(), world.copies.dropped());
    metrics.spans_dropped(world.traces.dropped());
    metrics.decisions_dropped(world.decisions.dropped());
    metrics.reservations_open(world.stores.reservations.load(Ordering::Relaxed));
    metrics.cache_events_are(world.stores.kept.counts());
    for (target, cost) in world.stores.kept.take_spent() {
        metrics.spent(&target, None, cost);
    }
    metrics.guard_actions_are("redact", world.stores.guards.counts());
    metrics.guard_hold_backs_are(snapshot.hold_backs().map(|(policy, step, bytes)| (policy.to_string(), step, bytes)));
}

fn plugins(metrics: &Metrics, world: &World) {
    world.stores.plugins.each(|plugin, policy, record| {
        metrics.plugin_is(PluginCounts {
            plugin,
            policy,
            calls: record.calls().map(|(hook, outcome, count)| (hook.word(), outcome.name(), count)).collect(),
            took: record.took().map(|(hook, took)| (hook.word(), took)).collect(),
            log_dropped: record.log_dropped(),
            own: record.counters().all(),
        });
    });
}

/// What is left of each budget: by account where those have names that metrics tell apart, and otherwise of the account
/// that has the least. Users and keys are no labels.
fn remaining(metrics: &Metrics, standings: &[AccountStanding]) -> BTreeMap<(String, String), Nanos> {
    let mut remaining: BTreeMap<(String, String), Nanos> = BTreeMap::new();
    for standing in standings {
        let name = standing.budget.name();
        let account = standing.account.as_str();
        let account = account.strip_prefix(name).unwrap_or(account).trim_start_matches('/');
        let scope = match standing.budget.per.as_str() {
            "policy" => account.to_owned(),
            "team" if account.is_empty() => String::new(),
            "team" => metrics.teams.name(account).to_string(),
            "model" => metrics.models.name(account).to_string(),
            _ => "least".to_owned(),
        };
        let left = remaining.entry((name.to_owned(), scope)).or_insert(Nanos(i64::MAX));
        *left = (*left).min(standing.remaining());
    }
    remaining
}

/// How long whoever looks at metrics waits for what a store elsewhere knows of budgets.
const PATIENCE: Duration = Duration::from_millis(500);

/// A gateway, for those that look at its metrics as long as it is there.
pub struct Watched {
    pub world: Weak<World>,
    pub snapshot: Weak<ArcSwap<Snapshot>>,
}

impl Meter for Watched {
    fn read(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async {
            let (world, snapshot) = (self.world.upgrade()?, self.snapshot.upgrade()?.load_full());
            Some(shown(&world, &snapshot).await)
        })
    }
}

impl Watched {
    pub fn of(world: &Arc<World>, snapshot: &Arc<ArcSwap<Snapshot>>) -> Arc<Self> {
        Arc::new(Self { world: Arc::downgrade(world), snapshot: Arc::downgrade(snapshot) })
    }
}
