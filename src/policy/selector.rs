//! Which requests a policy is for.
//!
//! Of the values of one field any may match; of the fields all must. A field that is not there matches
//! every request.

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::codes;
use super::decode::{At, OneOrMany};
use super::document::SelectorDoc;
use super::problem::Problem;
use crate::base::ids::DialectId;
use crate::pipeline::facts::{Endpoint, Facts};

/// A policy's `for`, ready to be matched.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    team: Option<Vec<String>>,
    user: Option<Vec<String>>,
    key: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    models: Option<Vec<Pattern>>,
    endpoints: Option<Vec<Endpoint>>,
    dialects: Option<Vec<String>>,
}

/// The dialects a caller may speak.
pub(super) const DIALECTS: [DialectId; 2] = [DialectId::OPENAI_CHAT, DialectId::ANTHROPIC_MESSAGES];

/// A model's name, in which `*` stands for any characters.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    glob: Option<GlobMatcher>,
}

impl Selector {
    pub fn matches(&self, facts: &dyn Facts) -> bool {
        self.mismatch(facts).is_none()
    }

    /// The field that names others, if one does.
    pub fn mismatch(&self, facts: &dyn Facts) -> Option<&'static str> {
        let caller = facts.caller();
        let named = |wanted: &Option<Vec<String>>, found: Option<&str>| match (wanted, found) {
            (None, _) => true,
            (Some(wanted), Some(found)) => wanted.iter().any(|wanted| wanted == found),
            (Some(_), None) => false,
        };
        let is_one_of_the_models = || {
            let models = self.models.as_ref();
            models.is_none_or(|wanted| wanted.iter().any(|pattern| pattern.matches(facts.model())))
        };
        let has_one_of_the_tags = || {
            let tags = self.tags.as_ref();
            tags.is_none_or(|wanted| caller.tags.iter().any(|tag| wanted.iter().any(|w| **w == **tag)))
        };
        if !named(&self.team, caller.team.as_deref()) {
            return Some("team");
        }
        if !named(&self.user, caller.user.as_deref()) {
            return Some("user");
        }
        if !named(&self.key, caller.key.as_ref().map(|key| key.as_str())) {
            return Some("key");
        }
        if !named(&self.dialects, facts.dialect().map(|DialectId(name)| name)) {
            return Some("dialects");
        }
        if self.endpoints.as_ref().is_some_and(|wanted| !wanted.contains(&facts.endpoint())) {
            return Some("endpoints");
        }
        if !is_one_of_the_models() {
            return Some("models");
        }
        if !has_one_of_the_tags() {
            return Some("tags");
        }
        None
    }

    /// Whether every request that `other` matches is matched by this one too. May say no where the truth
    /// is yes, never the other way.
    pub(super) fn covers(&self, other: &Self) -> bool {
        fn within<T>(wide: &Option<Vec<T>>, narrow: &Option<Vec<T>>, covers: impl Fn(&T, &T) -> bool) -> bool {
            match (wide, narrow) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(wide), Some(narrow)) => narrow.iter().all(|n| wide.iter().any(|w| covers(w, n))),
            }
        }
        let same = |a: &String, b: &String| a == b;
        within(&self.team, &other.team, same)
            && within(&self.user, &other.user, same)
            && within(&self.key, &other.key, same)
            && within(&self.tags, &other.tags, same)
            && within(&self.dialects, &other.dialects, same)
            && within(&self.endpoints, &other.endpoints, |a, b| a == b)
            && within(&self.models, &other.models, Pattern::covers)
    }

    /// The endpoints it names; none if it leaves them open.
    pub fn named_endpoints(&self) -> &[Endpoint] {
        self.endpoints.as_deref().unwrap_or_default()
    }

    /// The teams that it names.
    pub fn teams(&self) -> impl Iterator<Item = &str> {
        self.team.iter().flatten().map(String::as_str)
    }

    /// The models it names, if it names all of them in full.
    pub fn exact_models(&self) -> Option<impl Iterator<Item = &str>> {
        let models = self.models.as_ref()?;
        let is_exact = models.iter().all(|pattern| pattern.glob.is_none());
        is_exact.then(|| models.iter().map(|pattern| pattern.text.as_str()))
    }

    /// A selector that no request matches.
    pub(super) fn nothing() -> Self {
        Self { models: Some(Vec::new()), ..Self::default() }
    }

    pub(super) fn read(document: &SelectorDoc, problems: &mut Vec<Problem>) -> Self {
        Self {
            team: words("team", &document.team, problems),
            user: words("user", &document.user, problems),
            key: words("key", &document.key, problems),
            tags: words("tags", &document.tags, problems),
            models: patterns(&document.models, problems),
            endpoints: document.endpoints.as_ref().map(|list| list.0.clone()).inspect(|list| {
                if list.is_empty() {
                    problems.extend(document.endpoints.as_ref().map(|list| empty("endpoints", list.span)));
                }
            }),
            dialects: words("dialects", &document.dialects, problems),
        }
    }
}

fn words(field: &str, list: &Option<At<OneOrMany<At<String>>>>, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let list = list.as_ref()?;
    if list.0.is_empty() {
        problems.push(empty(field, list.span));
    }
    Some(list.0.iter().map(|word| word.value.clone()).collect())
}

fn patterns(list: &Option<At<OneOrMany<At<String>>>>, problems: &mut Vec<Problem>) -> Option<Vec<Pattern>> {
    let list = list.as_ref()?;
    if list.0.is_empty() {
        problems.push(empty("models", list.span));
    }
    let read = |text: &At<String>| match Pattern::read(text) {
        Ok(pattern) => Some(pattern),
        Err(reason) => {
            let message = format!("`{}` is not a pattern: {reason}", text.value);
            problems.push(Problem::error(codes::WRONG_VALUE, message).at(text.span, ""));
            None
        }
    };
    Some(list.0.iter().filter_map(read).collect())
}

fn empty(field: &str, span: super::source::Span) -> Problem {
    Problem::error(codes::EMPTY, format!("`{field}` is empty, so nothing would match"))
        .at(span, "")
        .help(format!("leave `{field}` out to match any"))
}

impl Pattern {
    fn read(text: &str) -> Result<Self, String> {
        if !text.contains(SPECIAL) {
            return Ok(Self { text: text.to_owned(), glob: None });
        }
        let glob: Glob = GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| error.kind().to_string())?;
        Ok(Self { text: text.to_owned(), glob: Some(glob.compile_matcher()) })
    }

    fn matches(&self, model: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(model),
            None => self.text == model,
        }
    }

    fn covers(&self, other: &Self) -> bool {
        if self.text == other.text {
            return true;
        }
        if other.glob.is_none() {
            return self.matches(&other.text);
        }
        // `gpt-*` covers `gpt-4*`: whatever follows, the beginning is the same.
        let Some(beginning) = self.text.strip_suffix('*').filter(|rest| !rest.contains(SPECIAL)) else { return false };
        let certain = other.text.split(SPECIAL).next().unwrap_or("");
        certain.starts_with(beginning)
    }
}

const SPECIAL: &[char] = &['*', '?', '[', '{', '\\'];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Caller;
    use crate::policy::source::Span;

    struct Request {
        caller: Caller,
        model: &'static str,
    }

    impl Facts for Request {
        fn caller(&self) -> &Caller {
            &self.caller
        }
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
        fn endpoint(&self) -> Endpoint {
            Endpoint::Chat
        }
        fn dialect(&self) -> Option<DialectId> {
            Some(DialectId::OPENAI_CHAT)
        }
        fn model(&self) -> &str {
            self.model
        }
        fn is_stream(&self) -> bool {
            false
        }
        fn input_tokens(&self) -> u64 {
            0
        }
        fn max_tokens(&self) -> Option<u64> {
            None
        }
        fn has_tools(&self) -> bool {
            false
        }
        fn has_images(&self) -> bool {
            false
        }
        fn header(&self, _: &str) -> Option<&str> {
            None
        }
    }

    fn list(words: &[&str]) -> Option<At<OneOrMany<At<String>>>> {
        let at = |word: &&str| At::new(Span::default(), (*word).to_owned());
        Some(At::new(Span::default(), OneOrMany(words.iter().map(at).collect())))
    }

    fn selector(team: &[&str], models: &[&str]) -> Selector {
        let some = |words: &[&str]| if words.is_empty() { None } else { list(words) };
        let document = SelectorDoc { team: some(team), models: some(models), ..SelectorDoc::default() };
        Selector::read(&document, &mut Vec::new())
    }

    fn request(team: Option<&str>, model: &'static str) -> Request {
        Request { caller: Caller { team: team.map(Into::into), ..Caller::default() }, model }
    }

    #[test]
    fn a_selector_without_fields_matches_everything() {
        assert!(Selector::default().matches(&request(None, "anything")));
    }

    #[test]
    fn all_fields_must_match_and_any_of_their_values_may() {
        let selector = selector(&["a", "b"], &["gpt-4.1*", "chat-large"]);
        assert!(selector.matches(&request(Some("b"), "gpt-4.1-mini")));
        assert!(selector.matches(&request(Some("a"), "chat-large")));
        assert!(!selector.matches(&request(Some("c"), "chat-large")));
        assert!(!selector.matches(&request(None, "chat-large")));
        assert!(!selector.matches(&request(Some("a"), "chat-larger")));
    }

    #[test]
    fn a_star_stands_for_slashes_too() {
        assert!(selector(&[], &["org/*"]).matches(&request(None, "org/a/b")));
        assert!(selector(&[], &["*"]).matches(&request(None, "org/a")));
    }

    #[test]
    fn a_wider_selector_covers_a_narrower_one_and_not_the_other_way() {
        let wide = selector(&[], &["gpt-*", "o3"]);
        for narrow in [selector(&["a"], &["gpt-4*"]), selector(&[], &["gpt-4.1", "o3"]), selector(&["a"], &["gpt-*"])] {
            assert!(wide.covers(&narrow));
            assert!(!narrow.covers(&wide));
            assert!(Selector::default().covers(&narrow));
        }
        assert!(!wide.covers(&selector(&["a"], &[])));
        assert!(!wide.covers(&selector(&[], &["*-4"])));
        assert!(!wide.covers(&selector(&[], &["g*"])));
    }
}
