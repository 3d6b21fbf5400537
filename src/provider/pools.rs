//! What providers keep over a reload: connections, and which keys were refused.
//!
//! A [`Pools`] lives as long as the process. A new policy revision opens its providers with the same
//! `Pools` and so finds its warm connections and benched keys again; what no revision uses any more is
//! closed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};

use crate::provider::address::Address;
use crate::provider::keys::Bench;
use crate::provider::tls;
use crate::provider::transport::Transport;
use crate::provider::wire::{Wire, tcp};

/// The connections and key states of the process.
pub struct Pools {
    proxies: Matcher,
    roots: OnceLock<RootCertStore>,
    wires: Mutex<HashMap<Setting, Weak<dyn Transport>>>,
    pub(super) bench: Bench,
}

/// What makes two connections to one address different.
#[derive(PartialEq, Eq, Hash)]
struct Setting {
    /// The hash of the CA file, so that a file with new certificates is a new setting.
    ca: Option<[u8; 32]>,
    http2: bool,
    proxy: Option<String>,
}

impl Pools {
    /// Follows `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case.
    pub fn new() -> Self {
        Self::through(Matcher::from_env())
    }

    fn through(proxies: Matcher) -> Self {
        Self { proxies, roots: OnceLock::new(), wires: Mutex::default(), bench: Bench::new() }
    }

    /// The transport for an address: the one already in use for the same setting, or a new one.
    ///
    /// # Errors
    /// When the CA file cannot be used, or the proxy is of a kind we do not speak.
    pub(super) fn transport(
        &self,
        address: &Address,
        ca: Option<&Path>,
        http2: bool,
    ) -> Result<Arc<dyn Transport>, String> {
        let ca = ca.map(read_ca).transpose()?;
        let proxy = self.proxy(address);
        let setting = Setting {
            ca: ca.as_deref().map(|pem| Sha256::digest(pem).into()),
            http2,
            proxy: proxy.as_ref().map(|proxy| proxy.uri().to_string()),
        };
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wire) = wires.get(&setting).and_then(Weak::upgrade) {
            return Ok(wire);
        }
        let wire = self.connect(ca.as_deref(), http2, proxy.as_ref())?;
        wires.retain(|_, wire| wire.strong_count() > 0);
        wires.insert(setting, Arc::downgrade(&wire));
        Ok(wire)
    }

    /// The proxy in front of an address, if any. This machine is always reached directly.
    pub(super) fn proxy(&self, address: &Address) -> Option<Intercept> {
        if address.is_loopback() {
            return None;
        }
        self.proxies.intercept(address.root())
    }

    fn connect(&self, ca: Option<&[u8]>, http2: bool, proxy: Option<&Intercept>) -> Result<Arc<dyn Transport>, String> {
        let shared = self.roots.get_or_init(tls::roots);
        let roots = match ca {
            Some(pem) => tls::with_ca(shared, pem).map_err(|wrong| format!("the CA file is of no use: {wrong}"))?,
            None => shared.clone(),
        };
        let alpn: &[&[u8]] = if http2 { &[b"h2"] } else { &[b"h2", b"http/1.1"] };
        let config = tls::client(roots, alpn)?;
        let Some(proxy) = proxy else {
            return Ok(Arc::new(Wire::new(HttpsConnector::from((tcp(), config)), http2)));
        };
        match proxy.uri().scheme_str() {
            Some("http" | "https") => Ok(Arc::new(Wire::new(self.tunnel(proxy, config)?, http2))),
            Some("socks5" | "socks5h") => Ok(Arc::new(Wire::new(socks(proxy, config), http2))),
            _ => Err(format!(
                "the proxy `{}` is of a kind that is not supported; use http, https, socks5 or socks5h",
                proxy.uri()
            )),
        }
    }

    /// A CONNECT tunnel, for plain addresses too: a prompt and its key are no business of the proxy's.
    fn tunnel(
        &self,
        proxy: &Intercept,
        config: Arc<ClientConfig>,
    ) -> Result<HttpsConnector<Tunnel<HttpsConnector<HttpConnector>>>, String> {
        // The connection to the proxy itself speaks HTTP/1.1, whatever goes through it.
        let to_proxy = tls::client(self.roots.get_or_init(tls::roots).clone(), &[b"http/1.1"])?;
        let mut tunnel = Tunnel::new(proxy.uri().clone(), HttpsConnector::from((tcp(), to_proxy)));
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        Ok(HttpsConnector::from((tunnel, config)))
    }
}

impl Default for Pools {
    fn default() -> Self {
        Self::new()
    }
}

fn socks(proxy: &Intercept, config: Arc<ClientConfig>) -> HttpsConnector<SocksV5<HttpConnector>> {
    let mut socks = SocksV5::new(proxy.uri().clone(), tcp()).local_dns(proxy.uri().scheme_str() == Some("socks5"));
    if let Some((user, password)) = proxy.raw_auth() {
        socks = socks.with_auth(user.to_owned(), password.to_owned());
    }
    HttpsConnector::from((socks, config))
}

fn read_ca(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("the CA file `{}` cannot be read: {error}", path.display()))
}
