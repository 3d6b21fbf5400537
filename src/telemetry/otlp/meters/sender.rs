//! Bringing one reading to a collector, once.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use prost::Message as _;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};

use super::super::exporter::UNUSABLE;
use super::super::patience::{Carrier, Patient, asked_for};
use super::super::settings::{Collector, Protocol};

/// The way to one collector.
pub enum Sender {
    Http { client: Patient, url: String },
    Grpc { client: MetricsServiceClient<Channel>, headers: HeaderMap },
}

/// Why a collector has not taken a reading.
pub struct Untaken {
    pub reason: String,
    /// How long it wants to be left alone.
    pub pause: Duration,
}

/// No collector is left alone for longer, whatever it says.
const LONGEST: Duration = Duration::from_secs(3600);
const CONNECT: Duration = Duration::from_secs(5);
/// Where collectors take metrics, below the URL that they are known by.
const METRICS: &str = "/v1/metrics";

impl Sender {
    /// # Errors
    /// When its URL or its file of authorities cannot be used.
    pub fn to(collector: &Collector, carrier: Arc<dyn Carrier>) -> Result<Self, String> {
        let headers = collector.headers.clone();
        match collector.protocol {
            Protocol::Http => {
                let client = Patient { carrier, headers, timeout: collector.timeout };
                Ok(Self::Http { client, url: collector.url(METRICS) })
            }
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(collector.endpoint.expose().to_owned());
                let mut endpoint = endpoint.map_err(|_| UNUSABLE.to_owned())?;
                if let Some(tls) = collector.tls()? {
                    endpoint = endpoint.tls_config(tls).map_err(|_| UNUSABLE.to_owned())?;
                }
                let channel = endpoint.connect_timeout(CONNECT).timeout(collector.timeout).connect_lazy();
                let client = MetricsServiceClient::new(channel).send_compressed(CompressionEncoding::Gzip);
                Ok(Self::Grpc { client, headers })
            }
        }
    }

    pub async fn bring(&self, reading: ExportMetricsServiceRequest) -> Result<(), Untaken> {
        let answer = match self {
            Self::Http { client, url } => over_http(client, url, &reading).await?,
            Self::Grpc { client, headers } => {
                let mut request = tonic::Request::new(reading);
                *request.metadata_mut() = MetadataMap::from_headers(headers.clone());
                let answer = client.clone().export(request).await;
                answer.map_err(|status| Untaken::at_once(format!("{:?}", status.code())))?.into_inner()
            }
        };
        match answer.partial_success.map(|part| part.rejected_data_points).filter(|points| *points > 0) {
            Some(points) => Err(Untaken::at_once(format!("it does not want {points} of the points"))),
            None => Ok(()),
        }
    }
}

async fn over_http(
    client: &Patient,
    url: &str,
    reading: &ExportMetricsServiceRequest,
) -> Result<ExportMetricsServiceResponse, Untaken> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let body = packed.write_all(&reading.encode_to_vec()).and_then(|()| packed.finish()).unwrap_or_default();
    let request = Request::post(url).header(CONTENT_TYPE, "application/x-protobuf").header(CONTENT_ENCODING, "gzip");
    let request = request.body(Bytes::from(body)).map_err(|_| Untaken::at_once(UNUSABLE.to_owned()))?;
    let answer = client.try_once(&request).await.map_err(Untaken::at_once)?;
    match answer.status() {
        // Some answer with other words than those of the protocol, and have taken it all the same.
        status if status.is_success() => {
            Ok(ExportMetricsServiceResponse::decode(answer.into_body()).unwrap_or_default())
        }
        status => {
            let pause = if is_busy(status) { asked_for(answer.headers()) } else { None };
            Err(Untaken { reason: format!("it says {status}"), pause: pause.unwrap_or_default().min(LONGEST) })
        }
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

impl Untaken {
    /// The next reading may be brought when it is due.
    fn at_once(reason: String) -> Self {
        Self { reason, pause: Duration::ZERO }
    }
}
