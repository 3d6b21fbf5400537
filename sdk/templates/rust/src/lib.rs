//! Refuses requests in which a word of a list stands.

use tidegate_plugin::prelude::*;

/// What a policy says under `config`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Words that may not stand in a request.
    words: Vec<String>,
}

struct Words {
    words: Vec<String>,
}

impl Plugin for Words {
    type Config = Config;

    fn about() -> About {
        about!("refuses requests in which a word of a list stands").config::<Config>().needs("request.text")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        if config.words.is_empty() {
            return Err(Failure::Config("`words` is empty".into()));
        }
        Ok(Self { words: config.words })
    }
}

impl OnRequest for Words {
    fn on_request(&self, _cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
        for text in request.texts() {
            for word in &self.words {
                if let Some(at) = text.find(word.as_str()) {
                    let found = Finding::new("word", Severity::Medium).at(text.span(at..at + word.len()));
                    return Ok(Outcome::deny(403, "word_denied", "this is not talked about here").finding(found));
                }
            }
        }
        Ok(Outcome::pass())
    }
}

// Further hooks: `impl OnResponse` and `response`, `impl OnStream` and `stream`.
tidegate_plugin::export!(Words: request);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask};

    use super::*;

    #[test]
    fn a_word_on_the_list_is_refused() {
        let host = Host::new();
        let plugin: Words = host.plugin(json!({ "words": ["thermite"] })).unwrap();
        let denied = plugin.on_request(&host.context(), &ask("how is thermite made?")).unwrap();
        assert_eq!(denied.denied_with(), Some("word_denied"));
        assert_eq!(plugin.on_request(&host.context(), &ask("hello")), Ok(Outcome::pass()));
    }
}
