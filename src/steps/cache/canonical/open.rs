//! What is said around a question: a greeting, thanks, "please", "could you".

use std::borrow::Cow;

use super::lists::{ACCOUNTS, CERTAIN, DEEDS, FULL, OPENINGS};
use super::words::{Words, is_in};

impl Words<'_> {
    /// Drops a greeting in front of a question. One that tells the time of the day stays.
    pub(super) fn greet(&mut self) {
        let greets = |word: &str| is_in(word.trim_end_matches([',', '!', '.']), &["hi", "hello", "hey"]);
        if !greets(self.at(0)) {
            return;
        }
        let ends = |word: &str| word.ends_with([',', '!', '.']);
        let there = is_in(self.at(1).trim_end_matches([',', '!', '.']), &["there"]) && !ends(self.at(0));
        let length = 1 + usize::from(there);
        let stops = ends(self.at(length - 1));
        let opens = match stops {
            true => self.is(length, OPENINGS) || self.is(length, FULL) || self.is(length, DEEDS),
            // "hi how do i": only words that begin nothing but a question.
            false => self.is(length, OPENINGS),
        };
        if opens && self.0.len() > length + 2 {
            self.0.drain(..length);
        }
    }

    /// Drops thanks, and a "please" behind a comma, at the end.
    pub(super) fn thank(&mut self) {
        for phrase in &THANKS {
            let Some(start) = self.0.len().checked_sub(phrase.len()).filter(|start| *start > 2) else { continue };
            let said = self.0.get(start..).unwrap_or_default().iter();
            let fits = said.zip(phrase.iter()).all(|(word, known)| bare(word).eq_ignore_ascii_case(known));
            let before = self.at(start - 1);
            let stops = before.ends_with(['.', '?', '!', ',']);
            // "No, thanks" is an answer.
            if fits && stops && !is_in(bare(before), &["no", "yes"]) {
                let asks = self.at(self.0.len() - 1).ends_with('?');
                self.0.truncate(start);
                self.close(asks);
                return;
            }
        }
    }

    /// The comma goes with what stood behind it; the mark of a question comes back.
    fn close(&mut self, asks: bool) {
        if let Some(last) = self.0.last_mut().filter(|last| last.ends_with(',')) {
            let kept = last.trim_end_matches(',').to_owned();
            *last = Cow::Owned(if asks { kept + "?" } else { kept });
        }
    }

    /// Drops "please" and "could you" in front of what is asked for. Without a "please" anywhere "could you" may be a
    /// question of its own: whether one is able to, or whether one may.
    pub(super) fn ask(&mut self, begs: bool) {
        let please = |words: &Self, at| usize::from(is_in(words.at(at).trim_end_matches(','), &["please"]));
        let first = please(self, 0);
        let could = self.is(first, &["can", "could"]) && self.is(first + 1, &["you"]);
        let taken = match could {
            true => first + 2 + please(self, first + 2),
            false => first,
        };
        let asks_for = match could {
            true => self.is(taken, DEEDS) && (begs || self.is_wanted(taken)),
            false => self.is(taken, DEEDS) || self.is(taken, OPENINGS),
        };
        if asks_for && self.0.len() > taken + 1 {
            self.0.drain(..taken);
            // What was put as a question is none without these words.
            if could && let Some(last) = self.0.last_mut().filter(|last| last.ends_with('?')) {
                *last = Cow::Owned(last.trim_end_matches('?').to_owned());
            }
        }
        if self.is(0, &["tell"]) && self.is(1, &["me"]) && self.is(2, &["how"]) && self.is(3, &["to"]) {
            self.0.drain(..2);
        }
    }

    /// Whether the deed at a place is wanted, by what comes next: "can you help me", "can you explain the rules", but not
    /// "can you tell lies".
    fn is_wanted(&self, deed: usize) -> bool {
        is_in(bare(self.at(deed + 1)), &["me", "us"]) || self.is(deed, ACCOUNTS) && self.is(deed + 1, CERTAIN)
    }
}

fn bare(word: &str) -> &str {
    word.trim_end_matches(['.', '?', '!', ','])
}

const THANKS: [&[&str]; 7] = [
    &["thank", "you", "very", "much"],
    &["thanks", "in", "advance"],
    &["thanks", "a", "lot"],
    &["many", "thanks"],
    &["thank", "you"],
    &["thanks"],
    &["please"],
];
