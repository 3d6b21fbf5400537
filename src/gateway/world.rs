//! What lasts as long as the process.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::base::clock::Clock;
use crate::gateway::carry::Way;
use crate::gateway::copies::Copies;
use crate::gateway::outlive::Afterlife;
use crate::gateway::renew::Renewing;
use crate::gateway::witness::Witness;
use crate::pipeline::health::HealthBook;
use crate::pipeline::route::CanaryBook;
use crate::pipeline::trail::Detail;
use crate::policy::Snapshot;
use crate::provider::Pools;
use crate::state::Ledger;
use crate::steps::Stores;
use crate::telemetry::decisions::{self, Decisions};
use crate::telemetry::otlp::{Carrier, Collector, Exporter, Meter, Meters, MetricExporter, Room, Texts, Traces};
use crate::telemetry::{AccessLog, Metrics};

/// Everything a reload must not reset: connections, breakers, counts.
pub struct World {
    pub clock: Clock,
    pub health: HealthBook,
    pub canaries: CanaryBook,
    pub pools: Arc<Pools>,
    pub copies: Copies,
    pub renewing: Renewing,
    pub stores: Stores,
    pub afterlife: Afterlife,
    pub metrics: Metrics,
    pub access: AccessLog,
    pub traces: Traces,
    /// Who is told of metrics.
    pub meters: Meters,
    pub decisions: Decisions,
    room: Room,
    /// Whether collectors may have texts as callers have sent them.
    shows_raw: bool,
    /// Accounts whose tokens are being counted before they close.
    closings: TaskTracker,
    witness: Option<Arc<dyn Witness>>,
}

impl World {
    pub fn new(clock: Clock, pools: Arc<Pools>, access: AccessLog) -> Self {
        Self {
            clock,
            health: HealthBook::default(),
            canaries: CanaryBook::default(),
            pools,
            copies: Copies::default(),
            renewing: Renewing::default(),
            stores: Stores { clock, ..Stores::default() },
            closings: TaskTracker::new(),
            afterlife: Afterlife::default(),
            metrics: Metrics::default(),
            access,
            traces: Traces::default(),
            meters: Meters::default(),
            decisions: Decisions::default(),
            room: Room::default(),
            shows_raw: false,
            witness: None,
        }
    }

    /// The same world, which keeps a ledger.
    #[must_use]
    pub fn keeping(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.stores.ledger = Some(ledger);
        self
    }

    /// The same world, with stores that may outlive it.
    #[must_use]
    pub fn with(self, stores: Stores) -> Self {
        let stores = Stores { clock: self.clock, ..stores };
        Self { stores, ..self }
    }

    /// The same world, in which collectors may have texts as callers have sent them.
    #[must_use]
    pub fn showing_raw(self) -> Self {
        Self { shows_raw: true, ..self }
    }

    pub(super) fn shows_raw(&self) -> bool {
        self.shows_raw
    }

    /// The same world, watched.
    #[must_use]
    pub fn before(self, witness: Arc<dyn Witness>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// Has these exporters told of requests. Where providers are played, nobody is.
    pub(super) fn trace_to(&self, exporters: &[Exporter]) {
        if self.pools.is_staged() {
            return;
        }
        self.traces.tell(exporters, |exporter| self.way(&exporter.collector));
    }

    /// Has these exporters told of metrics. Where providers are played, nobody is.
    pub(super) fn report_to(&self, exporters: &[MetricExporter], meter: Arc<dyn Meter>) {
        if !self.pools.is_staged() {
            self.meters.tell(exporters, &meter, |exporter| self.way(&exporter.collector));
        }
    }

    fn way(&self, collector: &Collector) -> Result<Arc<dyn Carrier>, String> {
        let way = Way::to(&collector.name, collector.endpoint.expose(), collector.ca.as_deref(), &self.pools)?;
        Ok(Arc::new(way))
    }

    /// Where the texts of a request are kept, if a collector is to have any.
    pub(super) fn texts(&self, snapshot: &Snapshot) -> Option<Arc<Texts>> {
        if snapshot.exporters.is_empty() || self.pools.is_staged() {
            return None;
        }
        Texts::wanted(snapshot.exporters.iter().map(|exporter| exporter.content), &self.room)
    }

    /// Has decisions recorded there, unless providers are played.
    pub(super) fn record_in(&self, settings: Option<&decisions::Settings>) {
        self.decisions.record_in(settings.filter(|_| !self.pools.is_staged()));
        self.traces.record_with(self.decisions.recorder());
    }

    /// Resolves when no account is being counted any more.
    pub async fn closed(&self) {
        self.closings.close();
        self.closings.wait().await;
    }

    pub(super) fn closings(&self) -> &TaskTracker {
        &self.closings
    }

    pub(super) fn witness(&self) -> Option<&dyn Witness> {
        self.witness.as_deref()
    }

    /// How much is noted of what is decided.
    pub(super) fn detail(&self) -> Detail {
        if self.witness.is_some() { Detail::Full } else { Detail::Brief }
    }
}
