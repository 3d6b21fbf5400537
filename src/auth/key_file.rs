//! The key file, as it was written: names, hashes of keys, and what each key may do.
//!
//! ```yaml
//! version: 1
//! keys:
//!   support-bot:
//!     hash: "sha256:…"             # of the key; the key itself is nowhere
//!     team: support
//!     user: bot
//!     tags: [prod]
//!     models: ["gpt-4*"]           # left out: whatever the policies allow
//!     expires: 2027-01-01T00:00:00Z
//!     revoked: true                # refused from now on
//! ```
//!
//! The file is read strictly: what is not understood is a problem with its line, never skipped, because a
//! misspelt `expires` would be a key for ever.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::claims::ClaimMap;
use super::key::KeyHash;
use super::models;
use crate::base::ids::KeyName;

/// The keys of a file, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFile {
    pub keys: Vec<KeyEntry>,
}

/// One key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    pub name: KeyName,
    pub hash: KeyHash,
    pub team: Option<Arc<str>>,
    pub user: Option<Arc<str>>,
    pub tags: Arc<[Arc<str>]>,
    /// Patterns of model names; empty for all that the policies allow.
    pub models: Vec<String>,
    pub expires: Option<Timestamp>,
    pub revoked: bool,
    /// What a signed token says whose bearer the key stands for, and what is read of it; that makes the whole caller. No
    /// file says this: it is for rehearsals, which have no issuer.
    pub claims: Option<(ClaimMap, Map<String, Value>)>,
}

/// Something wrong in a key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem {
    /// Counted from 1.
    pub line: Option<u64>,
    pub message: String,
}

impl KeyFile {
    /// # Errors
    /// Everything that is wrong with the file, in the order of its lines.
    pub fn parse(text: &str) -> Result<Self, Vec<KeyProblem>> {
        let written: Written = match serde_saphyr::from_str(text) {
            Ok(written) => written,
            Err(error) => return Err(vec![KeyProblem::of_yaml(&error)]),
        };
        let mut problems = Problems::default();
        if written.version.value != 1 {
            problems.at(
                &written.version,
                format!("version {} of key files is not known; this is version 1", written.version.value),
            );
        }
        let mut bearers: HashMap<KeyHash, String> = HashMap::new();
        let mut keys = Vec::new();
        for (name, entry) in written.keys.unwrap_or_default() {
            let line = entry.hash.clone();
            let Some(entry) = entry.check(&name, &mut problems) else { continue };
            match bearers.get(&entry.hash) {
                Some(other) => problems
                    .at(&line, format!("`{name}` has the same hash as `{other}`: each name needs a key of its own")),
                None => {
                    bearers.insert(entry.hash, name);
                    keys.push(entry);
                }
            }
        }
        problems.none_or_all().map(|()| Self { keys })
    }
}

impl KeyProblem {
    fn of_yaml(error: &serde_saphyr::Error) -> Self {
        // The snippet of the YAML reader shows neighbouring lines; its first line is the sentence.
        let shown = error.without_snippet().to_string();
        let message = shown.lines().next().unwrap_or("this is not YAML").to_owned();
        Self { line: error.location().map(|at| at.line()).filter(|line| *line > 0), message }
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            // The YAML reader's own sentences already say where.
            Some(line) if !self.message.contains("line ") => write!(f, "line {line}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: Spanned<u32>,
    keys: Option<BTreeMap<String, WrittenKey>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    hash: Spanned<String>,
    team: Option<Spanned<String>>,
    user: Option<Spanned<String>>,
    #[serde(default)]
    tags: Vec<Spanned<String>>,
    models: Option<Spanned<Vec<Spanned<String>>>>,
    expires: Option<Spanned<String>>,
    #[serde(default)]
    revoked: bool,
}

impl WrittenKey {
    fn check(self, name: &str, problems: &mut Problems) -> Option<KeyEntry> {
        let before = problems.0.len();
        if name.is_empty() || name.chars().any(char::is_control) {
            problems.at(&self.hash, "a key needs a name of printable characters".into());
        }
        let hash = KeyHash::parse(&self.hash.value).map_err(|wrong| problems.at(&self.hash, wrong)).ok();
        let expires = self.expires.as_ref().and_then(|written| {
            let read = written.value.parse();
            read.map_err(|_| problems.at(written, not_a_time(&written.value))).ok()
        });
        // Everything is looked at before the entry is given up, so that every problem is reported.
        let team = self.team.and_then(|team| problems.filled(&team));
        let user = self.user.and_then(|user| problems.filled(&user));
        let tags = self.tags.iter().filter_map(|tag| problems.filled(tag)).collect();
        let models = self.models.map(|written| problems.models(&written)).unwrap_or_default();
        let name = KeyName::new(name);
        let entry =
            KeyEntry { name, hash: hash?, team, user, tags, models, expires, revoked: self.revoked, claims: None };
        (problems.0.len() == before).then_some(entry)
    }
}

#[derive(Default)]
struct Problems(Vec<KeyProblem>);

impl Problems {
    fn at<T>(&mut self, written: &Spanned<T>, message: String) {
        self.0.push(KeyProblem { line: Some(written.referenced.line()).filter(|line| *line > 0), message });
    }

    fn filled(&mut self, written: &Spanned<String>) -> Option<Arc<str>> {
        if written.value.is_empty() || written.value.chars().any(char::is_control) {
            self.at(written, "a team, a user and a tag need at least one character, all of them printable".into());
            return None;
        }
        Some(Arc::from(&*written.value))
    }

    fn models(&mut self, written: &Spanned<Vec<Spanned<String>>>) -> Vec<String> {
        if written.value.is_empty() {
            self.at(written, "an empty list of models would allow none; leave it out to allow all".into());
        }
        for pattern in &written.value {
            if let Err(wrong) = models::glob(&pattern.value) {
                self.at(pattern, wrong);
            }
        }
        written.value.iter().map(|pattern| pattern.value.clone()).collect()
    }

    fn none_or_all(mut self) -> Result<(), Vec<KeyProblem>> {
        self.0.sort_by_key(|problem| problem.line);
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

fn not_a_time(written: &str) -> String {
    format!("`{written}` is not a time; write it like `2027-01-01T00:00:00Z`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn problems(text: &str) -> Vec<String> {
        KeyFile::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    fn one(fields: &str) -> String {
        format!("version: 1\nkeys:\n  a:\n    hash: \"{HASH}\"\n{fields}")
    }

    #[test]
    fn every_field_of_a_key_is_read() {
        let text = one(
            "    team: support\n    user: u1\n    tags: [prod, eu]\n    models: [gpt-4*]\n    expires: 2027-01-01T00:00:00Z\n    revoked: true\n",
        );
        let file = KeyFile::parse(&text).unwrap();
        let key = &file.keys[0];
        assert_eq!((key.name.as_str(), key.team.as_deref(), key.user.as_deref()), ("a", Some("support"), Some("u1")));
        assert_eq!((key.tags.len(), key.models.len(), key.revoked), (2, 1, true));
        assert_eq!(key.expires.unwrap().to_string(), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn a_file_without_keys_is_a_file() {
        assert_eq!(KeyFile::parse("version: 1\nkeys: {}\n"), Ok(KeyFile::default()));
        assert_eq!(KeyFile::parse("version: 1\nkeys:\n"), Ok(KeyFile::default()));
        assert_eq!(KeyFile::parse("version: 1\n"), Ok(KeyFile::default()));
    }

    #[test]
    fn a_misspelt_field_is_an_error_with_its_line() {
        let problems = problems(&one("    expire: 2027-01-01T00:00:00Z\n"));
        assert!(problems[0].contains("expire") && problems[0].contains("line 5"), "{problems:?}");
    }

    #[test]
    fn a_name_that_stands_twice_is_an_error() {
        let text = one(&format!("  a:\n    hash: \"{HASH}\"\n"));
        assert!(problems(&text)[0].contains("duplicate"), "{:?}", problems(&text));
    }

    #[test]
    fn two_names_with_one_key_are_an_error() {
        let text = one(&format!("  b:\n    hash: \"{HASH}\"\n"));
        assert_eq!(problems(&text), ["line 6: `b` has the same hash as `a`: each name needs a key of its own"]);
    }

    #[test]
    fn all_problems_are_reported_at_once_in_order() {
        let text = "version: 2\nkeys:\n  a:\n    hash: sha256:xyz\n    models: [\"gpt-[4\", ok]\n    expires: tomorrow\n  b:\n    hash: tg-canary\n    team: \"\"\n";
        let problems = problems(text);
        assert_eq!(problems.len(), 6, "{problems:?}");
        assert!(problems[0].starts_with("line 1: version 2"));
        assert!(problems[1].starts_with("line 4: a SHA-256 has 64"));
        assert!(problems[2].starts_with("line 5: `gpt-[4`"));
        assert!(problems[3].starts_with("line 6: `tomorrow` is not a time"));
        assert!(problems.iter().all(|problem| !problem.contains("canary")));
    }

    #[test]
    fn an_empty_list_of_models_is_not_taken_for_all_models() {
        assert!(problems(&one("    models: []\n"))[0].contains("would allow none"));
    }

    #[test]
    fn a_key_that_was_pasted_in_a_wrong_place_is_not_repeated() {
        let pasted = [
            "version: tg-canary",
            "version: 1\nkeys: tg-canary",
            "version: 1\nkeys: [tg-canary]",
            "version: 1\nkeys: { a: tg-canary }",
            "version: 1\nkeys: { a: { hash: [tg-canary] } }",
            "version: 1\nkeys: { a: { hash: tg-canary } }",
            "version: 1\nkeys: { a: { hash: x, tags: tg-canary } }",
            "version: 1\nkeys: { a: { hash: x, revoked: tg-canary } }",
            "tg-canary",
            "version: 1\nkeys: { a: \"tg-canary }",
        ];
        for text in pasted {
            assert!(problems(text).iter().all(|problem| !problem.contains("canary")), "{:?}", problems(text));
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        for text in [
            "",
            "keys: {}",
            "version: 1\nkey: {}",
            "[]",
            "version: 1\nkeys: [a]",
            "\t",
            "version: 1\nkeys: {a: {team: x}}",
        ] {
            assert!(KeyFile::parse(text).is_err(), "{text}");
        }
    }
}
