//! What a caller wants of the cache for one request: `x-tidegate-cache`, or else `cache-control`, in its head.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Neither give a kept answer nor keep this one: `no-store`.
    NoStore,
    /// Give no kept answer, but keep this one: `refresh`, or `no-cache`.
    Refresh,
}

impl Word {
    /// The strictest of all that is said.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let said = [HEADER, CACHE_CONTROL].into_iter().flat_map(|name| headers.get_all(name));
        let words = said.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let mut found = None;
        for word in words {
            match word.trim() {
                word if word.eq_ignore_ascii_case("no-store") => return Some(Self::NoStore),
                word if word.eq_ignore_ascii_case("no-cache") || word.eq_ignore_ascii_case("refresh") => {
                    found = Some(Self::Refresh);
                }
                _ => {}
            }
        }
        found
    }
}

const HEADER: HeaderName = HeaderName::from_static("x-tidegate-cache");

#[cfg(test)]
mod tests {
    use super::*;

    fn word(headers: &[(&'static str, &'static str)]) -> Option<Word> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Word::of(&map)
    }

    #[test]
    fn both_headers_are_heard_and_the_strictest_word_counts() {
        assert_eq!(word(&[]), None);
        assert_eq!(word(&[("cache-control", "max-age=0, No-Cache")]), Some(Word::Refresh));
        assert_eq!(word(&[("x-tidegate-cache", "refresh"), ("cache-control", "no-store")]), Some(Word::NoStore));
        assert_eq!(word(&[("x-tidegate-cache", "no-store-at-all")]), None);
    }
}
