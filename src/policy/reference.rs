//! References to what a file must not hold itself: `${env:NAME}`, `${env:NAME:-default}`, `${file:/path}`.
//!
//! References are read inside texts, after YAML; what they stand for is never YAML, and is only ever held
//! in a [`Secret`]. Checking a configuration needs no secret: a [`Template`] stays unresolved until asked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::base::secret::Secret;

/// A text that may hold references.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
    /// What relative paths start from: the folder of the file the text is in.
    folder: PathBuf,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Env { name: String, default: Option<String> },
    File(PathBuf),
}

impl Template {
    /// Reads a text with its references.
    ///
    /// # Errors
    /// What is wrong with a reference, for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            let (inside, after) = after.split_once('}').ok_or("a reference `${` without its `}`")?;
            parts.push(reference(inside)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts, folder: PathBuf::new() })
    }

    /// The same, with relative paths starting from `folder`.
    #[must_use]
    pub(super) fn within(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// Whether the file itself holds the whole text.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The text with what its references stand for.
    ///
    /// # Errors
    /// The reference that stands for nothing.
    pub fn resolve(&self, environment: &Environment) -> Result<Secret, Unresolved> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Env { name, default } => text.push_str(&environment.variable(name, default.as_deref())?),
                Part::File(path) => text.push_str(&environment.file(&self.folder.join(path))?),
            }
        }
        Ok(Secret::new(text))
    }

    /// Whether it is, on its face, a URL rather than a path.
    pub fn names_url(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Literal(text) if text.contains("://")))
    }

    /// The files that are read when it is resolved.
    pub fn files(&self, environment: &Environment) -> Vec<PathBuf> {
        let named = self.parts.iter().filter_map(|part| match part {
            Part::File(path) => Some(environment.locate(&self.folder.join(path))),
            Part::Literal(_) | Part::Env { .. } => None,
        });
        named.collect()
    }

    /// The path of a file that the configuration names: `keys.yaml`, or `${file:keys.yaml}`, which means the
    /// same where a file is wanted.
    ///
    /// # Errors
    /// The reference that stands for nothing.
    pub fn path(&self, environment: &Environment) -> Result<PathBuf, Unresolved> {
        if let [Part::File(path)] = self.parts.as_slice() {
            return Ok(environment.locate(&self.folder.join(path)));
        }
        let path = self.resolve(environment)?;
        Ok(environment.locate(&self.folder.join(path.expose())))
    }
}

/// Shows references, and no letter of the text between them: it may be a secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(")?;
        for part in &self.parts {
            match part {
                Part::Literal(_) => f.write_str("…")?,
                Part::Env { name, .. } => write!(f, "${{env:{name}}}")?,
                Part::File(path) => write!(f, "${{file:{}}}", path.display())?,
            }
        }
        f.write_str(")")
    }
}

fn reference(inside: &str) -> Result<Part, String> {
    let forms = "references are `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}`";
    let (scheme, rest) =
        inside.split_once(':').ok_or_else(|| format!("`${{{inside}}}` is not a reference; {forms}"))?;
    match scheme {
        "env" => {
            let (name, default) = match rest.split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (rest, None),
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(format!("`{name}` is not the name of an environment variable"));
            }
            Ok(Part::Env { name: name.to_owned(), default })
        }
        "file" if rest.is_empty() => Err("`${file:}` names no file".into()),
        "file" => Ok(Part::File(rest.into())),
        _ => Err(format!("`{scheme}` is not a kind of reference; {forms}")),
    }
}

/// Where references are looked up.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Option<BTreeMap<String, String>>,
    root: PathBuf,
    /// What a variable or a file stands for that is not there.
    otherwise: Option<&'static str>,
}

impl Environment {
    /// The environment of this process.
    pub fn process() -> Self {
        Self::default()
    }

    /// Variables of one's own; relative paths start from `root`.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>, root: impl Into<PathBuf>) -> Self {
        Self { variables: Some(variables.into_iter().collect()), root: root.into(), otherwise: None }
    }

    /// The same, in which nothing is missing: what is not there stands for `placeholder`. For tests of policies,
    /// which need no secrets.
    #[must_use]
    pub fn or(self, placeholder: &'static str) -> Self {
        Self { otherwise: Some(placeholder), ..self }
    }

    /// What a variable says, if it is there.
    pub fn says(&self, name: &str) -> Option<String> {
        self.variable(name, Some("")).ok().filter(|said| !said.is_empty())
    }

    fn variable(&self, name: &str, default: Option<&str>) -> Result<String, Unresolved> {
        let value = match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => match std::env::var(name) {
                Err(std::env::VarError::NotUnicode(_)) => return Err(Unresolved::NotText { name: name.to_owned() }),
                value => value.ok(),
            },
        };
        match (value, default) {
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, Some(default)) => Ok(default.to_owned()),
            (None, None) => {
                let unset = || Unresolved::Unset { name: name.to_owned() };
                self.otherwise.map(ToOwned::to_owned).ok_or_else(unset)
            }
        }
    }

    /// The file's text without the line break that editors put at its end.
    fn file(&self, path: &Path) -> Result<String, Unresolved> {
        let path = self.locate(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
            Err(error) => {
                let unreadable = || Unresolved::Unreadable { path, reason: error.to_string() };
                self.otherwise.map(ToOwned::to_owned).ok_or_else(unreadable)
            }
        }
    }

    fn locate(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

/// Values of variables are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variables.as_ref().map(|variables| variables.keys().collect::<Vec<_>>());
        f.debug_struct("Environment").field("variables", &names).field("root", &self.root).finish()
    }
}

/// Why a reference stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    #[error("the environment variable `{name}` is not set")]
    Unset { name: String },
    #[error("the environment variable `{name}` is not text")]
    NotText { name: String },
    #[error("the file `{}` cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Template;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Template, E> {
                Template::parse(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_newtype_struct(super::decode::TEMPLATE, Text)
    }
}

impl JsonSchema for Template {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a text; may hold ${env:NAME}, ${env:NAME:-default} and ${file:/path}"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::of([("A".to_owned(), "1".to_owned()), ("EMPTY".to_owned(), String::new())], "")
    }

    fn resolve(text: &str) -> Result<String, Unresolved> {
        Template::parse(text).unwrap().resolve(&environment()).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn references_are_replaced_inside_a_text() {
        assert_eq!(resolve("x-${env:A}-${env:B:-b}").as_deref(), Ok("x-1-b"));
        assert_eq!(resolve("${env:EMPTY:-full}").as_deref(), Ok("full"));
        assert_eq!(resolve("${env:B:-}").as_deref(), Ok(""));
        assert_eq!(resolve("${env:B}"), Err(Unresolved::Unset { name: "B".into() }));
    }

    #[test]
    fn a_file_is_read_from_the_folder_of_the_file_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "sk-1\n").unwrap();
        let template = Template::parse("${file:key}").unwrap().within(folder.path());
        assert_eq!(template.resolve(&environment()).unwrap().expose(), "sk-1");
        assert_eq!(template.path(&environment()).unwrap(), folder.path().join("key"));
        let literal = Template::parse("key").unwrap().within(folder.path());
        assert_eq!(literal.path(&environment()).unwrap(), folder.path().join("key"));
        assert!(matches!(resolve("${file:/nowhere/key}"), Err(Unresolved::Unreadable { .. })));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in ["${env:A", "${A}", "${vault:x}", "${env:}", "${env:1A}", "${file:}", "${env:A-B}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert!(Template::parse("$5 {x}").unwrap().is_literal());
    }

    #[test]
    fn debug_prints_show_names_and_no_values() {
        let template = Template::parse("Basic ${env:A:-canary}${file:k}").unwrap();
        assert_eq!(format!("{template:?}"), "Template(…${env:A}${file:k})");
        let environment = Environment::of([("K".to_owned(), "canary".to_owned())], "");
        assert!(!format!("{environment:?}").contains("canary"));
    }
}
