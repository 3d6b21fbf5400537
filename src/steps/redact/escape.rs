//! Escapes that stand in a text as they were written: `\n`, `\u003c`.
//!
//! The result of a tool is often JSON in a JSON string, so one level of escapes is left when the text is read. The
//! letter of an escape is no letter of the word behind it: in `\njo@example.com` the address begins at
//! the `j`, and what is put in its place leaves the escape whole.
//!
//! Only what stands to the left is looked at, but for the digits of a `\u`. Escapes inside of a value
//! (`jo\u0040example.com`) are not undone here.

/// The letters of short escapes of white space.
pub const fn is_letter(byte: u8) -> bool {
    matches!(byte, b'n' | b'r' | b't' | b'b' | b'f')
}

/// Whether a text ends with an escape.
pub fn is_behind(past: &[u8]) -> bool {
    match past {
        [.., b'\\', letter] if is_letter(*letter) => true,
        [.., b'\\', b'u', a, b, c, d] => [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

/// The bytes of an escape whose backslash came just before: the letter, or `u` and four digits.
pub fn length(here: &[u8]) -> usize {
    match here {
        [letter, ..] if is_letter(*letter) => 1,
        [b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => 5,
        _ => 0,
    }
}

/// Whether `here` may become the rest of an escape when more of it has come.
pub fn is_unfinished(past: &[u8], here: &[u8]) -> bool {
    past.last() == Some(&b'\\')
        && here.len() < 5
        && here.split_first().is_some_and(|(u, digits)| *u == b'u' && digits.iter().all(u8::is_ascii_hexdigit))
}
