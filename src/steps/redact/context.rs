//! What stands before a match, and whether it speaks for it.
//!
//! Context looks left only, a fixed number of bytes and words, so that it is known when a match is and holds
//! nothing back. Words count whole: `public` does not contain `lic`. Names are taken apart, so that
//! `"nhsNumber":` and `tax_id=` are context as much as prose is.

use smallvec::SmallVec;

/// How far context reaches back, in folded bytes.
pub const REACH: usize = 120;
/// How many words before a match may end a phrase of context.
const WORDS: usize = 5;
/// How many words are read: a phrase may begin further back than it ends.
const READ: usize = WORDS + 4;
/// The longest name before a `=` or `:`.
const NAME: usize = 64;

/// Words and phrases, in lower case.
#[derive(Debug, Clone, Default)]
pub struct Phrases(Vec<Vec<String>>);

impl Phrases {
    pub fn new<'a>(phrases: impl IntoIterator<Item = &'a str>) -> Self {
        Self(phrases.into_iter().map(|phrase| words_of(&phrase.to_lowercase(), usize::MAX).into_vec()).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them ends within `WORDS` words; `words` come nearest first.
    fn within(&self, words: &[String], most: usize) -> bool {
        self.0.iter().any(|phrase| (0..most.min(words.len())).any(|at| ends_with(words, at, phrase)))
    }
}

/// The words before a place, nearest first.
pub struct Before(SmallVec<[String; READ]>);

impl Before {
    pub fn read(past: &[u8]) -> Self {
        Self(words_of(&reach(past), READ))
    }

    pub fn has(&self, phrases: &Phrases) -> bool {
        phrases.within(&self.0, WORDS)
    }

    /// Whether the nearest words are one of them.
    pub fn has_next(&self, phrases: &Phrases) -> bool {
        phrases.within(&self.0, 2)
    }
}

/// The name that a value at this place is given to, as in `name = "`, `"name": "`, `Bearer `.
pub fn assigned(past: &[u8]) -> Option<Before> {
    // Most places are the beginnings of words in prose, and end here.
    let last = past.iter().rev().take(5).find(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\'))?;
    if !matches!(last, b':' | b'=' | b'>' | b'r' | b'R') || past.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let is_opening = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\');
    let opened = trim(past, 4, is_opening);
    let is_sign = |byte: &u8| matches!(byte, b':' | b'=' | b'>');
    let signed = trim(opened, 2, is_sign);
    if signed.len() == opened.len() {
        let spaced = opened.len() < past.len();
        let scheme = opened.rsplit(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
        let is_scheme = scheme.eq_ignore_ascii_case(b"bearer");
        return (spaced && is_scheme).then(|| Before(SmallVec::from_iter(["bearer".to_owned()])));
    }
    let is_closing = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']' | b')' | b'*');
    let closed = trim(signed, 4, is_closing);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    let name = closed.len() - closed.iter().rev().take(NAME).take_while(|byte| is_name(byte)).count();
    let name = closed.get(name..).unwrap_or_default();
    (!name.is_empty()).then(|| Before(words_of(&String::from_utf8_lossy(name), READ)))
}

/// The bytes without up to `most` at their end.
fn trim(bytes: &[u8], most: usize, is: impl Fn(&u8) -> bool) -> &[u8] {
    let trimmed = bytes.iter().rev().take(most).take_while(|byte| is(byte)).count();
    bytes.get(..bytes.len() - trimmed).unwrap_or_default()
}

/// The last bytes of a text that count, as text. A word that is cut by the border is left out.
fn reach(past: &[u8]) -> String {
    let from = past.len().saturating_sub(REACH);
    let window = past.get(from..).unwrap_or_default();
    let skipped = if from == 0 {
        0
    } else {
        window.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80).count()
    };
    String::from_utf8_lossy(window.get(skipped..).unwrap_or_default()).into_owned()
}

/// The last words of a text, the nearest first, in lower case.
fn words_of(text: &str, most: usize) -> SmallVec<[String; READ]> {
    let mut words = SmallVec::new();
    let mut word: Vec<char> = Vec::new();
    let mut take = |word: &mut Vec<char>| {
        if !word.is_empty() {
            words.push(word.drain(..).rev().flat_map(char::to_lowercase).collect::<String>());
        }
        words.len() < most
    };
    let mut later: Option<char> = None;
    for c in text.chars().rev() {
        if later.is_some_and(|later| is_border(c, later)) && !take(&mut word) {
            return words;
        }
        if c.is_alphanumeric() {
            word.push(c);
        }
        later = Some(c);
    }
    take(&mut word);
    words
}

/// Whether a word ends between two neighbours: `nhs|Number`, `tax|_id`, `P|45`.
fn is_border(left: char, right: char) -> bool {
    !left.is_alphanumeric()
        || !right.is_alphanumeric()
        || left.is_numeric() != right.is_numeric()
        || (left.is_lowercase() && right.is_uppercase())
}

/// Whether the words, read backwards from `at`, are those of a phrase. The last may be in the plural.
fn ends_with(words: &[String], at: usize, phrase: &[String]) -> bool {
    phrase.iter().enumerate().all(|(index, wanted)| {
        words.get(at + index).is_some_and(|word| {
            word == wanted
                || (index == 0 && word.strip_suffix('s').is_some_and(|one| one == wanted))
                || (!wanted.is_ascii() && word.contains(wanted.as_str()) && is_unspaced(wanted))
        })
    })
}

/// Whether a word is of a script that sets no spaces, or glues endings to words.
fn is_unspaced(word: &str) -> bool {
    word.chars().all(|c| u32::from(c) >= 0x1100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(past: &str, phrase: &str) -> bool {
        Before::read(past.as_bytes()).has(&Phrases::new([phrase]))
    }

    #[test]
    fn a_word_of_context_counts_whole() {
        assert!(has("my NHS number is ", "nhs"));
        assert!(!has("the public number is ", "lic"));
    }

    #[test]
    fn names_are_taken_apart() {
        assert!(has("{\"nhsNumber\": \"", "nhs number"));
        assert!(has("TAX_ID=", "tax id"));
    }

    #[test]
    fn a_phrase_must_end_within_five_words() {
        assert!(has("ssn one two three four ", "ssn"));
        assert!(!has("ssn one two three four five ", "ssn"));
    }

    #[test]
    fn a_value_knows_the_name_it_is_given_to() {
        let is_password =
            |past: &str| assigned(past.as_bytes()).is_some_and(|name| name.has(&Phrases::new(["password"])));
        assert!(is_password("password="));
        assert!(is_password("\"db_password\": \""));
        assert!(is_password("Password => '"));
        assert!(!is_password("the password "));
    }
}
