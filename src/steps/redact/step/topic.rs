//! Lists of words that a policy has by a name: a topic, as far as plain matching goes.
//!
//! Every term is found as a whole word or phrase, whatever its case. What a text is about without one of them is not
//! seen, and neither is irony, quotation, or that a word has another meaning.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::own::Term;
use crate::steps::redact::{Action, words};

/// A list: its terms, or where they are and what becomes of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topic {
    pub words: Vec<Term>,
    /// A file with further terms: see [`words::lines`].
    pub file: Option<PathBuf>,
    /// What becomes of what is found, if that is not the step's action.
    pub action: Option<Action>,
}

/// Words and phrases, and what becomes of them where they are found.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Words and phrases, found as a whole and in any case.
    #[serde(default)]
    words: Vec<Term>,
    /// A file with further ones, one a line; lines that begin with `#` are not. Relative paths start from the folder
    /// of the policy's file.
    file: Option<PathBuf>,
    /// What becomes of a finding; the action of the step if not said.
    action: Option<Action>,
}

impl Topic {
    /// All terms.
    ///
    /// # Errors
    /// When there are none, or the file cannot be read.
    pub fn terms(&self, name: &str) -> Result<Vec<String>, String> {
        let mut terms: Vec<String> = self.words.iter().map(ToString::to_string).collect();
        if let Some(path) = &self.file {
            terms.extend(words::lines(&read(name, path)?).map(ToOwned::to_owned));
        }
        if terms.is_empty() {
            return Err(format!("the topic `{name}` has no words; give it `words`, or a `file` with one a line"));
        }
        Ok(terms)
    }

    /// Relative paths start from `folder`.
    pub fn place(&mut self, folder: &Path) {
        self.file = self.file.take().map(|file| folder.join(file));
    }
}

fn read(name: &str, path: &Path) -> Result<String, String> {
    let failed =
        |why: &dyn fmt::Display| format!("the words of `{name}` cannot be read from `{}`: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if length > MOST_BYTES {
        return Err(failed(&"it is larger than 16MiB"));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

const MOST_BYTES: u64 = 16 << 20;

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Topic;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of words, or a map with `words`, `file` and `action`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Topic, A::Error> {
                let words = Vec::deserialize(SeqAccessDeserializer::new(items))?;
                Ok(Topic { words, ..Topic::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Topic, A::Error> {
                let Settings { words, file, action } = Settings::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Topic { words, file, action })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Topic {
    fn schema_name() -> Cow<'static, str> {
        "Topic".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let settings = generator.subschema_for::<Settings>();
        json_schema!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, settings] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(yaml: serde_json::Value) -> Topic {
        serde_json::from_value(yaml).unwrap()
    }

    #[test]
    fn a_topic_is_a_list_or_has_a_file_and_an_action() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("arms.txt"), "# arms\nrifle\n\nhand grenade\n").unwrap();
        assert_eq!(topic(serde_json::json!(["gun"])).terms("arms").unwrap(), ["gun"]);
        let mut topic = topic(serde_json::json!({ "words": ["gun"], "file": "arms.txt", "action": "refuse" }));
        topic.place(folder.path());
        assert_eq!(
            (topic.terms("arms").unwrap(), topic.action),
            (vec!["gun".into(), "rifle".into(), "hand grenade".into()], Some(Action::Refuse))
        );
    }

    #[test]
    fn a_topic_without_words_does_not_load() {
        assert!(topic(serde_json::json!([])).terms("arms").unwrap_err().contains("`arms` has no words"));
        assert!(serde_json::from_value::<Topic>(serde_json::json!([" "])).is_err());
        assert!(
            topic(serde_json::json!({ "file": "/nowhere/at/all" }))
                .terms("arms")
                .unwrap_err()
                .contains("/nowhere/at/all")
        );
    }
}
