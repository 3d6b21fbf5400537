//! Says things in other words: each word or phrase of a list is replaced in answers, in streams as well.
//!
//! Words are found whole and in any case, and the new ones begin with a capital where the old ones did. A stream is only
//! held while its last words may still become a phrase of the list.

use std::collections::BTreeMap;

use tidegate_plugin::Held;
use tidegate_plugin::prelude::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What is not said, and what is said instead; nothing, if that is empty.
    say: BTreeMap<String, String>,
}

/// A phrase in lower case, and what is said instead.
type Phrase = (String, String);

struct Tone {
    /// The longest first, so that of two that begin alike the longer is found.
    phrases: std::rc::Rc<[Phrase]>,
}

impl Plugin for Tone {
    type Config = Config;

    fn about() -> About {
        about!("says things in other words, also in streams").config::<Config>().needs("answer.text")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        if config.say.keys().any(|phrase| phrase.trim().is_empty()) {
            return Err(Failure::Config("`say` has an empty phrase".into()));
        }
        if let Some(phrase) = config.say.keys().find(|phrase| !phrase.is_ascii()) {
            // Letters that change their length with their case would move what is behind them.
            return Err(Failure::Config(format!("`{phrase}` is not ASCII, which this plugin cannot look for")));
        }
        let mut phrases: Vec<Phrase> = config.say.into_iter().map(|(old, new)| (old.to_lowercase(), new)).collect();
        phrases.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
        Ok(Self { phrases: phrases.into() })
    }
}

impl OnStream for Tone {
    type Session = Saying;

    fn open(&self, _cx: &Context, _request: &ChatRequest) -> Result<Saying, Failure> {
        Ok(Saying { phrases: std::rc::Rc::clone(&self.phrases), held: Held::default(), before: None })
    }
}

/// One answer.
struct Saying {
    phrases: std::rc::Rc<[Phrase]>,
    held: Held,
    /// The last character that has left: a word may not begin in the middle of another.
    before: Option<char>,
}

impl Session for Saying {
    fn push(&mut self, batch: Vec<Delta>) -> Result<StreamOutcome, Failure> {
        self.held.add(batch);
        if self.held.texts().any(|held| !held.ended && self.may_go_on(&held.text)) {
            return Ok(StreamOutcome::hold());
        }
        self.finish(None)
    }

    fn finish(&mut self, _usage: Option<Usage>) -> Result<StreamOutcome, Failure> {
        let (phrases, before) = (std::rc::Rc::clone(&self.phrases), self.before);
        let last = self.held.texts().last().and_then(|held| held.text.chars().next_back());
        self.before = last.or(before);
        self.held.rewrite(|text| {
            let said = in_other_words(&phrases, text, before);
            Ok((said != text).then_some(said))
        })
    }
}

impl Saying {
    /// Whether the end of the text is the beginning of a phrase, or one whose last word may go on.
    fn may_go_on(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let is_begun = |phrase: &str| (1..=phrase.len()).any(|length| text.ends_with(&phrase[..length]));
        self.phrases.iter().any(|(phrase, _)| is_begun(phrase))
    }
}

fn in_other_words(phrases: &[Phrase], text: &str, before: Option<char>) -> String {
    let lower = text.to_ascii_lowercase();
    let (mut said, mut at, mut previous) = (String::with_capacity(text.len()), 0, before);
    while let Some(next) = text[at..].chars().next() {
        let found = phrases.iter().find(|(phrase, _)| is_there(&lower, at, phrase, previous));
        let Some((phrase, new)) = found else {
            said.push(next);
            (previous, at) = (Some(next), at + next.len_utf8());
            continue;
        };
        match next.is_uppercase() {
            true => said.push_str(&capitalised(new)),
            false => said.push_str(new),
        }
        at += phrase.len();
        previous = phrase.chars().next_back();
    }
    said
}

/// Whether a phrase stands there as whole words. Where it begins or ends with something else, a word may follow at once.
fn is_there(lower: &str, at: usize, phrase: &str, previous: Option<char>) -> bool {
    let is_of_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    let is_cut = |inner: Option<char>, outer: Option<char>| is_of_word(inner) && is_of_word(outer);
    lower[at..].starts_with(phrase)
        && !is_cut(phrase.chars().next(), previous)
        && !is_cut(phrase.chars().next_back(), lower[at + phrase.len()..].chars().next())
}

fn capitalised(words: &str) -> String {
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

tidegate_plugin::export!(Tone: stream);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::json;
    use tidegate_plugin::testing::{Host, ask, deltas, streamed};

    use super::*;

    const SAID: &str =
        "Utilize it: in order to utilize tools, utilization and disutilize stay. In order to be kind, utilize";
    const MEANT: &str = "Use it: to use tools, utilization and disutilize stay. To be kind, use";

    fn session() -> Saying {
        let host = Host::new();
        let plugin: Tone = host.plugin(json!({ "say": { "utilize": "use", "in order to": "to" } })).unwrap();
        plugin.open(&host.context(), &ask("hello")).unwrap()
    }

    fn in_pieces_of(length: usize) -> String {
        let pieces: Vec<_> = SAID.as_bytes().chunks(length).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        let mut batches: Vec<_> = pieces.iter().map(|piece| deltas(&[piece])[..1].to_vec()).collect();
        batches.push(deltas(&[]));
        streamed(&mut session(), batches).unwrap().unwrap()
    }

    #[test]
    fn an_answer_is_the_same_however_it_is_cut() {
        for length in [1, 2, 3, 5, 7, 13, SAID.len()] {
            assert_eq!(in_pieces_of(length), MEANT, "in pieces of {length}");
        }
    }

    #[test]
    fn what_cannot_become_a_phrase_is_not_held() {
        let outcome = session().push(deltas(&["hello there"])[..1].to_vec()).unwrap();
        assert_eq!(outcome, StreamOutcome::pass());
    }

    #[test]
    fn a_phrase_that_cannot_be_looked_for_is_a_mistake() {
        assert!(Host::new().plugin::<Tone>(json!({ "say": { " ": "x" } })).is_err());
        assert!(Host::new().plugin::<Tone>(json!({ "say": { "süß": "x" } })).is_err());
    }
}
