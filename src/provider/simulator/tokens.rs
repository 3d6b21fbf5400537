//! Tokens as the simulator counts them: **a token is up to four characters of text.**
//!
//! Any text of `n` Unicode characters has `⌈n / 4⌉` tokens, and a stream sends one token per delta, so
//! what is counted can be seen. No real model counts so; what matters is that a test can.

/// What a message costs beside its texts.
pub(super) const PER_MESSAGE: u64 = 4;
/// What an image costs.
pub(super) const PER_IMAGE: u64 = 85;

const CHARACTERS: usize = 4;

pub(super) fn count(text: &str) -> u64 {
    text.chars().count().div_ceil(CHARACTERS) as u64
}

/// The tokens of a text, in order.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, tail) = rest.split_at(end(rest, CHARACTERS));
        rest = tail;
        (!token.is_empty()).then_some(token)
    })
}

/// The first `tokens` tokens of a text.
pub(super) fn first(text: &str, tokens: u64) -> &str {
    let characters = usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(CHARACTERS);
    text.split_at(end(text, characters)).0
}

/// Where the first `characters` characters of a text end.
pub(super) fn end(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_four_characters() {
        assert_eq!([count(""), count("a"), count("abcd"), count("äöüßé")], [0, 1, 1, 2]);
        assert_eq!(split("äöüßé").collect::<Vec<_>>(), ["äöüß", "é"]);
        assert_eq!(first("äöüßé", 1), "äöüß");
        assert_eq!(first("ab", 9), "ab");
    }
}
