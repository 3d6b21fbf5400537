//! What stands before a match, and whether it speaks for it.
//!
//! Context looks left only, a fixed number of bytes and words, so that it is known when a match is and holds
//! nothing back. Words count whole: `public` does not contain `lic`. Names are taken apart, so that
//! `"nhsNumber":` and `tax_id=` are context as much as prose is.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::escape;

/// How far context reaches back, in folded bytes.
pub const REACH: usize = 120;
/// How many words before a match may end a phrase of context.
const WORDS: usize = 5;
/// How many words are read: a phrase may begin further back than it ends.
const READ: usize = WORDS + 4;
/// The longest name before a `=` or `:`.
const NAME: usize = 64;

/// A word of context by its number; 0 is none.
type Id = u16;

/// The words of all phrases, so that a text's words are looked up once, whatever is asked of them.
#[derive(Debug, Clone, Default)]
pub struct Lexicon {
    ids: HashMap<Box<[u8]>, Id>,
    /// Words of scripts that set no spaces; they are looked for inside of words.
    unspaced: Vec<(String, Id)>,
    /// By the mark of a word: whether a word has it. Most words of a text end here.
    marks: Vec<bool>,
}

/// Words and phrases, in lower case.
#[derive(Debug, Clone, Default)]
pub struct Phrases(Vec<SmallVec<[Id; 4]>>);

/// A word of a text, as far as it is a word of context.
#[derive(Debug, Clone, Default)]
struct Word {
    exact: Id,
    /// The word without the `s` of its plural.
    one: Id,
    glued: SmallVec<[Id; 2]>,
}

impl Lexicon {
    pub fn phrases<'a>(&mut self, phrases: impl IntoIterator<Item = &'a str>) -> Phrases {
        Phrases(phrases.into_iter().map(|phrase| self.phrase(phrase)).collect())
    }

    /// The words of a phrase, the last first.
    fn phrase(&mut self, phrase: &str) -> SmallVec<[Id; 4]> {
        let mut ids = SmallVec::new();
        each_word(phrase.as_bytes(), |word| {
            ids.push(self.add(&lower(word)));
            true
        });
        ids
    }

    fn add(&mut self, word: &[u8]) -> Id {
        if let Some(id) = self.ids.get(word) {
            return *id;
        }
        let id = Id::try_from(self.ids.len() + 1).unwrap_or_default();
        self.ids.insert(word.into(), id);
        self.marks.resize(MARKS, false);
        if let Some(slot) = self.marks.get_mut(mark(word)) {
            *slot = true;
        }
        let text = String::from_utf8_lossy(word);
        if text.chars().all(|c| u32::from(c) >= UNSPACED) {
            self.unspaced.push((text.into_owned(), id));
        }
        id
    }

    fn id(&self, word: &[u8]) -> Id {
        if !self.marks.get(mark(word)).copied().unwrap_or(false) {
            return 0;
        }
        self.ids.get(word).copied().unwrap_or_default()
    }

    fn word(&self, word: &[u8]) -> Word {
        let word = lower(word);
        let exact = self.id(&word);
        let one = word.strip_suffix(b"s").map_or(0, |one| self.id(one));
        let mut glued = SmallVec::new();
        if !word.is_ascii() && !self.unspaced.is_empty() {
            let text = String::from_utf8_lossy(&word);
            glued.extend(self.unspaced.iter().filter(|(wanted, _)| text.contains(wanted.as_str())).map(|(_, id)| *id));
        }
        Word { exact, one, glued }
    }
}

const MARKS: usize = 4096;

/// A number that most different words differ in.
fn mark(word: &[u8]) -> usize {
    let at = |place: usize| word.get(place).copied().map_or(0, usize::from);
    let last = word.last().copied().map_or(0, usize::from);
    (at(0) * 31 + at(2) * 7 + last * 131 + word.len() * 1021) % MARKS
}

/// The first letter of the scripts that set no spaces, or glue endings to words.
pub(super) const UNSPACED: u32 = 0x1100;

impl Phrases {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Word {
    fn is_known(&self) -> bool {
        self.exact != 0 || self.one != 0 || !self.glued.is_empty()
    }

    /// Whether this is the word of a phrase. The last word of a phrase may be in the plural.
    fn is(&self, wanted: Id, is_last: bool) -> bool {
        wanted != 0 && (self.exact == wanted || (is_last && self.one == wanted) || self.glued.contains(&wanted))
    }
}

/// The words before a place, nearest first.
#[derive(Debug, Clone, Default)]
pub struct Before(SmallVec<[Word; READ]>);

impl Before {
    pub fn read(lexicon: &Lexicon, past: &[u8]) -> Self {
        Self::of(lexicon, reach(past))
    }

    fn of(lexicon: &Lexicon, text: &[u8]) -> Self {
        let mut words: SmallVec<[Word; READ]> = SmallVec::new();
        each_word(text, |word| {
            words.push(lexicon.word(word));
            // Where none of the nearest is known, no phrase can end.
            words.len() < READ && (words.len() != WORDS || words.iter().any(Word::is_known))
        });
        Self(words)
    }

    pub fn has(&self, phrases: &Phrases) -> bool {
        self.within(phrases, WORDS)
    }

    /// Whether the nearest words are one of them.
    pub fn has_next(&self, phrases: &Phrases) -> bool {
        self.within(phrases, 2)
    }

    /// Whether one of the phrases ends within `most` words.
    fn within(&self, phrases: &Phrases, most: usize) -> bool {
        (0..most.min(self.0.len())).any(|at| {
            let words = self.0.get(at..).unwrap_or_default();
            let Some(last) = words.first().filter(|word| word.is_known()) else { return false };
            phrases.0.iter().any(|phrase| {
                phrase.first().is_some_and(|wanted| last.is(*wanted, true))
                    && phrase.len() <= words.len()
                    && phrase.iter().zip(words).skip(1).all(|(wanted, word)| word.is(*wanted, false))
            })
        })
    }
}

/// Whether a value at this place may be given to a name. Most places are the beginnings of words in prose, and end here.
#[inline(always)]
pub fn may_be_assigned(past: &[u8]) -> bool {
    match past {
        [.., b'a'..=b'q' | b's'..=b'z' | b',' | b'.', b' '] => false,
        _ => ends_with_sign(past),
    }
}

fn ends_with_sign(past: &[u8]) -> bool {
    let last = past.iter().rev().take(5).find(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\'));
    last.is_some_and(|last| matches!(last, b':' | b'=' | b'>' | b'r' | b'R'))
        && !past.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// The name that a value at this place is given to, as in `name = "`, `"name": "`, `Bearer `.
pub fn assigned(lexicon: &Lexicon, past: &[u8]) -> Option<Before> {
    if !may_be_assigned(past) {
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
        return (spaced && is_scheme).then(|| Before::of(lexicon, b"bearer"));
    }
    let is_closing = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']' | b')' | b'*');
    let closed = trim(signed, 4, is_closing);
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    let name = closed.len() - closed.iter().rev().take(NAME).take_while(|byte| is_name(byte)).count();
    let name = closed.get(name..).unwrap_or_default();
    (!name.is_empty()).then(|| Before::of(lexicon, name))
}

/// The bytes without up to `most` at their end.
fn trim(bytes: &[u8], most: usize, is: impl Fn(&u8) -> bool) -> &[u8] {
    let trimmed = bytes.iter().rev().take(most).take_while(|byte| is(byte)).count();
    bytes.get(..bytes.len() - trimmed).unwrap_or_default()
}

/// The last bytes of a text that count. A word that is cut by the border is left out.
fn reach(past: &[u8]) -> &[u8] {
    let from = past.len().saturating_sub(REACH);
    let window = past.get(from..).unwrap_or_default();
    if from == 0 {
        return window;
    }
    let mut skipped = window.iter().take_while(|byte| is_within_character(**byte)).count();
    while let Some((c, length)) = character_at(window, skipped) {
        if !c.is_alphanumeric() || u32::from(c) >= UNSPACED {
            break;
        }
        skipped += length;
    }
    window.get(skipped..).unwrap_or_default()
}

fn is_within_character(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The character that begins at a place, and its length.
pub(super) fn character_at(text: &[u8], at: usize) -> Option<(char, usize)> {
    let rest = text.get(at..)?;
    let first = *rest.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let length = 1 + rest.iter().skip(1).take(3).take_while(|byte| is_within_character(**byte)).count();
    let c = rest.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    Some((c.unwrap_or(char::REPLACEMENT_CHARACTER), length))
}

/// The character that ends at a place, and where it begins.
pub(super) fn character_before(text: &[u8], end: usize) -> Option<(char, usize)> {
    let mut from = end.checked_sub(1)?;
    while from > 0 && end - from < 4 && text.get(from).is_some_and(|byte| is_within_character(*byte)) {
        from -= 1;
    }
    match character_at(text, from) {
        Some((c, length)) if from + length == end => Some((c, from)),
        _ => Some((char::REPLACEMENT_CHARACTER, end - 1)),
    }
}

/// Reads the words of a text, the last first, until `take` has enough.
fn each_word<'a>(text: &'a [u8], mut take: impl FnMut(&'a [u8]) -> bool) {
    let mut later: Option<char> = None;
    let (mut at, mut end) = (text.len(), text.len());
    while let Some((read, from)) = character_before(text, at) {
        let is_escape = u8::try_from(read).is_ok_and(escape::is_letter)
            && from.checked_sub(1).and_then(|place| text.get(place)) == Some(&b'\\');
        let c = if is_escape { ' ' } else { read };
        let is_inside = later.is_some_and(char::is_alphanumeric);
        if later.is_none_or(|later| is_border(c, later)) {
            if is_inside && !take(text.get(at..end).unwrap_or_default()) {
                return;
            }
            end = at;
        }
        later = Some(c);
        at = from;
    }
    if later.is_some_and(char::is_alphanumeric) {
        take(text.get(at..end).unwrap_or_default());
    }
}

/// A word in lower case.
fn lower(word: &[u8]) -> SmallVec<[u8; 32]> {
    if word.is_ascii() {
        return word.iter().map(u8::to_ascii_lowercase).collect();
    }
    SmallVec::from_slice(String::from_utf8_lossy(word).to_lowercase().as_bytes())
}

/// Whether a word ends between two neighbours: `nhs|Number`, `tax|_id`, `P|45`.
fn is_border(left: char, right: char) -> bool {
    !left.is_alphanumeric()
        || !right.is_alphanumeric()
        || left.is_numeric() != right.is_numeric()
        || (left.is_lowercase() && right.is_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(past: &str, phrase: &str) -> bool {
        let mut lexicon = Lexicon::default();
        let phrases = lexicon.phrases([phrase]);
        Before::read(&lexicon, past.as_bytes()).has(&phrases)
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
    fn the_letter_of_an_escape_is_no_part_of_a_word() {
        assert!(has(r#"{"note": "ok\nssn "#, "ssn"));
        assert!(!has(r"the assn ", "ssn"));
    }

    #[test]
    fn words_of_scripts_without_spaces_are_found_inside_of_long_runs() {
        let past = format!("{}マイナンバーは ", "数".repeat(60));
        assert!(has(&past, "マイナンバー"));
        assert!(has("電話番号は", "電話"));
    }

    #[test]
    fn a_word_that_is_cut_by_the_reach_is_none() {
        let far = format!("{}ssn{}", "x".repeat(200), " ".repeat(REACH - 3));
        assert!(!has(&far, "ssn"));
        assert!(has(&far[1..far.len() - 1].replace("xssn", " ssn"), "ssn"));
    }

    #[test]
    fn a_phrase_must_end_within_five_words() {
        assert!(has("ssn one two three four ", "ssn"));
        assert!(!has("ssn one two three four five ", "ssn"));
    }

    #[test]
    fn a_value_knows_the_name_it_is_given_to() {
        let mut lexicon = Lexicon::default();
        let passwords = lexicon.phrases(["password"]);
        let is_password = |past: &str| assigned(&lexicon, past.as_bytes()).is_some_and(|name| name.has(&passwords));
        assert!(is_password("password="));
        assert!(is_password("\"db_password\": \""));
        assert!(is_password("Password => '"));
        assert!(!is_password("the password "));
    }
}
