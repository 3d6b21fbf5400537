//! From the claims of a token or a certificate to a caller.
//!
//! A path is written with dots: `sub`, `groups.0`, `realm.roles`. A name that has dots itself, as in
//! `https://example.com/team`, is found too: of all names that fit, the longest wins.
//!
//! A claim that is missing leaves its field open, with one exception: where the models come from a claim, a
//! token without it may name none, because a missing list must not mean *all*.

use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::caller::Caller;
use super::models;

/// Where in the claims something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

impl FromStr for ClaimPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.split('.').any(str::is_empty) {
            return Err(format!("`{text}` is not a path of claims; write it like `sub` or `groups.0`"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl ClaimPath {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        member(claims, &self.0)
    }

    /// One text: a list stands for its first entry.
    fn text(&self, claims: &Map<String, Value>) -> Option<Arc<str>> {
        match self.find(claims)? {
            Value::Array(items) => printable(items.first()?),
            value => printable(value),
        }
    }

    /// Several texts: a list, or words in one text, as in OAuth's `scope`.
    fn texts(&self, claims: &Map<String, Value>) -> Vec<Arc<str>> {
        match self.find(claims) {
            Some(Value::Array(items)) => items.iter().filter_map(printable).collect(),
            Some(Value::String(words)) => words.split_whitespace().filter_map(|word| printable(&word.into())).collect(),
            _ => Vec::new(),
        }
    }
}

/// Which claims make which part of a caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimMap {
    pub team: Option<ClaimPath>,
    pub user: Option<ClaimPath>,
    pub tags: Option<ClaimPath>,
    pub models: Option<ClaimPath>,
}

impl ClaimMap {
    /// Whoever bears a token that says this.
    pub(super) fn caller(&self, claims: Map<String, Value>) -> Caller {
        let text = |path: &Option<ClaimPath>| path.as_ref().and_then(|path| path.text(&claims));
        let tags = self.tags.as_ref().map(|path| path.texts(&claims)).unwrap_or_default();
        // A pattern that cannot be read matches nothing; the others still count.
        let models = self.models.as_ref().map(|path| {
            let globs = path.texts(&claims).into_iter().filter_map(|pattern| models::glob(&pattern).ok());
            models::set(globs).unwrap_or_default()
        });
        Caller {
            key: None,
            team: text(&self.team),
            user: text(&self.user),
            session: None,
            tags: tags.into(),
            models,
            claims: Some(Arc::new(claims)),
        }
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &ClaimPath> {
        [&self.team, &self.user, &self.tags, &self.models].into_iter().flatten()
    }
}

fn member<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let dots = path.rmatch_indices('.');
    dots.filter_map(|(dot, _)| path.split_at_checked(dot))
        .find_map(|(name, rest)| within(claims.get(name)?, rest.get(1..)?))
}

fn within<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => member(members, path),
        Value::Array(items) => {
            let (index, rest) = path.split_once('.').map_or((path, None), |(index, rest)| (index, Some(rest)));
            let item = items.get(index.parse::<usize>().ok()?)?;
            rest.map_or(Some(item), |rest| within(item, rest))
        }
        _ => None,
    }
}

/// Claims become names in logs, spans and stores, so only printable ones count.
fn printable(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::String(text) if !text.is_empty() && !text.chars().any(char::is_control) => Some(Arc::from(&**text)),
        Value::Number(number) => Some(Arc::from(number.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn text(path: &str, value: Value) -> Option<String> {
        path.parse::<ClaimPath>().unwrap().text(&claims(value)).map(|text| text.to_string())
    }

    #[test]
    fn a_path_leads_through_objects_and_lists() {
        let token = json!({ "sub": "u1", "groups": ["support", "eng"], "realm": { "roles": [{ "name": "admin" }] }, "org": 42 });
        assert_eq!(text("sub", token.clone()).as_deref(), Some("u1"));
        assert_eq!(text("groups.1", token.clone()).as_deref(), Some("eng"));
        assert_eq!(text("groups", token.clone()).as_deref(), Some("support"));
        assert_eq!(text("realm.roles.0.name", token.clone()).as_deref(), Some("admin"));
        assert_eq!(text("org", token.clone()).as_deref(), Some("42"));
        assert_eq!(text("groups.7", token.clone()), None);
        assert_eq!(text("realm", token), None);
    }

    #[test]
    fn a_claim_whose_name_has_dots_is_found() {
        let token = json!({ "https://example.com/groups": ["support"], "a.b": { "c": "long" }, "a": { "b": { "c": "short" } } });
        assert_eq!(text("https://example.com/groups.0", token.clone()).as_deref(), Some("support"));
        assert_eq!(text("a.b.c", token).as_deref(), Some("long"));
    }

    #[test]
    fn words_of_one_text_are_several_tags() {
        let map = ClaimMap { tags: Some("scope".parse().unwrap()), ..ClaimMap::default() };
        let caller = map.caller(claims(json!({ "scope": "chat  embed" })));
        assert_eq!(caller.tags.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["chat", "embed"]);
    }

    #[test]
    fn a_token_without_the_claim_of_models_may_name_none() {
        let map = ClaimMap { models: Some("models".parse().unwrap()), ..ClaimMap::default() };
        assert!(!map.caller(claims(json!({}))).may_name("gpt-4.1"));
        let caller = map.caller(claims(json!({ "models": ["gpt-4*", "o[3"] })));
        assert!(caller.may_name("gpt-4.1") && !caller.may_name("o3"));
        assert!(ClaimMap::default().caller(claims(json!({}))).may_name("gpt-4.1"));
    }

    #[test]
    fn a_path_with_an_empty_part_is_refused() {
        assert!(["", ".", "a.", "a..b"].iter().all(|path| path.parse::<ClaimPath>().is_err()));
    }

    proptest! {
        #[test]
        fn no_path_panics(path in "[a-c0-2.é]{0,12}") {
            let token = json!({ "a": [{ "b": ["c"] }, [["a"]]], "b.c": { "0": { "a.": 1 } }, "é": { "é": 1 } });
            if let Ok(path) = path.parse::<ClaimPath>() {
                path.text(&claims(token));
            }
        }
    }
}
