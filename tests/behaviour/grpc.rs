//! Traces for collectors that speak gRPC.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;

use crate::support::collector::{is_error, of};
use crate::support::grpc::GrpcCollector;
use crate::support::{FakeUpstream, House, chat, completion};

fn gateway(up: &FakeUpstream, endpoint: &str, settings: &str) -> String {
    format!(
        "telemetry: {{ otlp: {{ endpoint: \"{endpoint}\", protocol: grpc{settings} }} }}\n\
         providers: {{ up: {{ kind: openai_compatible, url: \"{}\" }} }}\npolicies: [{{ policy: p, route: up }}]\n",
        up.url()
    )
}

#[tokio::test]
async fn a_tree_arrives_compressed_and_with_the_headers_of_its_collector() {
    let (collector, up) = (GrpcCollector::start(0).await, FakeUpstream::answering(&completion("hi")).await);
    let settings = ", headers: { x-tenant: \"${env:NO:-acme}\" }";
    let house = House::with(&gateway(&up, &format!("http://{}", collector.address), settings)).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    let tree = collector.tree(&house).await;
    assert_eq!(tree.names(), ["POST chat", "chat m"]);
    assert_eq!(of(&tree.root, "tidegate.policy"), "p");
    let told = collector.told.lock().unwrap();
    let header = |name: &str| told.headers[0].get(name).map(String::as_str);
    assert_eq!((header("x-tenant"), header("grpc-encoding")), (Some("acme"), Some("gzip")));
}

#[tokio::test]
async fn a_collector_that_is_not_available_for_a_moment_is_asked_again() {
    let (collector, up) = (GrpcCollector::start(1).await, FakeUpstream::answering(&completion("hi")).await);
    let house = House::with(&gateway(&up, &format!("http://{}", collector.address), "")).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    let tree = collector.tree(&house).await;
    assert!(!is_error(&tree.root));
    assert_eq!(collector.told.lock().unwrap().headers.len(), 2);
}

#[tokio::test]
async fn a_collector_is_trusted_by_its_authority_and_by_no_other() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let collector = GrpcCollector::with_tls(TlsAcceptor::from(Arc::new(config))).await;
    let up = FakeUpstream::answering(&completion("hi")).await;
    let endpoint = format!("https://localhost:{}", collector.address.port());

    let stranger = House::with(&gateway(&up, &endpoint, ", timeout: 300ms")).await;
    stranger.http.post("/v1/chat/completions", &chat("m")).await;
    stranger.gateway.world().traces.flush(std::time::Duration::from_secs(5)).await;
    assert!(collector.told.lock().unwrap().spans.is_empty(), "a collector is trusted that nobody vouches for");

    let trusting = gateway(&up, &endpoint, ", ca: ca.crt");
    let house = House::with_files(&[("tidegate.yaml", &trusting), ("ca.crt", &authority.pem())]).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    assert_eq!(collector.tree(&house).await.names(), ["POST chat", "chat m"]);
}
