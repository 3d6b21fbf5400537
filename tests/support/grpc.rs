//! A collector that speaks gRPC.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status};
use tower_service::Service as _;

use super::House;
use super::collector::{Span, Tree, trees_of};

/// What it has been told, and by which headers.
#[derive(Default)]
pub struct Told {
    pub spans: Vec<Span>,
    pub readings: Vec<ExportMetricsServiceRequest>,
    pub headers: Vec<HashMap<String, String>>,
    /// How often it says no before it takes anything.
    pub refusals: usize,
}

#[derive(Clone)]
struct Taker(Arc<Mutex<Told>>);

#[tonic::async_trait]
impl TraceService for Taker {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut told = self.0.lock().unwrap();
        told.heard(&request)?;
        let resources = request.into_inner().resource_spans.into_iter();
        told.spans.extend(resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Taker {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut told = self.0.lock().unwrap();
        told.heard(&request)?;
        told.readings.push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Told {
    /// Notes how a request came, and says no as long as it is to.
    fn heard<T>(&mut self, request: &Request<T>) -> Result<(), Status> {
        let headers = request.metadata().clone().into_headers();
        let texts = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        self.headers.push(texts.collect());
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(Status::new(Code::Unavailable, "not now"));
        }
        Ok(())
    }
}

pub struct GrpcCollector {
    pub address: SocketAddr,
    pub told: Arc<Mutex<Told>>,
}

impl GrpcCollector {
    /// One that says no so often first.
    pub async fn start(refusals: usize) -> Self {
        Self::listen(refusals, None).await
    }

    pub async fn with_tls(tls: TlsAcceptor) -> Self {
        Self::listen(0, Some(tls)).await
    }

    async fn listen(refusals: usize, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Told { refusals, ..Told::default() }));
        let taker = Taker(Arc::clone(&told));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (taker, tls) = (taker.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, taker).await,
                            Err(error) => eprintln!("the gateway does not trust the collector: {error}"),
                        },
                        None => serve(stream, taker).await,
                    }
                });
            }
        });
        Self { address, told }
    }

    /// The tree of the one request that it has been told of.
    pub async fn tree(&self, house: &House) -> Tree {
        for _ in 0..500 {
            house.gateway.world().traces.flush(Duration::from_secs(5)).await;
            let spans = self.told.lock().unwrap().spans.clone();
            if !spans.is_empty() {
                return trees_of(spans).remove(0);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the collector was told nothing");
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, taker: Taker) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let taker = taker.clone();
        async move {
            if request.uri().path().contains(".metrics.") {
                MetricsServiceServer::new(taker).accept_compressed(CompressionEncoding::Gzip).call(request).await
            } else {
                TraceServiceServer::new(taker).accept_compressed(CompressionEncoding::Gzip).call(request).await
            }
        }
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
