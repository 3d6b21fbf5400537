//! Whether two answers say the same, as far as that can be told by their words.
//!
//! It errs on the side of mistrust: answers that say the same in other words are taken for different ones. And whatever one says
//! against the other counts, however many words they share: another number, unit or name, or these in another order; a
//! negation of something else; the opposite of a word.

use std::collections::HashMap;

use super::kin::are_opposite;
use super::words::NEGATIONS;
use crate::chat::{Completion, Content};

/// Whether they have nothing against each other, and nearly all words in common.
pub fn agree(one: &Completion, other: &Completion) -> bool {
    let (one, other) = (Said::by(one), Said::by(other));
    let count = |words: &Counts| words.values().sum::<u64>();
    let common: u64 =
        one.words.iter().map(|(word, count)| (*count).min(other.words.get(word).copied().unwrap_or(0))).sum();
    let all = count(&one.words) + count(&other.words);
    let are_alike = all > 0 && (2 * common) as f64 >= ENOUGH * all as f64;
    are_alike && one.named == other.named && one.denied == other.denied && !are_against(&one.words, &other.words)
}

type Counts = HashMap<String, u64>;

/// What an answer says.
#[derive(Default)]
struct Said {
    words: Counts,
    /// Numbers with their signs and the word behind them, and names, in their order.
    named: Vec<String>,
    /// Each negation, by the word behind it; sorted.
    denied: Vec<String>,
    before: Before,
}

/// What the word before has said of the next one.
#[derive(Default)]
struct Before {
    was_number: bool,
    was_negation: bool,
    /// It was within a sentence, so that a capital is not for being the first.
    was_within: bool,
}

impl Said {
    fn by(completion: &Completion) -> Self {
        let mut said = Self::default();
        for part in completion.choices.iter().flat_map(|choice| &choice.parts) {
            if let Content::Text(text) = &part.content {
                text.as_str().replace('\u{2019}', "'").split_whitespace().for_each(|token| said.add(token));
                said.end();
            }
        }
        said.denied.sort_unstable();
        said
    }

    fn add(&mut self, token: &str) {
        self.named.extend(token.chars().filter(|c| SIGNS.contains(c)).map(String::from));
        let words = token.split(|c: char| !c.is_alphanumeric() && c != '\'').map(|word| word.trim_matches('\''));
        words.filter(|word| !word.is_empty()).for_each(|word| self.word(word));
        if token.ends_with(ENDS) {
            self.end();
        }
    }

    fn word(&mut self, word: &str) {
        let before = std::mem::replace(&mut self.before, Before { was_within: true, ..Before::default() });
        let lower = word.to_lowercase();
        let (stem, denies) = match lower.strip_suffix("n't") {
            Some("ca") => ("can", true),
            Some("wo") => ("will", true),
            Some(stem) => (stem, true),
            None if lower == "cannot" => ("can", true),
            None => (lower.as_str(), NEGATIONS.contains(&lower.as_str())),
        };
        let is_number = word.contains(|c: char| c.is_numeric());
        let is_name = before.was_within && word != "I" && word.starts_with(char::is_uppercase);
        if is_number || is_name || before.was_number {
            self.named.push(lower.clone());
        }
        if before.was_negation {
            self.denied.push(stem.to_owned());
        }
        (self.before.was_number, self.before.was_negation) = (is_number, denies);
        if lower != "not" {
            *self.words.entry(stem.to_owned()).or_default() += 1;
        }
    }

    /// A sentence is over.
    fn end(&mut self) {
        let before = std::mem::take(&mut self.before);
        self.denied.extend(before.was_negation.then(String::new));
    }
}

/// Whether one has the opposite of a word that the other has not.
fn are_against(one: &Counts, other: &Counts) -> bool {
    let alone = |these: &Counts, those: &Counts| -> Vec<String> {
        let theirs = |word: &String| those.get(word).copied().unwrap_or(0);
        these.iter().filter(|(word, count)| **count > theirs(word)).map(|(word, _)| word.clone()).collect()
    };
    let (one, other) = (alone(one, other), alone(other, one));
    let are_listed = |one: &str, other: &str| AGAINST.contains(&[one, other]) || AGAINST.contains(&[other, one]);
    // To go through more of them would take too long.
    one.len().max(other.len()) > MOST_ALONE
        || one.iter().any(|word| other.iter().any(|other| are_listed(word, other) || are_opposite(word, other)))
}

/// Of all words of both.
const ENOUGH: f64 = 0.8;
/// Words of one that the other has not.
const MOST_ALONE: usize = 100;
const ENDS: [char; 5] = ['.', '!', '?', ':', ';'];
const SIGNS: [char; 6] = ['$', '€', '£', '%', '°', '#'];
/// What of an answer turns it into another one, beside what are opposites in questions, too.
const AGAINST: &[[&str; 2]] = &[
    ["yes", "no"],
    ["before", "after"],
    ["first", "last"],
    ["earlier", "later"],
    ["always", "never"],
    ["always", "sometimes"],
    ["all", "some"],
    ["all", "none"],
    ["more", "less"],
    ["more", "fewer"],
    ["most", "least"],
    ["maximum", "minimum"],
    ["up", "down"],
    ["on", "off"],
    ["in", "out"],
    ["left", "right"],
    ["above", "below"],
    ["over", "under"],
    ["with", "without"],
    ["to", "from"],
    ["right", "wrong"],
    ["required", "optional"],
    ["must", "may"],
    ["allowed", "forbidden"],
    ["allowed", "prohibited"],
    ["permitted", "forbidden"],
    ["free", "paid"],
    ["now", "later"],
    ["today", "tomorrow"],
    ["today", "yesterday"],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::DialectId;
    use crate::chat::{Choice, Part};

    fn says(text: &str) -> Completion {
        Completion {
            dialect: DialectId::OPENAI_CHAT,
            id: "x".into(),
            model: "m".into(),
            created: None,
            choices: vec![Choice { parts: vec![Part::text(text)], ..Choice::default() }],
            usage: None,
            extra: Default::default(),
        }
    }

    #[test]
    fn answers_of_nearly_the_same_words_agree_unless_a_number_differs() {
        let answer = "Open the settings, choose Security and press Reset; a mail comes within 5 minutes.";
        let agrees = |other: &str| agree(&says(answer), &says(other));
        assert!(agrees(answer));
        assert!(agrees("Open the settings, choose Security, and press Reset. A mail comes within 5 minutes!"));
        assert!(!agrees("Open the settings, choose Security and press Reset; a mail comes within 6 minutes."));
        assert!(!agrees("You cannot do that: ask whoever runs the place, within 5 minutes."));
        assert!(!agree(&says(""), &says("")));
    }

    #[test]
    fn what_is_said_against_the_other_counts_however_many_words_they_share() {
        let agrees = |one: &str, other: &str| {
            let there = agree(&says(one), &says(other));
            assert_eq!(agree(&says(other), &says(one)), there);
            there
        };
        let long = |what: &str| {
            format!(
                "You {what} change this setting at any time in the panel, under Security; it holds for all devices of the account and for all browsers in which you are signed in."
            )
        };
        assert!(agrees(&long("can"), &long("can")));
        assert!(agrees(&long("cannot"), &long("can't")) && agrees(&long("cannot"), &long("can not")));
        for (one, other) in [("can", "cannot"), ("can", "can't"), ("must", "may"), ("always", "never")] {
            assert!(!agrees(&long(one), &long(other)), "{one}, {other}");
        }
        let plain = "Yes. Refunds are paid within 5 days to the card in Germany after the parcel has come to us, and it does not cost you anything.";
        for (from, to) in [
            ("Yes.", "No."),
            ("5", "6"),
            ("days", "weeks"),
            ("Germany", "France"),
            ("after", "before"),
            ("does not cost you", "does cost you not"),
            ("paid", "unpaid"),
        ] {
            assert!(!agrees(plain, &plain.replace(from, to)), "{from} → {to}");
        }
        assert!(agrees(plain, &plain.replace("come to us", "reached us")));
        assert!(!agrees("Move it from Berlin to Paris, please.", "Move it from Paris to Berlin, please."));
        assert!(!agrees("That is 5 $ for each of them now.", "That is 5 € for each of them now."));
    }
}
