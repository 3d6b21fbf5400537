//! One collector, and the task that brings it what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_otlp::{
    Compression, Protocol as Wire, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, ClientTlsConfig};
use tracing::{info, warn};

use super::patience::{Carrier, Patient};
use super::queue::Queue;
use super::settings::{Exporter, Protocol};
use super::story::Story;
use super::tree;

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

    /// Brings stories to the collector until the queue is closed and empty.
    pub async fn run(self: Arc<Self>, carrier: Arc<dyn Carrier>) {
        let client = match client(&self.settings, carrier) {
            Ok(client) => Some(client),
            Err(reason) => {
                warn!(exporter = self.settings.name, reason, "traces cannot be exported");
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
            Err(reason) if !was_down => warn!(exporter = self.settings.name, reason, "a collector takes no traces"),
            Ok(()) if was_down => info!(exporter = self.settings.name, "the collector takes traces again"),
            _ => {}
        }
        outcome.is_ok()
    }
}

fn client(settings: &Exporter, carrier: Arc<dyn Carrier>) -> Result<SpanExporter, String> {
    let mut client = match settings.protocol {
        Protocol::Http => http(settings, carrier)?,
        Protocol::Grpc => grpc(settings)?,
    };
    // What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say goes before.
    let named = Resource::builder().build().get(&"service.name".into()).map(|name| name.to_string());
    let is_named = named.is_some_and(|name| !name.starts_with("unknown_service"));
    let builder = Resource::builder().with_attribute(super::names::pair("service.version", env!("CARGO_PKG_VERSION")));
    client.set_resource(&if is_named { builder } else { builder.with_service_name("tidegate") }.build());
    Ok(client)
}

fn http(settings: &Exporter, carrier: Arc<dyn Carrier>) -> Result<SpanExporter, String> {
    let client = Patient { carrier, headers: settings.headers.clone(), timeout: settings.timeout };
    let url = settings.endpoint.expose().trim_end_matches('/');
    let url = if url.ends_with(TRACES) { url.to_owned() } else { format!("{url}{TRACES}") };
    let builder = SpanExporter::builder().with_http().with_http_client(client).with_endpoint(url);
    let builder = builder.with_protocol(Wire::HttpBinary).with_compression(Compression::Gzip);
    builder.build().map_err(|_| "its URL cannot be used".to_owned())
}

fn grpc(settings: &Exporter) -> Result<SpanExporter, String> {
    let url = settings.endpoint.expose();
    let metadata = MetadataMap::from_headers(settings.headers.clone());
    // The environment may have named headers for every collector there is.
    let dress = move |mut request: tonic::Request<()>| {
        *request.metadata_mut() = metadata.clone();
        Ok(request)
    };
    let builder = SpanExporter::builder().with_tonic().with_endpoint(url).with_timeout(settings.timeout);
    let mut builder = builder.with_compression(Compression::Gzip).with_interceptor(dress);
    if url.starts_with("https:") {
        let tls = match &settings.ca {
            Some(path) => {
                let pem = std::fs::read(path).map_err(|error| format!("the CA file cannot be read: {error}"))?;
                ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
            }
            None => ClientTlsConfig::new().with_native_roots(),
        };
        builder = builder.with_tls_config(tls);
    }
    builder.build().map_err(|_| "its URL cannot be used".to_owned())
}

/// Where collectors take traces, below the URL that they are known by.
const TRACES: &str = "/v1/traces";
