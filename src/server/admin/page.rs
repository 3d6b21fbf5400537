//! The page for looking: one document with everything in it, that asks the admin port and nobody else.
//!
//! It is read-only, and runs nothing but its own script: the policy that is sent with it names that by its hash. What
//! it shows it puts on the page as text.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response};
use sha2::{Digest as _, Sha256};

use crate::server::body::Outgoing;

/// Whether whoever asks can make use of a page.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim_start().starts_with("text/html"))
}

pub fn response() -> Response<Outgoing> {
    let Page { html, policy } = &*PAGE;
    let mut response = Response::new(Outgoing::full(html.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Page {
    html: Bytes,
    policy: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let html = FRAME.replacen("{style}", STYLE, 1).replacen("{script}", SCRIPT, 1);
    // The icon is an empty one in the page itself, so that browsers do not ask for another.
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    Page { html: html.into(), policy }
});

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

const FRAME: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
/// One script, in the order in which its parts build upon each other.
const SCRIPT: &str = concat!(
    include_str!("page/read.js"),
    include_str!("page/show.js"),
    include_str!("page/decision.js"),
    include_str!("page/main.js")
);
