//! Whether two questions are the same but for how they are written.
//!
//! [`canonical`] brings a text to the form that it shares with those that say the same: without a greeting or a
//! "please", the capital of its first word and the mark at its end, contractions written out, "how do I" and "how can I"
//! as "how to". There is no model and no likeness: two texts share a form, or they do not.
//!
//! The rule is that nothing is dropped that could tell two questions apart. A miss costs a call, a false hit is a wrong
//! answer, so each list here names what may be overlooked and where, and what is in no list stays as it is: names and
//! their capitals, numbers and units, negations, tenses, articles, whose something is, and the order of words. Texts that
//! speak of words or titles, quote, hold code or are set in lines have no form, for in them anything may matter.
//!
//! It knows English; of a text in another language only spaces are overlooked. It knows nothing of earlier turns, system
//! prompts and tools: who uses it compares those first.

mod ends;
mod lists;
mod open;
#[cfg(test)]
mod tests;
mod words;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use words::Words;

/// The longest text that has a form, in bytes.
pub const LONGEST: usize = 1_000;

/// Why a text has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Never {
    #[error("it says nothing")]
    Empty,
    #[error("it is longer than {LONGEST} bytes")]
    Long,
    /// Where a line ends may mean something.
    #[error("it is set in lines")]
    Lines,
    /// Code, or something quoted.
    #[error("it has a `{0}` in it")]
    Sign(char),
    /// It may ask for the very letters that would be overlooked.
    #[error("it speaks of words")]
    Words,
}

impl Never {
    /// A word for trails.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Long => "long",
            Self::Lines => "lines",
            Self::Sign(_) => "sign",
            Self::Words => "words",
        }
    }
}

/// The form that a text shares with all that say the same. Takes microseconds, linear in the text.
///
/// # Errors
/// Why it has none.
pub fn canonical(text: &str) -> Result<String, Never> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(Never::Long);
    }
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => return Err(Never::Lines),
            c if c.is_alphanumeric() || c.is_whitespace() || is_mark(c) || SIGNS.contains(&c) => {}
            c => return Err(Never::Sign(c)),
        }
    }
    // Not by compatibility: that would make 102 of 10².
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return form(text);
    }
    form(&text.nfc().collect::<String>())
}

fn form(text: &str) -> Result<String, Never> {
    let straight = text.contains(APOSTROPHE).then(|| text.replace(APOSTROPHE, "'"));
    let text = straight.as_deref().unwrap_or(text);
    let mut words = Words::of(text)?;
    if text.is_ascii() {
        words.settle()?;
    }
    Ok(words.joined())
}

/// An accent that is not part of its letter yet.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

const APOSTROPHE: char = '\u{2019}';
/// Signs of plain sentences. They stay, but for those at the end.
const SIGNS: [char; 17] = ['.', ',', '?', '!', '\'', APOSTROPHE, '-', '–', ';', '%', '$', '€', '£', '°', '&', '/', '+'];
