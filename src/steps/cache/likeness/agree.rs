//! Whether two answers say the same, as far as that can be told by their words.
//!
//! It errs on the side of mistrust: answers that say the same in other words are taken for different ones.

use std::collections::HashMap;

use crate::chat::{Completion, Content};

/// Whether they have the same numbers, and nearly all words in common.
pub fn agree(one: &Completion, other: &Completion) -> bool {
    let (one, other) = (words(one), words(other));
    let numbers = |words: &HashMap<String, u64>| {
        let mut numbers: Vec<_> = words
            .iter()
            .filter(|(word, _)| word.contains(|c: char| c.is_numeric()))
            .map(|(w, n)| (w.clone(), *n))
            .collect();
        numbers.sort_unstable();
        numbers
    };
    let count = |words: &HashMap<String, u64>| words.values().sum::<u64>();
    let common: u64 = one.iter().map(|(word, count)| (*count).min(other.get(word).copied().unwrap_or(0))).sum();
    let all = count(&one) + count(&other);
    all > 0 && numbers(&one) == numbers(&other) && (2 * common) as f64 >= ENOUGH * all as f64
}

fn words(completion: &Completion) -> HashMap<String, u64> {
    let parts = completion.choices.iter().flat_map(|choice| &choice.parts);
    let texts = parts.filter_map(|part| if let Content::Text(text) = &part.content { Some(text) } else { None });
    let mut words = HashMap::new();
    for text in texts {
        let text = text.as_str();
        let said = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        said.for_each(|word| *words.entry(word.to_lowercase()).or_default() += 1);
    }
    words
}

/// Of all words of both.
const ENOUGH: f64 = 0.8;

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
        assert!(agrees("Open the settings, choose security, and press Reset. A mail comes within 5 minutes!"));
        assert!(!agrees("Open the settings, choose Security and press Reset; a mail comes within 6 minutes."));
        assert!(!agrees("You cannot do that: ask whoever runs the place, within 5 minutes."));
        assert!(!agree(&says(""), &says("")));
    }
}
