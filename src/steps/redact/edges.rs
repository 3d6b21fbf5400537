//! Whether the neighbours of a match let it be one.

use super::context::{UNSPACED, character_at, character_before};
use super::escape;
use super::kind::Edge;

/// The bytes behind a match that its neighbours may be judged by.
pub const LOOK_AHEAD: usize = 2;

/// Decimal digits, letters and the underscore.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether what stands before a match that begins with `first` lets it be one.
pub fn is_clear_before(edge: Edge, past: &[u8], first: u8) -> bool {
    let Some(last) = past.last().copied() else { return true };
    if edge == Edge::Free || escape::is_behind(past) {
        return true;
    }
    if edge == Edge::Phrase {
        // It takes more than a byte to know; see `joins_before`.
        return true;
    }
    let begins_with_word = is_word(first) || first == b'+';
    if begins_with_word && is_word(last) && !(edge == Edge::Address && last == b'_') {
        return false;
    }
    let second = past.len().checked_sub(2).and_then(|at| past.get(at)).copied();
    if let Edge::Apart(signs) = edge {
        return !(signs.as_bytes().contains(&last) && second.is_some_and(is_word));
    }
    if !matches!(edge, Edge::Number | Edge::Lone) {
        return true;
    }
    match last {
        b' ' => edge == Edge::Number || !second.is_some_and(|byte| byte.is_ascii_digit()),
        b'.' | b'-' | b'/' => !second.is_some_and(is_word),
        b':' | b'#' => !second.is_some_and(|byte| byte.is_ascii_digit()),
        b'\\' | b'%' | b'&' => false,
        _ => true,
    }
}

/// Whether what stands behind a match lets it be one; `None` if that has not come yet.
pub fn is_clear_behind(edge: Edge, text: &str, here: &[u8], ended: bool) -> Option<bool> {
    if matches!(edge, Edge::Free | Edge::Begin) {
        return Some(true);
    }
    if edge == Edge::Phrase {
        if !text.chars().next_back().is_some_and(is_spelt) {
            return Some(true);
        }
        return match character_at(here, text.len()) {
            Some((next, _)) => Some(!is_spelt(next)),
            None => ended.then_some(true),
        };
    }
    let ends_with_word = text.bytes().next_back().is_some_and(is_word);
    let Some(next) = here.get(text.len()).copied() else {
        return (ended || (edge == Edge::Word && !ends_with_word)).then_some(true);
    };
    if ends_with_word && is_word(next) && !(edge == Edge::Address && next == b'_') {
        return Some(false);
    }
    let joins = match edge {
        Edge::Number => matches!(next, b'.' | b'-' | b'/' | b':' | b'#' | b'@'),
        Edge::Lone => matches!(next, b'.' | b'-' | b'/' | b':' | b'#' | b'@' | b' '),
        Edge::Apart(signs) => signs.as_bytes().contains(&next),
        Edge::Address => matches!(next, b':'),
        Edge::Word | Edge::Begin | Edge::Phrase | Edge::Free => false,
    };
    if !joins {
        return Some(true);
    }
    match here.get(text.len() + 1).copied() {
        Some(second) if next == b' ' => Some(!second.is_ascii_digit()),
        Some(second) => Some(!is_word(second)),
        None => ended.then_some(true),
    }
}

/// Whether what stands before a phrase goes on in it.
pub fn joins_before(past: &[u8], here: &[u8]) -> bool {
    let is_letter = |character: Option<(char, usize)>| character.is_some_and(|(c, _)| is_spelt(c));
    is_letter(character_at(here, 0)) && is_letter(character_before(past, past.len())) && !escape::is_behind(past)
}

/// Whether a character is one that words are spelt with, in scripts that set spaces between them.
fn is_spelt(c: char) -> bool {
    c == '_' || (c.is_alphanumeric() && u32::from(c) < UNSPACED)
}
