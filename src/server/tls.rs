//! TLS for the data port: certificate, key, and the authority for client certificates.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::policy::TlsFiles;

/// The TLS settings in charge. Certificates are renewed while the process runs, so they can be read again.
#[derive(Clone)]
pub struct TlsSettings(Arc<ArcSwap<ServerConfig>>);

impl TlsSettings {
    /// # Errors
    /// When a file cannot be read or is not what it should be, with its name.
    pub fn read(files: &TlsFiles) -> Result<Self, String> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(server_config(files)?))))
    }

    /// Reads the files again. Connections that exist are not touched.
    ///
    /// # Errors
    /// As [`TlsSettings::read`]; the old settings stay.
    pub fn read_again(&self, files: &TlsFiles) -> Result<(), String> {
        self.0.store(Arc::new(server_config(files)?));
        Ok(())
    }

    pub fn current(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| in_file(path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(|error| in_file(path, &error))?)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| in_file(&files.key, &error))?;
    let mut config =
        builder.with_single_cert(certificates(&files.cert)?, key).map_err(|error| in_file(&files.cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| in_file(path, &error))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| in_file(path, &error))?;
    if certificates.is_empty() {
        return Err(format!("`{}` holds no certificate", path.display()));
    }
    Ok(certificates)
}

fn in_file(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("`{}`: {error}", path.display())
}
