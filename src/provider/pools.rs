//! What providers keep over a reload: connections, and which keys were refused.
//!
//! A [`Pools`] lives as long as the process. A new policy revision opens its providers with the same
//! `Pools` and so finds its warm connections and benched keys again; what no revision uses any more is
//! closed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};

use crate::provider::address::Address;
use crate::provider::keys::Bench;
use crate::provider::public::PublicOnly;
use crate::provider::stage::{Stage, Staged};
use crate::provider::tls;
use crate::provider::transport::Transport;
use crate::provider::wire::{Protocol, Wire, tcp, tcp_by};

/// The connections and key states of the process.
pub struct Pools {
    proxies: Matcher,
    roots: OnceLock<RootCertStore>,
    wires: Mutex<HashMap<Setting, Weak<dyn Transport>>>,
    /// Where providers are played, if they are.
    stage: Option<Arc<dyn Stage>>,
    pub(super) bench: Bench,
}

/// What makes two connections to one address different.
#[derive(PartialEq, Eq, Hash)]
struct Setting {
    /// The hash of the CA file, so that a file with new certificates is a new setting.
    ca: Option<[u8; 32]>,
    http2: bool,
    proxy: Option<String>,
    reach: Reach,
}

/// Where a connection may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    Anywhere,
    /// Only to public addresses, whatever the name stands for. Through a proxy that is the proxy's to see to.
    Public,
}

impl Pools {
    /// Follows `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case.
    pub fn new() -> Self {
        Self::through(Matcher::from_env())
    }

    /// No connections at all: every provider is played.
    pub fn on(stage: Arc<dyn Stage>) -> Self {
        Self { stage: Some(stage), ..Self::through(Matcher::builder().build()) }
    }

    /// Whether providers are played, and nothing reaches the network.
    pub fn is_staged(&self) -> bool {
        self.stage.is_some()
    }

    pub(super) fn stage(&self) -> Option<Arc<dyn Stage>> {
        self.stage.clone()
    }

    fn through(proxies: Matcher) -> Self {
        Self { proxies, roots: OnceLock::new(), wires: Mutex::default(), stage: None, bench: Bench::new() }
    }

    /// The transport for an address: the one already in use for the same setting, or a new one.
    ///
    /// # Errors
    /// When the CA file cannot be used, or the proxy is of a kind we do not speak.
    pub fn transport(&self, address: &Address, ca: Option<&Path>, http2: bool) -> Result<Arc<dyn Transport>, String> {
        self.reaching(address, ca, http2, Reach::Anywhere)
    }

    fn reaching(
        &self,
        address: &Address,
        ca: Option<&Path>,
        http2: bool,
        reach: Reach,
    ) -> Result<Arc<dyn Transport>, String> {
        if self.stage.is_some() {
            return Err("there is no network where providers are played".into());
        }
        let ca = ca.map(read_ca).transpose()?;
        let proxy = self.proxy(address);
        let setting = Setting {
            ca: ca.as_deref().map(|pem| Sha256::digest(pem).into()),
            http2,
            proxy: proxy.as_ref().map(|proxy| proxy.uri().to_string()),
            reach,
        };
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wire) = wires.get(&setting).and_then(Weak::upgrade) {
            return Ok(wire);
        }
        let wire = self.connect(ca.as_deref(), http2, proxy.as_ref(), reach)?;
        wires.retain(|_, wire| wire.strong_count() > 0);
        wires.insert(setting, Arc::downgrade(&wire));
        Ok(wire)
    }

    /// What leads to a service that is no provider of models, and its URL as it is asked for. On a stage it is played
    /// like everybody else.
    ///
    /// # Errors
    /// When the URL is none, or leads through something that cannot be used.
    pub fn lead(&self, url: &str, ca: Option<&Path>) -> Result<(Uri, Arc<dyn Transport>), String> {
        self.lead_within(url, ca, Reach::Anywhere)
    }

    /// The same, within bounds.
    ///
    /// # Errors
    /// When the URL is none, or leads through something that cannot be used.
    pub fn lead_within(&self, url: &str, ca: Option<&Path>, reach: Reach) -> Result<(Uri, Arc<dyn Transport>), String> {
        if let Some(stage) = &self.stage {
            // The real URL may be among the secrets that nobody has there.
            let staged = Arc::new(Staged::new(Arc::clone(stage), None));
            return Ok((Uri::from_static("http://stage.invalid/"), staged));
        }
        let address = Address::parse(url)?;
        let unread = |error: http::Error| format!("the URL cannot be read: {error}");
        let mut parts = url.trim().parse::<Uri>().map_err(|error| unread(error.into()))?.into_parts();
        let transport = self.reaching(&address, ca, false, reach)?;
        if self.proxy(&address).is_some()
            && let Some(authority) = &parts.authority
            && authority.port().is_none()
        {
            let written = format!("{authority}:{}", address.port());
            parts.authority = Some(written.parse().map_err(|_| "the host of the URL cannot be read")?);
        }
        Ok((Uri::from_parts(parts).map_err(|error| unread(error.into()))?, transport))
    }

    /// The proxy in front of an address, if any. This machine is always reached directly.
    pub(super) fn proxy(&self, address: &Address) -> Option<Intercept> {
        if address.is_loopback() {
            return None;
        }
        self.proxies.intercept(address.root())
    }

    fn connect(
        &self,
        ca: Option<&[u8]>,
        http2: bool,
        proxy: Option<&Intercept>,
        reach: Reach,
    ) -> Result<Arc<dyn Transport>, String> {
        let shared = self.roots.get_or_init(tls::roots);
        let roots = match ca {
            Some(pem) => tls::with_ca(shared, pem).map_err(|wrong| format!("the CA file is of no use: {wrong}"))?,
            None => shared.clone(),
        };
        let protocol = if http2 { Protocol::Http2 } else { Protocol::Negotiated };
        let alpn: &[&[u8]] = if http2 { &[b"h2"] } else { &[b"h2", b"http/1.1"] };
        let config = tls::client(roots, alpn)?;
        let Some(proxy) = proxy else {
            return Ok(match reach {
                Reach::Anywhere => Arc::new(Wire::new(HttpsConnector::from((tcp(), config)), protocol)),
                Reach::Public => {
                    let tcp = tcp_by(PublicOnly::new());
                    Arc::new(Wire::new(HttpsConnector::from((tcp, config)), protocol))
                }
            });
        };
        match proxy.uri().scheme_str() {
            Some("http" | "https") => Ok(Arc::new(Wire::new(self.tunnel(proxy, config)?, protocol))),
            Some("socks5" | "socks5h") => Ok(Arc::new(Wire::new(socks(proxy, config), protocol))),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::provider::transport::{Body, Hop};

    fn address(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    async fn read_head(tcp: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert_ne!(tcp.read_buf(&mut head).await.unwrap(), 0, "the client hung up");
        }
        String::from_utf8(head).unwrap()
    }

    #[tokio::test]
    async fn a_request_goes_through_the_tunnel_of_a_proxy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://me:secret@{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let connect = read_head(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let request = read_head(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
            (connect, request)
        });
        let pools = Pools::through(Matcher::builder().all(proxy).build());
        let address = address("http://upstream.invalid/v1").with_port().unwrap();
        let transport = pools.transport(&address, None, false).unwrap();
        let request = Request::get(address.at("/models").unwrap()).body(Body::Empty).unwrap();
        let response = transport.send(request, Hop::within(Duration::from_secs(20))).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hi");
        let (connect, request) = server.await.unwrap();
        assert!(connect.starts_with("CONNECT upstream.invalid:80 HTTP/1.1\r\n"), "{connect}");
        assert!(connect.contains("Proxy-Authorization: Basic "), "{connect}");
        assert!(request.starts_with("GET /v1/models HTTP/1.1\r\n"), "{request}");
        assert!(!request.to_lowercase().contains("proxy-authorization"), "{request}");
    }

    #[test]
    fn this_machine_and_what_no_proxy_names_are_reached_directly() {
        let matcher = Matcher::builder().all("http://proxy.example:3128").no("internal.example").build();
        let pools = Pools::through(matcher);
        assert!(pools.proxy(&address("https://api.openai.com/v1")).is_some());
        for direct in ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:1", "https://llm.internal.example"] {
            assert!(pools.proxy(&address(direct)).is_none(), "{direct}");
        }
    }

    #[test]
    fn a_proxy_of_another_kind_is_refused_when_opening() {
        let pools = Pools::through(Matcher::builder().all("socks4://proxy.example:1080").build());
        let wrong = pools.transport(&address("https://api.openai.com"), None, false).err().unwrap();
        assert!(wrong.contains("socks4"), "{wrong}");
    }

    #[test]
    fn what_no_provider_uses_any_more_is_closed() {
        let pools = Pools::through(Matcher::builder().build());
        let address = address("https://api.openai.com");
        drop(pools.transport(&address, None, false).unwrap());
        let _other = pools.transport(&address, None, true).unwrap();
        assert_eq!(pools.wires.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_ca_file_with_new_certificates_is_a_new_setting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let write = || {
            let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(&file, authority.cert.pem()).unwrap();
        };
        let pools = Pools::through(Matcher::builder().build());
        let open = || pools.transport(&address("https://llm.example"), Some(&file), false).unwrap();
        write();
        let (first, same) = (open(), open());
        write();
        let renewed = open();
        assert!(Arc::ptr_eq(&first, &same) && !Arc::ptr_eq(&first, &renewed));
    }
}
