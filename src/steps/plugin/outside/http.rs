//! Calls of a plugin to other servers, over the gateway's own client.
//!
//! What is asked for must be one of the origins that the policy names. A name must lead to a public address, unless the policy
//! names the address itself, or this machine. No redirect is followed: the plugin sees it and may ask for that itself, if that
//! is granted, too.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::uri::Scheme;
use ::http::{HeaderName, HeaderValue, Method, Uri};
use futures_core::future::BoxFuture;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use crate::base::ids::TargetName;
use crate::provider::{Body, Hop, Pools, Reach};
use crate::wasm::Http;
use crate::wasm::http::{Error, Request, Response};

/// Something that may be called: `POST https://host:8443/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `None` for every method.
    method: Option<Method>,
    scheme: Scheme,
    /// In lower case.
    host: String,
    port: u16,
    /// What paths must begin with.
    path: String,
}

impl Origin {
    /// # Errors
    /// What is wrong with it, for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (method, url) = match text.trim().split_once(char::is_whitespace) {
            Some((method, url)) => (Some(method), url.trim()),
            None => (None, text.trim()),
        };
        let method = method.map(|word| match Method::from_bytes(word.as_bytes()) {
            Ok(method) if METHODS.contains(&method) => Ok(method),
            _ => Err(format!(
                "`{word}` is not a method that plugins can use; these are: {}",
                METHODS.map(|m| m.to_string()).join(", ")
            )),
        });
        let wrong =
            || format!("`{text}` is no origin; write `https://host`, `https://host:port/path` or `POST https://host`");
        let place = Place::of(url).ok_or_else(wrong)?;
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.query().is_some() || place.host.contains('*') {
            return Err(wrong());
        }
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { method: method.transpose()?, scheme: place.scheme, host: place.host, port: place.port, path })
    }

    fn covers(&self, method: &Method, place: &Place, path: &str) -> bool {
        let is_below = path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.method.as_ref().is_none_or(|own| own == method)
            && self.scheme == place.scheme
            && self.host == place.host
            && self.port == place.port
            && is_below
    }

    /// An address, or this machine, is where it is; a name may be made to lead anywhere.
    fn reach(&self) -> Reach {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        if host.parse::<IpAddr>().is_ok() || host == "localhost" { Reach::Anywhere } else { Reach::Public }
    }
}

/// Where a URL leads.
struct Place {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme().filter(|scheme| **scheme == Scheme::HTTPS || **scheme == Scheme::HTTP)?.clone();
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(if scheme == Scheme::HTTPS { 443 } else { 80 });
        (!host.is_empty()).then_some(Self { scheme, host, port })
    }
}

/// The gateway's client, for one plugin.
pub struct Client {
    pub pools: Arc<Pools>,
    pub origins: Vec<Origin>,
}

impl Http for Client {
    fn send(&self, request: Request, limit: Duration) -> BoxFuture<'_, Result<Response, Error>> {
        Box::pin(async move {
            match timeout(limit, self.exchange(request, limit)).await {
                Ok(done) => done,
                Err(_) => Err(Error::Timeout),
            }
        })
    }
}

impl Client {
    async fn exchange(&self, asked: Request, limit: Duration) -> Result<Response, Error> {
        let denied = |what: &str| Error::Denied(what.to_owned());
        let method = Method::from_bytes(asked.method.as_bytes()).map_err(|_| denied("the method"))?;
        let place = Place::of(&asked.url).ok_or_else(|| denied("the URL cannot be read"))?;
        let uri: Uri = asked.url.parse().map_err(|_| denied("the URL cannot be read"))?;
        if !METHODS.contains(&method) || has_dots(uri.path()) {
            return Err(denied("the method or the path"));
        }
        let origin = self.origins.iter().find(|origin| origin.covers(&method, &place, uri.path()));
        let origin = origin.ok_or_else(|| denied("the policy does not grant this origin, method or path"))?;
        let (uri, transport) = self.pools.lead_within(&asked.url, None, origin.reach()).map_err(Error::Failed)?;
        let hop = hop_name(&method, &asked.url);
        let mut request = ::http::Request::new(Body::Full(asked.body.into()));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for (name, value) in asked.headers {
            let name = HeaderName::try_from(name).map_err(|_| denied("a header"))?;
            let value = HeaderValue::try_from(value).map_err(|_| denied("a header"))?;
            if OURS.contains(&name.as_str()) {
                return Err(denied("a header that belongs to the connection"));
            }
            request.headers_mut().append(name, value);
        }
        let response = transport.send(request, Hop { target: &hop, connect: limit }).await;
        let (head, body) = response.map_err(|error| Error::Failed(error.to_string()))?.into_parts();
        let body = Limited::new(body, MOST).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<http_body_util::LengthLimitError>() {
            Some(_) => Error::TooLarge,
            None => Error::Failed("the answer broke off".into()),
        })?;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Response {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: body.to_bytes().to_vec(),
        })
    }
}

/// What a call is known by where servers are played: `GET https://example.org/check`.
pub fn hop_name(method: &Method, url: &str) -> TargetName {
    TargetName::new(format!("{method} {url}"))
}

/// Whether a path could lead above where it begins, in whatever spelling.
fn has_dots(path: &str) -> bool {
    path.to_ascii_lowercase().replace("%2e", ".").split(['/', '\\']).any(|segment| segment == "..")
        || path.to_ascii_lowercase().contains("%2f")
        || path.to_ascii_lowercase().contains("%5c")
}

const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
/// Headers that the client sets itself.
const OURS: [&str; 8] =
    ["host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "proxy-authorization"];
/// The largest answer that is read, in bytes.
const MOST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(origin: &str, method: &Method, url: &str) -> bool {
        let uri: Uri = url.parse().unwrap();
        Origin::parse(origin).unwrap().covers(method, &Place::of(url).unwrap(), uri.path())
    }

    #[test]
    fn an_origin_covers_itself_and_what_is_below_and_nothing_else() {
        for url in
            ["https://api.example.org/v1", "https://API.example.org:443/v1/x?y=z", "https://api.example.org./v1/"]
        {
            assert!(covers("https://api.example.org/v1", &Method::GET, url), "{url}");
        }
        for url in [
            "http://api.example.org/v1",
            "https://api.example.org:444/v1",
            "https://api.example.org.evil.example/v1",
            "https://api.example.org/v10",
            "https://api.example.org/",
        ] {
            assert!(!covers("https://api.example.org/v1", &Method::GET, url), "{url}");
        }
        assert!(!covers("POST https://a.example", &Method::GET, "https://a.example/"));
    }

    #[test]
    fn only_what_the_policy_names_as_an_address_may_be_inside() {
        let reach = |origin: &str| Origin::parse(origin).unwrap().reach();
        assert_eq!(reach("https://internal.example"), Reach::Public);
        for origin in ["http://10.0.0.7:8080", "http://[::1]:80", "http://localhost:9"] {
            assert_eq!(reach(origin), Reach::Anywhere, "{origin}");
        }
    }

    #[test]
    fn no_path_leads_above_its_beginning() {
        for path in ["/v1/../admin", "/v1/%2e%2E/admin", "/v1/..%2fadmin", "/v1\\..\\x", "/v1/%5c.."] {
            assert!(has_dots(path), "{path}");
        }
        assert!(!has_dots("/v1/a..b/...c"));
    }

    #[test]
    fn what_is_no_origin_is_refused_when_the_policy_loads() {
        for text in
            ["api.example.org", "ftp://x", "https://*.example.org", "https://u:p@x", "FETCH https://x", "https://x?a=b"]
        {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
}
