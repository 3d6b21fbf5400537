//! One collector, and the task that brings it what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_otlp::{
    Compression, Protocol as Wire, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tracing::{info, warn};

use super::patience::{Carrier, Patient};
use super::queue::Queue;
use super::resource;
use super::settings::{Collector, Exporter, Protocol};
use super::story::Story;
use super::tree;
use crate::base::trace::TraceId;
use crate::telemetry::Line;

/// An exporter that runs.
pub struct Running {
    pub settings: Exporter,
    pub queue: Queue<Arc<Story>>,
    /// The last batch was not taken.
    is_down: AtomicBool,
}

/// Stories that may wait for one collector.
const QUEUE: usize = 2048;
/// Stories that go into one request.
const BATCH: usize = 256;
/// A batch is given up after this, whatever the client is doing.
const WHOLE: Duration = Duration::from_secs(60);

impl Running {
    /// Spans that it loses are counted in `dropped`.
    pub fn new(settings: Exporter, dropped: Arc<AtomicU64>) -> Self {
        Self { settings, queue: Queue::of(QUEUE, dropped), is_down: AtomicBool::new(false) }
    }

    /// Whether the collector is told of a request.
    pub fn keeps(&self, line: &Line, trace: TraceId) -> bool {
        self.settings.sampling.keeps(line, trace)
    }

    /// Brings stories to the collector until the queue is closed and empty.
    pub async fn run(self: Arc<Self>, carrier: Arc<dyn Carrier>) {
        let client = match client(&self.settings, carrier) {
            Ok(client) => Some(client),
            Err(reason) => {
                warn!(exporter = self.settings.collector.name, reason, "traces cannot be exported");
                None
            }
        };
        while let Some(stories) = self.queue.take(BATCH).await {
            let spans: Vec<SpanData> = stories
                .iter()
                .flat_map(|story| tree::spans(story, &self.settings.dialects, self.settings.content))
                .collect();
            let (count, exported) = (spans.len(), self.export(client.as_ref(), spans));
            if !exported.await {
                self.queue.drop(count);
            }
            self.queue.are_done(stories.len());
        }
    }

    /// False if the collector does not take them.
    async fn export(&self, client: Option<&SpanExporter>, spans: Vec<SpanData>) -> bool {
        let Some(client) = client else { return false };
        let outcome = match timeout(WHOLE, client.export(spans)).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        let was_down = self.is_down.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            // Said once, however long it lasts.
            Err(reason) if !was_down => {
                warn!(exporter = self.settings.collector.name, reason, "a collector takes no traces")
            }
            Ok(()) if was_down => info!(exporter = self.settings.collector.name, "the collector takes traces again"),
            _ => {}
        }
        outcome.is_ok()
    }
}

fn client(settings: &Exporter, carrier: Arc<dyn Carrier>) -> Result<SpanExporter, String> {
    let mut client = match settings.collector.protocol {
        Protocol::Http => http(&settings.collector, carrier)?,
        Protocol::Grpc => grpc(&settings.collector)?,
    };
    client.set_resource(&resource::here());
    Ok(client)
}

fn http(collector: &Collector, carrier: Arc<dyn Carrier>) -> Result<SpanExporter, String> {
    let client = Patient { carrier, headers: collector.headers.clone(), timeout: collector.timeout };
    let builder = SpanExporter::builder().with_http().with_http_client(client).with_endpoint(collector.url(TRACES));
    let builder = builder.with_protocol(Wire::HttpBinary).with_compression(Compression::Gzip);
    builder.build().map_err(|_| UNUSABLE.to_owned())
}

fn grpc(collector: &Collector) -> Result<SpanExporter, String> {
    let metadata = MetadataMap::from_headers(collector.headers.clone());
    // The environment may have named headers for every collector there is.
    let dress = move |mut request: tonic::Request<()>| {
        *request.metadata_mut() = metadata.clone();
        Ok(request)
    };
    let builder = SpanExporter::builder().with_tonic().with_endpoint(collector.endpoint.expose());
    let builder = builder.with_timeout(collector.timeout).with_compression(Compression::Gzip);
    let mut builder = builder.with_interceptor(dress);
    if let Some(tls) = collector.tls()? {
        builder = builder.with_tls_config(tls);
    }
    builder.build().map_err(|_| UNUSABLE.to_owned())
}

/// Where collectors take traces, below the URL that they are known by.
const TRACES: &str = "/v1/traces";
/// Without the URL, which may carry a key.
pub const UNUSABLE: &str = "its URL cannot be used";
