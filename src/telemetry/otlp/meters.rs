//! Metrics for collectors, each told at its own interval.
//!
//! What is told are sums since the start, so nothing that a collector did not take has to be kept: its next reading
//! has it all. A dead collector costs one attempt at an interval, and none before it says that it may be asked again.

mod points;
mod sender;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_core::future::BoxFuture;
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::patience::Carrier;
use super::settings::MetricExporter;
use sender::{Sender, Untaken};

/// Whoever knows the metrics as they are now.
pub trait Meter: Send + Sync {
    /// In the text format of OpenMetrics; `None` once there is nothing to be measured any more.
    fn read(&self) -> BoxFuture<'_, Option<String>>;
}

/// Who in the process is told of metrics.
pub struct Meters {
    running: Mutex<Vec<(Arc<Running>, AbortHandle)>>,
    /// When what is counted began to be.
    began: SystemTime,
}

/// An exporter that runs.
struct Running {
    settings: MetricExporter,
    sender: Sender,
    meter: Arc<dyn Meter>,
    began: SystemTime,
    /// The last reading was not taken.
    is_down: AtomicBool,
}

impl Default for Meters {
    fn default() -> Self {
        Self { running: Mutex::default(), began: SystemTime::now() }
    }
}

impl Meters {
    /// Has these told from now on, and those that are not among them no more. Those that stay as they are keep their
    /// pace. Without a runtime nobody is told.
    pub fn tell(
        &self,
        exporters: &[MetricExporter],
        meter: &Arc<dyn Meter>,
        carrier: impl Fn(&MetricExporter) -> Result<Arc<dyn Carrier>, String>,
    ) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut running = self.lock();
        let mut before = std::mem::take(&mut *running);
        for settings in exporters {
            if let Some(same) = before.iter().position(|(known, _)| known.settings == *settings) {
                running.push(before.swap_remove(same));
                continue;
            }
            match carrier(settings).and_then(|carrier| Sender::to(&settings.collector, carrier)) {
                Ok(sender) => {
                    let (settings, meter) = (settings.clone(), Arc::clone(meter));
                    let is_down = AtomicBool::new(false);
                    let fresh = Arc::new(Running { settings, sender, meter, began: self.began, is_down });
                    let task = runtime.spawn(Arc::clone(&fresh).run());
                    running.push((fresh, task.abort_handle()));
                }
                Err(reason) => {
                    warn!(exporter = settings.collector.name, reason, "metrics cannot be exported");
                }
            }
        }
        before.iter().for_each(|(_, task)| task.abort());
    }

    /// Tells everybody now, and waits for so long at the most until they have taken it.
    pub async fn flush(&self, limit: Duration) {
        let running: Vec<_> = self.lock().iter().map(|(running, _)| Arc::clone(running)).collect();
        let telling = join_all(running.iter().map(|running| running.tell()));
        if timeout(limit, telling).await.is_err() {
            warn!("collectors have not taken the last metrics");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<Running>, AbortHandle)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    async fn run(self: Arc<Self>) {
        let mut due = Instant::now() + self.settings.interval;
        loop {
            sleep_until(due).await;
            let Some(pause) = self.tell().await else { return };
            due = (due + self.settings.interval).max(Instant::now() + pause);
        }
    }

    /// Tells the collector once, and says how long it wants to be left alone; `None` if there is nothing more to tell.
    async fn tell(&self) -> Option<Duration> {
        let text = self.meter.read().await?;
        let request = points::request(&text, self.began, SystemTime::now());
        let outcome = self.sender.bring(request).await;
        let was_down = self.is_down.swap(outcome.is_err(), Ordering::Relaxed);
        let exporter = &self.settings.collector.name;
        match outcome {
            // Said once, however long it lasts.
            Err(Untaken { reason, pause }) => {
                if !was_down {
                    warn!(exporter, reason, "a collector takes no metrics");
                }
                Some(pause)
            }
            Ok(()) => {
                if was_down {
                    info!(exporter, "the collector takes metrics again");
                }
                Some(Duration::ZERO)
            }
        }
    }
}
