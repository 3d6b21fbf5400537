//! What a caller says about itself: the user and the session it speaks for.
//!
//! Nobody verifies these. They only fill what a key, a token or a certificate has left open, and a policy
//! that trusts them trusts every holder of the team's key.

use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::caller::Caller;

/// Where a caller may state something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Header(HeaderName),
    /// A field of the JSON body, as a path: `metadata.user_id`.
    Body(String),
}

impl FromStr for Source {
    type Err = String;

    /// Reads `header x-user-id` or `body metadata.user_id`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["header", name] => {
                name.parse().map(Self::Header).map_err(|_| format!("`{name}` is not the name of a header"))
            }
            ["body", path] if path.split('.').all(|part| !part.is_empty()) => Ok(Self::Body((*path).to_owned())),
            ["body", path] => Err(format!("`{path}` is not a path; write it like `metadata.user_id`")),
            _ => Err(format!("`{text}` does not say where; write `header x-user-id` or `body metadata.user_id`")),
        }
    }
}

/// Where users and sessions are stated, best source first.
#[derive(Debug, Clone, Default)]
pub(super) struct Stated {
    pub(super) user: Vec<Source>,
    pub(super) session: Vec<Source>,
}

impl Stated {
    pub(super) fn fill(&self, caller: &mut Caller, headers: &HeaderMap, body: Body<'_>) {
        if caller.user.is_none() {
            caller.user = first(&self.user, headers, body);
        }
        if caller.session.is_none() {
            caller.session = first(&self.session, headers, body);
        }
    }

    pub(super) fn reads_body(&self) -> bool {
        self.user.iter().chain(&self.session).any(|source| matches!(source, Source::Body(_)))
    }
}

/// The body, as far as it is known.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    NotYetRead,
    /// Finds the text at a path.
    Read(&'a dyn Fn(&str) -> Option<String>),
}

fn first(sources: &[Source], headers: &HeaderMap, body: Body<'_>) -> Option<Arc<str>> {
    for source in sources {
        let stated = match (source, body) {
            (Source::Header(name), _) => headers.get(name).and_then(|value| accept(value.to_str().ok()?)),
            (Source::Body(path), Body::Read(find)) => find(path).and_then(|value| accept(&value)),
            // A better source than the headers after it, so the answer has to wait for it.
            (Source::Body(_), Body::NotYetRead) => return None,
        };
        if stated.is_some() {
            return stated;
        }
    }
    None
}

/// Stated names end up in logs, spans and the keys of stores: short and printable ones only.
fn accept(value: &str) -> Option<Arc<str>> {
    let value = value.trim();
    (!value.is_empty() && value.len() <= LONGEST && !value.chars().any(char::is_control)).then(|| Arc::from(value))
}

/// In bytes. Claude Code's `metadata.user_id` has about 150.
const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(sources: &[&str]) -> Stated {
        Stated { user: sources.iter().map(|text| text.parse().unwrap()).collect(), session: Vec::new() }
    }

    fn headers(user: &str) -> HeaderMap {
        HeaderMap::from_iter([("x-user-id".parse().unwrap(), user.parse().unwrap())])
    }

    #[test]
    fn a_source_is_read_as_it_is_written() {
        assert_eq!("header X-User-Id".parse(), Ok(Source::Header("x-user-id".parse().unwrap())));
        assert_eq!("body metadata.user_id".parse(), Ok(Source::Body("metadata.user_id".into())));
        for wrong in ["", "header", "x-user-id", "header a b", "header ü", "body a..b", "cookie x"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_body_that_comes_first_is_waited_for() {
        let stated = stated(&["body metadata.user_id", "header x-user-id"]);
        let mut caller = Caller::anonymous();
        stated.fill(&mut caller, &headers("from-header"), Body::NotYetRead);
        assert_eq!(caller.user, None);
        stated.fill(&mut caller, &headers("from-header"), Body::Read(&|_| Some("from-body".into())));
        assert_eq!(caller.user.as_deref(), Some("from-body"));
    }

    #[test]
    fn the_next_source_serves_when_the_first_is_silent() {
        let stated = stated(&["body metadata.user_id", "header x-user-id"]);
        let mut caller = Caller::anonymous();
        stated.fill(&mut caller, &headers("from-header"), Body::Read(&|_| None));
        assert_eq!(caller.user.as_deref(), Some("from-header"));
    }

    #[test]
    fn a_name_that_is_empty_endless_or_unprintable_is_not_taken() {
        for user in ["  ".to_owned(), "u".repeat(513), "a\u{7}b".into(), "a\nb".into()] {
            let mut caller = Caller::anonymous();
            stated(&["body user"]).fill(&mut caller, &HeaderMap::new(), Body::Read(&|_| Some(user.clone())));
            assert_eq!(caller.user, None, "{user:?}");
        }
    }
}
