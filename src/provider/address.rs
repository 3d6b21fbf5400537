//! Where a provider lives: its base URL, taken apart once, so that a request only puts a path below it.
//!
//! A path can never leave the base: it starts with `/` and has no `..` segments, in whatever spelling.

use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// The paths that nearly all requests go to, kept ready-made.
const WELL_KNOWN: [&str; 5] = ["/chat/completions", "/messages", "/embeddings", "/responses", "/messages/count_tokens"];

/// A base URL such as `https://api.openai.com/v1`.
#[derive(Debug)]
pub struct Address {
    root: Uri,
    scheme: Scheme,
    authority: Authority,
    /// The path of the base, without a slash at its end.
    prefix: String,
    /// What the base has behind its `?`, which goes on every request.
    query: Option<String>,
    ready: Vec<(&'static str, Uri)>,
}

impl Address {
    /// # Errors
    /// What is wrong with the URL, for the person who wrote it.
    pub fn parse(url: &str) -> Result<Self, String> {
        // The URL is not repeated where it might hold a password.
        let uri: Uri = url.trim().parse().map_err(|error| format!("the URL cannot be read: {error}"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let scheme = scheme.ok_or("the URL must begin with `https://` or `http://`")?;
        let authority = parts.authority.ok_or("the URL names no host")?;
        if authority.as_str().contains('@') {
            return Err("the URL holds a user or a password; give the credential as `key`".into());
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let mut address = Self {
            root: Uri::default(),
            prefix: path.path().trim_end_matches('/').to_owned(),
            query: path.query().map(str::to_owned),
            scheme,
            authority,
            ready: Vec::new(),
        };
        address.prepare()?;
        Ok(address)
    }

    /// The address with a path below it, unless the URL has a path of its own.
    pub(super) fn below(mut self, path: &str) -> Result<Self, String> {
        if self.prefix.is_empty() {
            self.prefix = path.trim_end_matches('/').to_owned();
            self.prepare()?;
        }
        Ok(self)
    }

    /// The address with its port written out: a tunnel takes an unwritten one for 443.
    pub(super) fn with_port(mut self) -> Result<Self, String> {
        if self.authority.port().is_none() {
            let port = self.port();
            self.authority = format!("{}:{port}", self.authority)
                .parse()
                .map_err(|error| format!("the host of the URL cannot be read: {error}"))?;
            self.prepare()?;
        }
        Ok(self)
    }

    /// The full URL of `path`, which is below the base and may have a query.
    ///
    /// # Errors
    /// When the path is none, or would leave the base.
    pub fn at(&self, path: &str) -> Result<Uri, String> {
        if let Some((_, uri)) = self.ready.iter().find(|(known, _)| *known == path) {
            return Ok(uri.clone());
        }
        self.join(path)
    }

    pub fn host(&self) -> &str {
        self.authority.host()
    }

    pub fn port(&self) -> u16 {
        let usual = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }

    pub(super) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The base URL without its path.
    pub fn root(&self) -> &Uri {
        &self.root
    }

    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host().trim_start_matches('[').trim_end_matches(']');
        let is_name = host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
        is_name || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    fn prepare(&mut self) -> Result<(), String> {
        self.root = self.build(PathAndQuery::from_static("/"))?;
        let ready: Result<_, String> = WELL_KNOWN.iter().map(|path| Ok((*path, self.join(path)?))).collect();
        self.ready = ready?;
        Ok(())
    }

    fn join(&self, path: &str) -> Result<Uri, String> {
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        if !bare.starts_with('/') || bare.split('/').any(is_dots) {
            return Err(format!("`{bare}` is not a path below the provider's URL"));
        }
        let mut full = format!("{}{bare}", self.prefix);
        let queries = self.query.iter().map(String::as_str).chain([query]).filter(|query| !query.is_empty());
        for (n, query) in queries.enumerate() {
            full.push(if n == 0 { '?' } else { '&' });
            full.push_str(query);
        }
        self.build(full.try_into().map_err(|error| format!("`{bare}` is not a path: {error}"))?)
    }

    fn build(&self, path: PathAndQuery) -> Result<Uri, String> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|error| format!("the URL cannot be read: {error}"))
    }
}

/// Whether a path segment is `.` or `..`, percent-encoded or not.
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: &str, path: &str) -> String {
        Address::parse(base).unwrap().at(path).unwrap().to_string()
    }

    #[test]
    fn a_path_goes_below_the_base() {
        let full = "https://api.openai.com/v1/chat/completions";
        assert_eq!(at("https://api.openai.com/v1", "/chat/completions"), full);
        assert_eq!(at("https://api.openai.com/v1/", "/chat/completions"), full);
        assert_eq!(at("http://localhost:8000", "/files/7?a=b"), "http://localhost:8000/files/7?a=b");
    }

    #[test]
    fn the_query_of_the_base_goes_on_every_request() {
        assert_eq!(at("https://h/x?v=1", "/messages"), "https://h/x/messages?v=1");
        assert_eq!(at("https://h/x?v=1", "/messages?beta=true"), "https://h/x/messages?v=1&beta=true");
    }

    #[test]
    fn no_path_leaves_the_base() {
        let address = Address::parse("https://h/v1").unwrap();
        for path in ["/../admin", "/a/..", "/%2e%2E/admin", "files", "@evil.example/x", "/a b"] {
            assert!(address.at(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_base_that_is_no_http_url_is_refused_without_repeating_its_password() {
        for url in ["", "api.openai.com", "ftp://h/", "https:///v1", "/v1"] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
        assert!(!Address::parse("https://u:canary@h/v1").unwrap_err().contains("canary"));
    }

    #[test]
    fn a_suffix_is_added_only_to_a_bare_host() {
        let bare = Address::parse("https://eu.openai.azure.com/").unwrap().below("/openai/v1").unwrap();
        assert_eq!(bare.at("/models").unwrap().path(), "/openai/v1/models");
        let full = Address::parse("https://gw.example/own/path").unwrap().below("/openai/v1").unwrap();
        assert_eq!(full.at("/models").unwrap().path(), "/own/path/models");
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for url in ["http://localhost:1", "http://127.0.0.9", "http://[::1]:80", "http://a.LOCALHOST"] {
            assert!(Address::parse(url).unwrap().is_loopback(), "{url}");
        }
        assert!(!Address::parse("http://10.0.0.1").unwrap().is_loopback());
    }

    #[test]
    fn a_written_out_port_is_the_usual_one_of_its_scheme() {
        let address = Address::parse("http://vllm.internal/v1").unwrap().with_port().unwrap();
        assert_eq!(address.at("/models").unwrap().to_string(), "http://vllm.internal:80/v1/models");
    }
}
