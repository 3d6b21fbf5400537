//! Whom we trust at the other end of a connection.
//!
//! The platform's roots, or those compiled in when the platform has none (a container made from
//! scratch); a provider's own CA file adds to them and never replaces them. There is no way to turn
//! verification off.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The roots every provider shares.
pub(super) fn roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "could not read some of the platform's root certificates");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// `roots` and the certificates of a PEM file.
///
/// # Errors
/// When the text holds no certificate, or one that cannot be a root.
pub(super) fn with_ca(roots: &RootCertStore, pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = roots.clone();
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("it is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("it holds a certificate that cannot be a root: {error}"))?;
    }
    if roots.len() == before {
        return Err("it holds no certificate".into());
    }
    Ok(roots)
}

/// A client's TLS, offering the protocols of `alpn` in their order.
///
/// # Errors
/// When the cryptographic provider supports no version of TLS that we accept.
pub(super) fn client(roots: RootCertStore, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, String> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_no_ca() {
        assert_eq!(with_ca(&RootCertStore::empty(), b"hello").unwrap_err(), "it holds no certificate");
    }

    #[test]
    fn there_are_always_roots() {
        assert!(!roots().is_empty());
    }
}
