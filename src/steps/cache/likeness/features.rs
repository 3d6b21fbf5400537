//! Whether two questions may ask the same, by their words: whatever one of them says and the other does not is a veto.
//!
//! Likeness by vectors cannot tell "cancel" from "don't cancel", Spain from France or before from after. So before it is
//! asked at all, both questions must have the same numbers, negations, names, times, amounts, directions and persons,
//! and all their words in the same order, but for those listed as [synonyms](super::words::SYNONYMS) and for
//! the few that say nothing by themselves. What neither knows is compared to the letter.
//!
//! It is made for the canonical form of a text, and knows English.

use super::difference::{Difference, Reading};
use super::loose::loosened;
use super::words::{AMOUNTS, ARTICLES, EMPTY, NEGATIONS, NUMBERS, OPENINGS, PERSONS, SYNONYMS, TIMES, WAYS};

/// What a question says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features {
    /// To the letter, but for what surely says the same.
    strict: Said,
    /// The same without what mostly says the same, too.
    loose: Reading,
    /// The opening that the loose one has lost; empty if none.
    opening: &'static str,
}

/// What is said, sorted by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    pub(super) numbers: Vec<String>,
    pub(super) negations: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) times: Vec<String>,
    pub(super) amounts: Vec<String>,
    pub(super) ways: Vec<String>,
    pub(super) persons: Vec<String>,
    pub(super) articles: Vec<String>,
    /// What is asked for: who, how, how many; whether, if it begins with a verb.
    pub(super) asks: Vec<String>,
    /// All words in their order, those that mean the same as one.
    pub(super) content: Vec<String>,
}

/// Why two questions are not taken for the same, however alike they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Veto {
    Numbers,
    Negation,
    Names,
    Times,
    Amounts,
    Ways,
    Persons,
    Asks,
    Words,
    Order,
}

impl Veto {
    /// A word for trails.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Negation => "negation",
            Self::Names => "names",
            Self::Times => "times",
            Self::Amounts => "amounts",
            Self::Ways => "ways",
            Self::Persons => "persons",
            Self::Asks => "asks",
            Self::Words => "words",
            Self::Order => "order",
        }
    }
}

impl Features {
    /// Of a text in its canonical form.
    pub fn of(form: &str) -> Self {
        let known =
            |(long, _): &&(&str, &str)| form.get(..long.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(long));
        let (skipped, opening) = OPENINGS.iter().find(known).map_or((0, ""), |(long, short)| (long.len(), *short));
        let strict = format!("{opening}{}", form.get(skipped..).unwrap_or_default());
        let (loose, opening) = loosened(&strict);
        Self { strict: Said::of(&strict), loose: Reading::of(&loose), opening }
    }

    /// Why `other` is another question; `None` if nothing speaks against it.
    pub fn veto(&self, other: &Self) -> Option<Veto> {
        self.strict.veto(&other.strict)
    }

    /// In what they differ, where that may be no more than other words for the same.
    ///
    /// # Errors
    /// Why `other` is another question, whatever an embedder makes of it.
    pub fn difference(&self, other: &Self) -> Result<Difference, Veto> {
        let mut difference = Difference::between(&self.loose, &other.loose)?;
        difference.opening = self.opening != other.opening;
        // Two doubts at once are too many.
        match difference.opening && difference.replaced + difference.added + difference.near > 0 {
            true => Err(Veto::Words),
            false => Ok(difference),
        }
    }

    /// Whether two texts in canonical form may be taken for the same question where an embedder finds them alike.
    pub fn may_be_the_same(one: &str, other: &str) -> bool {
        let (one, other) = (Self::of(one), Self::of(other));
        one.is_telling() && other.is_telling() && one.veto(&other).is_none()
    }

    /// Whether it says anything by which it could be told from another, and no more than can be held against it quickly.
    pub fn is_telling(&self) -> bool {
        (3..=MOST_CONTENT).contains(&self.strict.content.len())
    }
}

impl Said {
    pub(super) fn of(text: &str) -> Self {
        let mut said = Self::default();
        for (at, token) in text.split_whitespace().enumerate() {
            let word = token.trim_end_matches(is_mark);
            if !word.is_empty() {
                said.add(at, word);
            }
            // What the form has left of marks may mean something: "let's eat, grandma".
            if word.len() < token.len() {
                said.content.push(token.get(word.len()..).unwrap_or_default().to_owned());
            }
        }
        let kinds = [
            &mut said.numbers,
            &mut said.negations,
            &mut said.names,
            &mut said.times,
            &mut said.amounts,
            &mut said.ways,
            &mut said.persons,
            &mut said.articles,
        ];
        kinds.into_iter().for_each(|kind| kind.sort_unstable());
        said
    }

    fn add(&mut self, at: usize, word: &str) {
        let lower = word.to_lowercase();
        let is = |list: &[&str]| list.contains(&lower.as_str());
        if is(EMPTY) {
            return;
        }
        let number = NUMBERS.iter().find(|(known, _)| *known == lower).map(|(_, number)| (*number).to_owned());
        if let Some(number) = number.or_else(|| word.contains(|c: char| c.is_numeric()).then(|| lower.clone())) {
            self.content.push(number.clone());
            return self.numbers.push(number);
        }
        // The form has left capitals that may mean something, so letters count as they are.
        self.content.push(meaning(word));
        if is_name(at, word) {
            return self.names.push(word.to_owned());
        }
        if at == 0 && is(VERBS) {
            self.asks.push("whether".to_owned());
        }
        match () {
            () if is(ASKING) => self.asks.push(lower),
            () if is(NEGATIONS) => self.negations.push(lower),
            () if is(TIMES) => self.times.push(lower),
            () if is(AMOUNTS) => self.amounts.push(lower),
            () if is(WAYS) => self.ways.push(lower),
            () if is(PERSONS) => self.persons.push(lower),
            () if is(ARTICLES) => self.articles.push(lower),
            () => {}
        }
    }

    fn veto(&self, other: &Self) -> Option<Veto> {
        if let Some(veto) = self.differs(other) {
            return Some(veto);
        }
        if self.articles != other.articles {
            return Some(Veto::Persons);
        }
        if self.content == other.content {
            return None;
        }
        let sorted = |words: &[String]| {
            let mut words = words.to_vec();
            words.sort_unstable();
            words
        };
        Some(if sorted(&self.content) == sorted(&other.content) { Veto::Order } else { Veto::Words })
    }

    /// In which kind of words they differ, but for articles and those that are of no kind.
    pub(super) fn differs(&self, other: &Self) -> Option<Veto> {
        let kinds = [
            (&self.numbers, &other.numbers, Veto::Numbers),
            (&self.negations, &other.negations, Veto::Negation),
            (&self.names, &other.names, Veto::Names),
            (&self.times, &other.times, Veto::Times),
            (&self.amounts, &other.amounts, Veto::Amounts),
            (&self.ways, &other.ways, Veto::Ways),
            (&self.persons, &other.persons, Veto::Persons),
            (&self.asks, &other.asks, Veto::Asks),
        ];
        kinds.into_iter().find(|(one, other, _)| one != other).map(|(.., veto)| veto)
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | ',' | '!' | '?' | ';')
}

/// The word that stands for all that mean the same.
fn meaning(word: &str) -> String {
    let group = SYNONYMS.iter().find(|group| group.contains(&word));
    group.and_then(|group| group.first()).map_or(word, |first| *first).to_owned()
}

/// A capital within a sentence, or a sign within a word. At the beginning the canonical form has left capitals that may
/// mean something.
fn is_name(at: usize, word: &str) -> bool {
    let has_capital = word.chars().any(char::is_uppercase) && word != "I";
    has_capital && !(at == 0 && VERBS.contains(&word.to_lowercase().as_str()))
        || word.contains(['/', '&', '+', '_', '.', '$', '€', '£', '%', '°'])
}

/// Words of a question, but for those that only hold it together. Longer ones are hardly ever asked twice in other words.
const MOST_CONTENT: usize = 40;
/// What a question without a word of [`ASKING`] begins with.
const VERBS: &[&str] = &[
    "is", "are", "was", "were", "do", "does", "did", "can", "could", "should", "would", "will", "has", "have", "had",
    "am", "must", "may", "might", "shall",
];

const ASKING: &[&str] = &["how", "what", "where", "why", "which", "who", "whom", "whose"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::cache::canonical::canonical;

    fn veto(a: &str, b: &str) -> Option<Veto> {
        let of = |text: &str| Features::of(&canonical(text).unwrap());
        of(a).veto(&of(b))
    }

    #[test]
    fn what_one_says_and_the_other_does_not_is_a_veto() {
        for (a, b, expected) in [
            ("Is 5 km far?", "Is 6 km far?", Veto::Numbers),
            ("Can I pay?", "Can I not pay?", Veto::Negation),
            ("Is it hot in Spain?", "Is it hot in France?", Veto::Names),
            ("Eat before sport?", "Eat after sport?", Veto::Times),
            ("Are all cats grey?", "Are some cats grey?", Veto::Amounts),
            ("How do I turn it on?", "How do I turn it off?", Veto::Ways),
            ("How do I reset my password?", "How do I reset a password?", Veto::Persons),
            ("How to show a dog", "How to display a dog", Veto::Words),
            ("Can I swim?", "Can you swim?", Veto::Persons),
            ("Where is the key?", "What is the key?", Veto::Asks),
            ("Is tea hot?", "Is tea cold?", Veto::Words),
            ("Do dogs chase cats?", "Do cats chase dogs?", Veto::Order),
        ] {
            assert_eq!(veto(a, b), Some(expected), "{a} {b}");
            assert_eq!(veto(b, a), Some(expected), "{b} {a}");
        }
    }

    #[test]
    fn words_that_mean_the_same_and_words_that_say_nothing_are_none() {
        for (a, b) in [
            ("How do I select a bike?", "How can I choose a bicycle?"),
            ("Do kids need two hours of rest?", "Do children require 2 hours of rest?"),
            ("Is it possible to freeze cheese?", "Can I freeze cheese?"),
            ("What are the steps to fix a tap?", "How do I fix a tap?"),
            ("How do I delete my account?", "Please, how do I erase my account"),
        ] {
            assert_eq!(veto(a, b), None, "{a} {b}");
        }
    }
}
