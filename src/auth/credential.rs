//! Where a credential stands in a request.
//!
//! The SDKs disagree: OpenAI's sends `Authorization: Bearer`, Anthropic's `x-api-key`, Azure's `api-key`,
//! Google's `x-goog-api-key` or `?key=`. Some send two at once (Claude Code may hold both a key and a token,
//! one of them a placeholder), so several are not an error: they are tried in the order above, and the first
//! that verifies decides.
//!
//! Only the first header of each name is looked at, so a request can ask for five checks at most.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a request shows of its sender.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    pub headers: &'a HeaderMap,
    /// The query, only where a key may stand in it: on Gemini's paths. Elsewhere `None`, because a key in a
    /// URL ends up in logs.
    pub query: Option<&'a str>,
    /// The client's certificate in DER, if the TLS layer has verified one.
    pub peer_certificate: Option<&'a [u8]>,
}

/// The credentials of a request, in the order in which they are tried.
pub(super) fn credentials<'a>(presented: &Presented<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let headers = presented.headers;
    let keys = KEY_HEADERS.into_iter().filter_map(|name| Some(text(headers.get(name)?)));
    let query = presented.query.and_then(key_of_query);
    bearer(headers).into_iter().chain(keys).chain(query).map(str::trim).filter(|credential| !credential.is_empty())
}

/// Three parts, of which the first is the base64 of `{"…`: a signed token, not a key.
pub(super) fn is_token(credential: &str) -> bool {
    credential.starts_with("ey") && credential.bytes().filter(|byte| *byte == b'.').count() == 2
}

const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// The text of a header that is there. One that is no text is a credential too, and a wrong one: were it
/// overlooked, its sender would pass for somebody who showed nothing.
fn text(value: &http::HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = text(headers.get(AUTHORIZATION)?).trim_start().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(credential)
}

/// Keys and tokens consist of characters that no client escapes in a URL, so none are unescaped.
fn key_of_query(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("key="))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn shown(headers: &[(&'static str, &str)], query: Option<&str>) -> Vec<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let presented = Presented { headers: &map, query, peer_certificate: None };
        credentials(&presented).map(str::to_owned).collect()
    }

    #[test]
    fn every_place_is_looked_at_in_a_fixed_order() {
        let headers = [("x-goog-api-key", "d"), ("api-key", "c"), ("x-api-key", "b"), ("authorization", "Bearer a")];
        assert_eq!(shown(&headers, Some("alt=sse&key=e")), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case_and_no_other() {
        assert_eq!(shown(&[("authorization", "bEARER  a ")], None), ["a"]);
        assert!(shown(&[("authorization", "Basic YTpi")], None).is_empty());
        assert!(shown(&[("authorization", "tg-abc")], None).is_empty());
    }

    #[test]
    fn an_empty_credential_is_none() {
        assert!(shown(&[("authorization", "Bearer "), ("x-api-key", "")], Some("key=")).is_empty());
    }

    #[test]
    fn a_header_that_is_no_text_still_counts_as_a_credential() {
        assert_eq!(shown(&[("x-api-key", "é")], None), ["?"]);
    }

    #[test]
    fn a_second_header_of_the_same_name_is_not_looked_at() {
        assert_eq!(shown(&[("x-api-key", "a"), ("x-api-key", "b")], None), ["a"]);
    }

    #[test]
    fn only_the_parameter_key_is_a_key() {
        assert!(shown(&[], Some("monkey=a&keys=b&key")).is_empty());
    }

    #[test]
    fn a_token_has_three_parts_and_begins_like_one() {
        assert!(is_token("eyJh.eyJh.sig") && is_token("eyJh.eyJh."));
        assert!(!is_token("eyJh.eyJh") && !is_token("tg-a.b.c") && !is_token("eyJh.a.b.c.d"));
    }
}
