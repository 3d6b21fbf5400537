//! The mark at the end of a text, where it says nothing that the words do not say.

use std::borrow::Cow;

use super::lists::{AUXILIARIES, SUBJECTS};
use super::words::Words;

impl Words<'_> {
    /// Drops a full stop; and of a text whose words are a question's, the mark of one.
    pub(super) fn end(&mut self) {
        let asks = self.asks();
        // "a lease ?"
        if asks && self.0.len() > 3 && self.at(self.0.len() - 1).bytes().all(|byte| byte == b'?') {
            let is_word = self.at(self.0.len() - 2).bytes().all(|byte| byte.is_ascii_alphabetic());
            self.0.truncate(self.0.len() - usize::from(is_word));
            return;
        }
        let Some(last) = self.0.last_mut() else { return };
        let kept = match (asks, last.as_bytes()) {
            (true, [.., b'?']) => last.trim_end_matches('?'),
            (_, [.., before, b'.']) if before.is_ascii_alphanumeric() => last.trim_end_matches('.'),
            _ => return,
        };
        // Behind a sign it may belong to that.
        if kept.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            *last = Cow::Owned(kept.to_owned());
        }
    }

    /// Whether the words alone make it a question.
    fn asks(&self) -> bool {
        match self.at(0).to_ascii_lowercase().as_str() {
            "how" => {
                self.is(1, AUXILIARIES)
                    || self.is(1, &["to", "many", "much", "long", "old", "far", "often", "tall", "big"])
            }
            "what" | "which" | "who" | "where" | "why" | "when" => self.is(1, AUXILIARIES),
            "what's" | "who's" | "where's" | "how's" | "whats" => true,
            "do" => self.is(1, &["i", "you", "we", "they"]),
            // "Can the tomatoes" may be an order.
            "can" | "could" | "should" | "would" | "may" | "must" => {
                self.is(1, &["i", "you", "we", "they", "he", "she"])
            }
            "is" | "are" | "was" | "were" | "does" | "did" | "has" | "am" => self.is(1, SUBJECTS),
            _ => false,
        }
    }
}
