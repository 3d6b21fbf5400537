//! A text as its words, and how they come to their form.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::Never;
use super::lists::{FOLDED, FULL, OTHERS, POLITE, SHORT, SPEAKING, STATES, SUBJECTS};

/// The words of a text, each with the signs that touch it.
pub struct Words<'a>(pub(super) SmallVec<[Cow<'a, str>; 32]>);

impl<'a> Words<'a> {
    /// # Errors
    /// When there is none, or one that speaks of words.
    pub fn of(text: &'a str) -> Result<Self, Never> {
        let words: SmallVec<[Cow<'a, str>; 32]> = text.split_whitespace().map(Cow::Borrowed).collect();
        if words.is_empty() {
            return Err(Never::Empty);
        }
        if words.iter().any(|word| is_bare_in(word, SPEAKING)) {
            return Err(Never::Words);
        }
        Ok(Self(words))
    }

    /// Overlooks what may be overlooked in English.
    ///
    /// # Errors
    /// When a word of politeness stands where it may be what is asked about.
    pub fn settle(&mut self) -> Result<(), Never> {
        let begs = self.has(&["please"]);
        self.greet();
        self.thank();
        self.ask(begs);
        if self.0.iter().any(|word| is_bare_in(word, POLITE)) {
            return Err(Never::Words);
        }
        self.end();
        self.fold();
        self.write_out();
        self.pronounce();
        self.frame();
        Ok(())
    }

    pub fn joined(self) -> String {
        self.0.join(" ")
    }

    /// The word at a place as it is written, or nothing.
    pub(super) fn at(&self, at: usize) -> &str {
        self.0.get(at).map_or("", AsRef::as_ref)
    }

    pub(super) fn is(&self, at: usize, list: &[&str]) -> bool {
        is_in(self.at(at), list)
    }

    /// A capital at the beginning says only that it is the beginning, where the word is no name.
    fn fold(&mut self) {
        let folds = self.is(0, FULL) && self.is(1, SUBJECTS) || self.is(0, FOLDED);
        let mut letters = self.at(0).chars();
        let is_titled = letters.next().is_some_and(char::is_uppercase) && !letters.any(char::is_uppercase);
        if let Some(first) = self.0.first_mut().filter(|_| folds && is_titled) {
            first.to_mut().make_ascii_lowercase();
        }
    }

    /// Contractions, as they would be written in full.
    fn write_out(&mut self) {
        let mut at = 0;
        while at < self.0.len() {
            if let Some((one, other)) = written_out(self.at(at)) {
                let mut written: SmallVec<[Cow<'a, str>; 2]> = SmallVec::new();
                written.push(one);
                written.extend(other.map(Cow::Borrowed));
                self.0.remove(at);
                self.0.insert_many(at, written);
            }
            at += 1;
        }
    }

    /// `i` as `I`, where it is somebody and no number.
    fn pronounce(&mut self) {
        for at in 0..self.0.len() {
            let is_one = self.at(at) == "i"
                && match at.checked_sub(1) {
                    None => self.is(at + 1, &["am", "have", "want", "need", "would", "will", "do", "cannot", "forgot"]),
                    Some(before) => self.is(before, &["do", "did", "can", "should", "must"]),
                }
                && !matches!(self.at(at + 1), "" | "be" | "equal" | "mean");
            if let Some(word) = self.0.get_mut(at).filter(|_| is_one) {
                *word = Cow::Borrowed("I");
            }
        }
    }

    /// "How do I" and "how can I" as "how to", where they ask for a way to do something.
    fn frame(&mut self) {
        let asks = self.at(0) == "how" && matches!(self.at(1), "do" | "can") && self.at(2) == "I";
        if !asks || self.0.len() < 5 || self.is(3, STATES) {
            return;
        }
        // What comes over one is no deed, and `you` is another one behind `to`.
        let befalls = self.at(3) == "get" && !self.is(4, &["a", "an", "my", "the", "to", "from", "rid", "out"]);
        let is_of_two = self.has(&["you", "your", "yours", "yourself"]);
        let is_plain = self.at(3).bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_plain || befalls || is_of_two {
            return;
        }
        // What one does with another depends on who asks; and without an asker such deeds are titles of works.
        if self.has(OTHERS) {
            if let Some(can) = self.0.get_mut(1) {
                *can = Cow::Borrowed("do");
            }
            return;
        }
        self.0.drain(1..3);
        self.0.insert(1, Cow::Borrowed("to"));
    }

    fn has(&self, list: &[&str]) -> bool {
        self.0.iter().any(|word| is_bare_in(word, list))
    }
}

pub(super) fn is_in(word: &str, list: &[&str]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether the word without its signs and its `'s` is in a list.
fn is_bare_in(word: &str, list: &[&str]) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let bare = bare.strip_suffix("'s").or_else(|| bare.strip_suffix("\u{2019}s")).unwrap_or(bare);
    is_in(bare, list)
}

/// The two words of a contraction; of one that is written as one word, that word.
fn written_out(word: &str) -> Option<(Cow<'static, str>, Option<&'static str>)> {
    let (_, one, other) = SHORT.iter().find(|(short, ..)| *short == word)?;
    Some((Cow::Borrowed(*one), (!other.is_empty()).then_some(*other)))
}
