//! Questions whose answer is another one tomorrow.

use std::sync::LazyLock;

use aho_corasick::Span;
use aho_corasick::packed::{Config, MatchKind, Searcher};

use crate::chat::{Content, Request, Role};

/// Whether the user's last words are about the present, by whole words of a few languages.
pub fn is_of_now(request: &Request) -> bool {
    let last = request.messages.iter().rev().find(|message| message.role == Role::User);
    let parts = last.into_iter().flat_map(|message| &message.parts);
    parts
        .filter_map(|part| if let Content::Text(text) = &part.content { Some(text) } else { None })
        .any(|text| has_word_of_now(&text.as_str()))
}

/// Goes through a text a block at a time, in lower case: a question may be a whole document.
fn has_word_of_now(text: &str) -> bool {
    let Some(searcher) = &*SEARCHER else { return any_word(text) };
    let (bytes, mut block, mut from) = (text.as_bytes(), [0; BLOCK], 0);
    while let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
        let length = rest.len().min(BLOCK);
        let (Some(read), Some(lower)) = (rest.get(..length), block.get_mut(..length)) else { return false };
        lower.copy_from_slice(read);
        lower.make_ascii_lowercase();
        let mut at = 0;
        while let Some(found) = searcher.find_in(&*lower, Span { start: at, end: length }) {
            if is_whole(text, from + found.start(), from + found.end()) {
                return true;
            }
            at = found.start() + 1;
        }
        if length == rest.len() {
            return false;
        }
        // A word that the block has cut in two is whole in the next.
        from += length - LONGEST;
    }
    false
}

/// Whether what stands there is a word, rather than a part of one.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|before| before.chars().next_back());
    let behind = text.get(end..).and_then(|behind| behind.chars().next());
    // An apostrophe is none: "tomorrow's", "d'aujourd'hui".
    !before.into_iter().chain(behind).any(char::is_alphanumeric)
}

/// The same a word at a time, where processors know no better.
fn any_word(text: &str) -> bool {
    let stands_at = |start: usize, known: &str| {
        let end = start + known.len();
        text.get(start..end).is_some_and(|word| known.eq_ignore_ascii_case(word)) && is_whole(text, start, end)
    };
    let mut is_within = false;
    text.char_indices().any(|(start, c)| {
        let begins = !std::mem::replace(&mut is_within, c.is_alphanumeric());
        begins && WORDS.iter().any(|known| stands_at(start, known))
    })
}

/// Finds the words, whole or in others, of several at one place the longest.
static SEARCHER: LazyLock<Option<Searcher>> =
    LazyLock::new(|| Config::new().match_kind(MatchKind::LeftmostLongest).builder().extend(WORDS).build());

const BLOCK: usize = 2_048;
const LONGEST: usize = 13;
const WORDS: [&str; 32] = [
    "now",
    "today",
    "tonight",
    "yesterday",
    "tomorrow",
    "latest",
    "newest",
    "current",
    "currently",
    "recent",
    "recently",
    "nowadays",
    "jetzt",
    "heute",
    "gestern",
    "morgen",
    "aktuell",
    "aktuelle",
    "aktuellen",
    "neueste",
    "neuesten",
    "gerade",
    "maintenant",
    "aujourd'hui",
    "aujourd’hui",
    "demain",
    "actuel",
    "actuellement",
    "ahora",
    "hoy",
    "ayer",
    "actualmente",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::ids::DialectId;
    use crate::chat::{Message, Part};

    fn is_of_now(texts: &[(Role, &str)]) -> bool {
        let mut request = Request::new(DialectId::OPENAI_CHAT, "m");
        let turns = texts.iter().map(|(role, text)| Message::new(*role, vec![Part::text(*text)]));
        request.messages = turns.collect();
        super::is_of_now(&request)
    }

    #[test]
    fn words_of_now_are_whole_words_whatever_their_case() {
        assert!(is_of_now(&[(Role::User, "What is the LATEST version?")]));
        assert!(is_of_now(&[(Role::User, "Was steht heute an?")]));
        assert!(is_of_now(&[(Role::User, "what's on today")]));
        assert!(!is_of_now(&[(Role::User, "Do I know what a snowplough is?")]));
    }

    #[test]
    fn an_apostrophe_is_one_however_it_is_written() {
        for text in
            ["today's news", "Quelle heure est-il aujourd'hui ?", "les titres d'aujourd'hui", "tomorrow's weather"]
        {
            let typeset = text.replace('\'', "\u{2019}");
            for text in [text, &typeset, &text.to_uppercase(), &typeset.to_uppercase()] {
                assert!(has_word_of_now(text) && any_word(text), "{text}");
            }
        }
        assert!(!is_of_now(&[(Role::User, "Qu’est-ce qu’un aujourd’huisme ?")]));
    }

    proptest! {
        #[test]
        fn wherever_a_word_stands_and_whatever_stands_beside_it_both_ways_to_look_agree(
            filler in "[a-z'’ é]{0,3}", count in 0_usize..2_200, word in prop::sample::select(&WORDS[..]),
            edges in "[ .'’ßa-zA]{2}", is_upper in any::<bool>(),
        ) {
            let word = if is_upper { word.to_uppercase() } else { word.to_owned() };
            let (before, behind) = edges.split_at(edges.char_indices().nth(1).unwrap().0);
            let text = format!("{}{before}{word}{behind}{}", filler.repeat(count), filler.repeat(3));
            prop_assert_eq!(has_word_of_now(&text), any_word(&text), "{}", text);
            let alone = format!("{} {word}.", filler.repeat(count));
            prop_assert!(has_word_of_now(&alone), "{}", alone);
        }
    }

    #[test]
    fn all_words_are_as_short_as_they_are_taken_to_be_and_in_lower_case() {
        assert!(
            WORDS.iter().all(|word| word.len() <= LONGEST
                && word.chars().all(|c| c.is_ascii_lowercase() || ['\'', '’'].contains(&c)))
        );
    }

    #[test]
    fn only_what_the_user_said_last_counts() {
        assert!(!is_of_now(&[(Role::User, "and now?"), (Role::Assistant, "x"), (Role::User, "thanks")]));
        assert!(!is_of_now(&[(Role::System, "Today is Monday."), (Role::User, "hello")]));
    }
}
