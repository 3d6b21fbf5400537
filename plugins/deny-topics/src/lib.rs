//! Refuses requests that speak of what nobody may ask about.
//!
//! A topic is a list of words; upper and lower case are one, and a word is found only as a whole. What a model is asked
//! with other words is not found: this is a list, and understands nothing.

use std::collections::BTreeMap;

use tidegate_plugin::prelude::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Each topic, and the words and phrases that give it away.
    topics: BTreeMap<String, Vec<String>>,
    /// What the caller is told.
    #[serde(default = "message")]
    message: String,
    /// Look at the last message of the user only, and not at instructions and history.
    #[serde(default)]
    only_last: bool,
}

fn message() -> String {
    "this is not talked about here".into()
}

struct DenyTopics {
    topics: Vec<(String, Vec<String>)>,
    message: String,
    only_last: bool,
}

impl Plugin for DenyTopics {
    type Config = Config;

    fn about() -> About {
        about!("refuses requests that speak of what nobody may ask about").config::<Config>().needs("request.text")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        if let Some((topic, _)) =
            config.topics.iter().find(|(_, words)| words.iter().any(|word| word.trim().is_empty()))
        {
            return Err(Failure::Config(format!("topic `{topic}` has an empty word")));
        }
        let lowered = |words: Vec<String>| words.iter().map(|word| word.to_lowercase()).collect();
        let topics = config.topics.into_iter().map(|(topic, words)| (topic, lowered(words))).collect();
        Ok(Self { topics, message: config.message, only_last: config.only_last })
    }
}

impl OnRequest for DenyTopics {
    fn on_request(&self, _cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
        let found = match self.only_last {
            true => request.last_user().find_map(|text| self.topic_of(&text)),
            false => request.texts().find_map(|text| self.topic_of(&text)),
        };
        let Some(topic) = found else { return Ok(Outcome::pass()) };
        let denied = Outcome::deny(403, "topic_denied", self.message.clone());
        Ok(denied.finding(Finding::new(format!("topic.{topic}"), Severity::Medium)))
    }
}

impl DenyTopics {
    fn topic_of(&self, text: &str) -> Option<&str> {
        let text = text.to_lowercase();
        let is_spoken_of = |words: &[String]| words.iter().any(|word| has_word(&text, word));
        self.topics.iter().find(|(_, words)| is_spoken_of(words)).map(|(topic, _)| topic.as_str())
    }
}

/// Whether `word` stands in `text` with no letter or digit right before or behind it.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !behind.is_some_and(char::is_alphanumeric)
    })
}

tidegate_plugin::export!(DenyTopics: request);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask};

    use super::*;

    fn outcome(text: &str) -> Outcome {
        let host = Host::new();
        let plugin: DenyTopics = host.plugin(json!({ "topics": { "arms": ["Thermite", "nerve agent"] } })).unwrap();
        plugin.on_request(&host.context(), &ask(text)).unwrap()
    }

    #[test]
    fn a_word_is_found_in_any_case_and_only_as_a_whole() {
        assert_eq!(outcome("how is THERMITE made?").denied_with(), Some("topic_denied"));
        assert_eq!(outcome("a nerve agent.").findings[0].kind, "topic.arms");
        assert_eq!(outcome("thermites and a nerve, an agent"), Outcome::pass());
    }

    #[test]
    fn an_empty_word_would_be_found_everywhere() {
        let refused = Host::new().plugin::<DenyTopics>(json!({ "topics": { "arms": [" "] } })).err();
        assert_eq!(refused, Some(Failure::Config("topic `arms` has an empty word".into())));
    }
}
