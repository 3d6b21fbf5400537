//! Which of a caller's headers may travel to a provider.
//!
//! A caller's credential never does, in any spelling the gateway accepts it in. Nor does what belongs to
//! one connection (RFC 9110, section 7.6.1), what says where the caller sits, or what only the gateway can know.

use http::header::{CONNECTION, HeaderMap, HeaderName};
use smallvec::SmallVec;

/// Whether trace context goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    Propagate,
    Keep,
}

/// Takes out of `headers` all that must not reach a provider.
pub(super) fn clean(headers: &mut HeaderMap, trace: Trace) {
    let mut doomed: SmallVec<[HeaderName; 8]> = SmallVec::new();
    for name in headers.keys() {
        if stays_here(name.as_str()) || (trace == Trace::Keep && is_trace(name.as_str())) {
            doomed.push(name.clone());
        }
    }
    // A sender may declare further headers to be for this connection alone.
    for value in headers.get_all(CONNECTION) {
        let names = value.to_str().unwrap_or_default().split(',');
        doomed.extend(names.filter_map(|name| HeaderName::try_from(name.trim()).ok()));
    }
    for name in &doomed {
        headers.remove(name);
    }
}

/// Whether a header frames a message, so that not even a provider's own extra headers may set it.
pub(super) fn is_framing(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "content-length"
            | "transfer-encoding"
            | "connection"
            | "keep-alive"
            | "upgrade"
            | "te"
            | "trailer"
            | "expect"
    )
}

fn stays_here(name: &str) -> bool {
    match name {
        // credentials
        "authorization" | "x-api-key" | "api-key" | "x-goog-api-key" | "cookie" | "cookie2" => true,
        // whose account a credential draws on, which goes with the credential
        "openai-organization" | "openai-project" => true,
        // one connection's
        "host" | "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
        | "http2-settings" => true,
        // the gateway writes its own body, and must be able to read the answer
        "content-length" | "expect" | "accept-encoding" => true,
        // where the caller sits
        "forwarded" | "via" | "x-real-ip" | "true-client-ip" | "cf-connecting-ip" => true,
        _ => ["proxy-", "x-forwarded-", "x-tidegate-"].iter().any(|prefix| name.starts_with(prefix)),
    }
}

/// Whether a header says where a request stands in its caller's trace (W3C).
pub fn is_trace(name: &str) -> bool {
    matches!(name, "traceparent" | "tracestate" | "baggage")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(lines: &[(&str, &str)], trace: Trace) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        clean(&mut headers, trace);
        headers.keys().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn no_credential_of_the_caller_travels() {
        let credentials = ["Authorization", "X-Api-Key", "api-key", "x-goog-api-key", "Cookie", "Proxy-Authorization"];
        let lines: Vec<_> = credentials.iter().map(|name| (*name, "canary")).collect();
        assert!(cleaned(&lines, Trace::Propagate).is_empty());
    }

    #[test]
    fn the_caller_does_not_say_whose_account_is_drawn_on() {
        assert!(cleaned(&[("OpenAI-Organization", "org-1"), ("OpenAI-Project", "p")], Trace::Propagate).is_empty());
    }

    #[test]
    fn what_belongs_to_one_connection_does_not_travel() {
        let lines = [
            ("host", "gateway"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("proxy-connection", "keep-alive"),
            ("accept-encoding", "gzip"),
            ("x-forwarded-for", "10.0.0.1"),
        ];
        assert!(cleaned(&lines, Trace::Propagate).is_empty());
    }

    #[test]
    fn what_the_dialect_needs_travels() {
        let lines = [
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
            ("content-type", "application/json"),
            ("user-agent", "x"),
        ];
        assert_eq!(cleaned(&lines, Trace::Keep), ["anthropic-beta", "content-type", "user-agent"]);
    }

    #[test]
    fn trace_context_travels_only_when_the_provider_may_see_it() {
        let lines = [("traceparent", "00-1-2-01"), ("tracestate", "a=b"), ("baggage", "user=1")];
        assert!(cleaned(&lines, Trace::Keep).is_empty());
        assert_eq!(cleaned(&lines, Trace::Propagate).len(), 3);
    }
}
