//! Where requests that are over are handed over, and who is told of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::warn;

use super::exporter::Running;
use super::patience::Carrier;
use super::queue::Queue;
use super::settings::Exporter;
use super::story::Story;
use crate::base::trace::TraceId;
use crate::telemetry::Line;
use crate::telemetry::decisions::Recorder;

/// Tells a story when there is time for it, and whom.
struct Telling {
    /// `None` once it is told.
    teller: Option<Teller>,
    exporters: Exporters,
    recorder: Option<Arc<Recorder>>,
}

type Teller = Box<dyn FnOnce() -> Story + Send>;

impl Drop for Telling {
    fn drop(&mut self) {
        // Nobody has got to tell it.
        if let (Some(_), Some(recorder)) = (&self.teller, &self.recorder) {
            recorder.lost();
        }
    }
}

type Exporters = Arc<Vec<Arc<Running>>>;

/// Who in the process is told of requests: exporters, and the decision log.
pub struct Traces {
    tellings: Arc<Queue<Telling>>,
    running: ArcSwap<Vec<Arc<Running>>>,
    /// The decision log, if there is one.
    recorder: ArcSwapOption<Recorder>,
    /// Spans that were lost, by exporter, also by those that run no more.
    dropped: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    has_begun: AtomicBool,
}

/// Whose the spans are that were lost before anybody was told.
const NOBODY: &str = "none";
/// Requests that may wait to be told of.
const QUEUE: usize = 4096;
/// How many are told of before others get a turn on the thread.
const TURN: usize = 64;

impl Default for Traces {
    fn default() -> Self {
        let lost = Arc::<AtomicU64>::default();
        let dropped = BTreeMap::from([(NOBODY.to_owned(), Arc::clone(&lost))]);
        Self {
            tellings: Arc::new(Queue::of(QUEUE, lost)),
            running: ArcSwap::default(),
            recorder: ArcSwapOption::empty(),
            dropped: Mutex::new(dropped),
            has_begun: AtomicBool::new(false),
        }
    }
}

impl Traces {
    /// Whether anybody wants to be told.
    pub fn is_on(&self) -> bool {
        !self.running.load().is_empty() || self.recorder.load().is_some()
    }

    /// Whether a collector is told of a request that ends like this.
    pub fn tells_of(&self, line: &Line, trace: TraceId) -> bool {
        self.running.load().iter().any(|exporter| exporter.keeps(line, trace))
    }

    /// Hands over a request that is over, and makes so many spans. Nothing is made of it here.
    pub fn hand_over(&self, spans: usize, teller: impl FnOnce() -> Story + Send + 'static) {
        let teller: Option<Teller> = Some(Box::new(teller));
        let (exporters, recorder) = (self.running.load_full(), self.recorder.load_full());
        let spans = if exporters.is_empty() { 0 } else { spans };
        self.tellings.put(Telling { teller, exporters, recorder }, spans);
    }

    /// Has every decision recorded from now on, whatever exporters are told of. Without a runtime none is.
    pub fn record_with(&self, recorder: Option<Arc<Recorder>>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let is_wanted = recorder.is_some();
        self.recorder.store(recorder);
        if is_wanted {
            self.begin(&runtime);
        }
    }

    fn begin(&self, runtime: &Handle) {
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            runtime.spawn(tell_all(Arc::clone(&self.tellings)));
        }
    }

    /// Has these told from now on, and those that are not among them no more. Exporters that stay as they are keep
    /// what waits for them; others still tell what was handed over before. Without a runtime nobody is told.
    pub fn tell(&self, exporters: &[Exporter], carrier: impl Fn(&Exporter) -> Result<Arc<dyn Carrier>, String>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let before = self.running.load_full();
        let mut running = Vec::new();
        for settings in exporters {
            if let Some(same) = before.iter().find(|known| known.settings == *settings) {
                running.push(Arc::clone(same));
                continue;
            }
            match carrier(settings) {
                Ok(carrier) => {
                    let fresh = Arc::new(Running::new(settings.clone(), self.lost_by(&settings.collector.name)));
                    runtime.spawn(Arc::clone(&fresh).run(carrier));
                    running.push(fresh);
                }
                Err(reason) => warn!(exporter = settings.collector.name, reason, "traces cannot be exported"),
            }
        }
        let is_gone = |known: &&Arc<Running>| !running.iter().any(|kept| Arc::ptr_eq(kept, known));
        let gone: Vec<_> = before.iter().filter(is_gone).map(Arc::clone).collect();
        if !running.is_empty() {
            self.begin(&runtime);
        }
        self.running.store(Arc::new(running));
        if !gone.is_empty() {
            let tellings = Arc::clone(&self.tellings);
            runtime.spawn(async move {
                tellings.flushed().await;
                gone.iter().for_each(|gone| gone.queue.close());
            });
        }
    }

    /// Waits, for so long at the most, until collectors have what was handed over.
    pub async fn flush(&self, limit: Duration) {
        let flushing = async {
            self.tellings.flushed().await;
            let running = self.running.load_full();
            join_all(running.iter().map(|exporter| exporter.queue.flushed())).await;
        };
        if self.is_on() && timeout(limit, flushing).await.is_err() {
            warn!("collectors have not taken the last traces");
        }
    }

    /// Waits, for so long at the most, until what was handed over is told of, though it may not have arrived.
    pub async fn told(&self, limit: Duration) {
        if self.is_on() {
            let _ = timeout(limit, self.tellings.flushed()).await;
        }
    }

    /// Spans that were lost so far, by exporter. Those that were lost before anybody was told are `none`'s.
    pub fn dropped(&self) -> BTreeMap<String, u64> {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
    }

    fn lost_by(&self, exporter: &str) -> Arc<AtomicU64> {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(dropped.entry(exporter.to_owned()).or_default())
    }
}

/// Has stories told, and passes them on to those that want them.
async fn tell_all(tellings: Arc<Queue<Telling>>) {
    while let Some(batch) = tellings.take(QUEUE).await {
        let count = batch.len();
        for (number, mut telling) in batch.into_iter().enumerate() {
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            let Some(teller) = telling.teller.take() else { continue };
            let story = Arc::new(teller());
            telling.recorder.iter().for_each(|recorder| recorder.record(&story));
            for exporter in telling.exporters.iter().filter(|exporter| exporter.keeps(&story.line, story.context.trace))
            {
                exporter.queue.put(Arc::clone(&story), story.spans());
            }
        }
        tellings.are_done(count);
    }
}
