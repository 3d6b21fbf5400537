//! Asking a registry.

use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fs, io, thread};

use oci_client::Client;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use tokio::io::AsyncWrite;

use super::{Found, Reference, Signature};
use crate::base::secret::Secret;

/// What a registry asks of those who come, and how it is reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    pub user: Option<String>,
    /// Of the user; or a token, where there is none.
    pub password: Option<Secret>,
    /// A PEM file with the authorities to trust for it, besides the system's.
    pub ca: Option<PathBuf>,
    /// It has no TLS.
    pub is_plain: bool,
}

/// Fetches a component and its signature.
///
/// # Errors
/// Why it is not to be had.
pub fn pull(reference: &Reference, access: &Access, most: usize) -> Result<Found, String> {
    let (client, auth) = (client(reference, access)?, auth(access));
    let asking = async {
        let pulling = pull_with(&client, reference, &auth, most);
        match tokio::time::timeout(PATIENCE, pulling).await {
            Ok(Err(why)) if why.contains(NO_TLS) => Err(format!(
                "{why}; it does not speak TLS there: if it is not meant to, say \
                 `plugins: {{ registries: {{ \"{}\": {{ plain_http: true }} }} }}`",
                reference.host()
            )),
            Ok(found) => found,
            Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
        }
    };
    // On a thread of its own: whoever loads policies may be within a runtime, and waits for nothing else.
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| error.to_string())?.block_on(asking)
        });
        worker.join().unwrap_or_else(|_| Err("the worker that asked it ended".to_owned()))
    })
}

async fn pull_with(client: &Client, reference: &Reference, auth: &RegistryAuth, most: usize) -> Result<Found, String> {
    let at = &reference.0;
    let (manifest, _) = client.pull_image_manifest(at, auth).await.map_err(|error| said(&error))?;
    let of_type = |types: &[&str]| {
        manifest.layers.iter().filter(|layer| types.contains(&layer.media_type.as_str())).collect::<Vec<_>>()
    };
    let components = of_type(&COMPONENTS);
    let [component] = components.as_slice() else {
        let types: Vec<_> = manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
        return Err(format!(
            "it has {} layers of type `{}`, and not one; found: {types:?}",
            components.len(),
            COMPONENTS[0]
        ));
    };
    let bytes = layer(client, at, component, most).await?;
    let signature = match of_type(&[SIGNATURE]).first() {
        None => None,
        Some(signature) => {
            let text = layer(client, at, signature, MOST_SIGNATURE).await?;
            let text = String::from_utf8(text).map_err(|_| "its signature is no text".to_owned())?;
            Some(Signature::parse(&text).map_err(|why| format!("its signature is none: {why}"))?)
        }
    };
    Ok(Found { bytes, signature })
}

async fn layer(
    client: &Client,
    at: &oci_client::Reference,
    layer: &OciDescriptor,
    most: usize,
) -> Result<Vec<u8>, String> {
    if usize::try_from(layer.size).unwrap_or(usize::MAX) > most {
        return Err(format!("it has {} bytes, and may have {most}", layer.size));
    }
    let mut bounded = Bounded { bytes: Vec::new(), most };
    client.pull_blob(at, layer, &mut bounded).await.map_err(|error| said(&error))?;
    Ok(bounded.bytes)
}

fn client(reference: &Reference, access: &Access) -> Result<Client, String> {
    // The client asks for the process's provider of cryptography and has none of its own. Whoever installs it first wins.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let plain = access.is_plain.then(|| reference.host().to_owned());
    let mut config = ClientConfig {
        protocol: ClientProtocol::HttpsExcept(plain.into_iter().collect()),
        connect_timeout: Some(Duration::from_secs(10)),
        read_timeout: Some(Duration::from_secs(30)),
        user_agent: concat!("tidegate/", env!("CARGO_PKG_VERSION")),
        // A component is the same on every platform.
        platform_resolver: None,
        ..ClientConfig::default()
    };
    if let Some(path) = &access.ca {
        let data = fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
        config.extra_root_certificates.push(Certificate { encoding: CertificateEncoding::Pem, data });
    }
    Client::try_from(config).map_err(|error| said(&error))
}

fn auth(access: &Access) -> RegistryAuth {
    match (&access.user, &access.password) {
        (_, None) => RegistryAuth::Anonymous,
        (None, Some(token)) => RegistryAuth::Bearer(token.expose().to_owned()),
        (Some(user), Some(password)) => RegistryAuth::Basic(user.clone(), password.expose().to_owned()),
    }
}

/// An error with what it was caused by.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(&format!(": {said}"));
        }
        cause = error.source();
    }
    text
}

/// What the TLS client says of an answer that is none.
const NO_TLS: &str = "InvalidContentType";

/// Takes only so many bytes, whatever was announced.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.bytes.len() + bytes.len() > self.most {
            return Poll::Ready(Err(io::Error::other("it has more bytes than it may have")));
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What components are called in registries: the usual name, and that of earlier tools.
const COMPONENTS: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];
/// What signatures are called.
pub const SIGNATURE: &str = "application/vnd.tidegate.plugin.signature";
const MOST_SIGNATURE: usize = 1_024;
/// How long a registry may take in all.
const PATIENCE: Duration = Duration::from_secs(120);
