//! Bare numbers of JSON that stands inside of a text, such as a string that holds a document.
//!
//! What is put in place of one needs quotes, or the document could not be read any more; and the quotes need the
//! backslashes that those before it have. Only what stands to the left is looked at, so that it is the same for every
//! chunking: a name in quotes and a colon, or those and the beginning of a list of numbers.

/// How far back a list of numbers may begin.
const REACH: usize = 100;

/// What to put before and behind the replacement of `source`; `None` if it is no number, or no value of JSON. `past`
/// is the text before it.
pub fn quote<'a>(past: &'a [u8], source: &str) -> Option<&'a str> {
    let digits = source.strip_prefix('-').unwrap_or(source);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        return None;
    }
    let near = past.get(past.len().saturating_sub(REACH)..).unwrap_or_default();
    let is_of_list = |c: &u8| c.is_ascii_digit() || matches!(c, b'.' | b'-' | b',') || is_space(c);
    let before = match trim(near, is_of_list) {
        [before @ .., b'['] => before,
        _ => near,
    };
    let [name @ .., b':'] = trim(before, is_space) else { return None };
    let [name @ .., b'"'] = trim(name, is_space) else { return None };
    let slashes = name.len() - trim(name, |c| *c == b'\\').len();
    near.get(name.len() - slashes..=name.len()).and_then(|quote| std::str::from_utf8(quote).ok())
}

fn is_space(c: &u8) -> bool {
    matches!(c, b' ' | b'\n' | b'\r' | b'\t')
}

fn trim(text: &[u8], is: impl Fn(&u8) -> bool) -> &[u8] {
    let end = text.iter().rposition(|c| !is(c)).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behind_a_name_is_given_the_quotes_of_the_name() {
        assert_eq!(quote(br#"{"card": "#, "4111"), Some("\""));
        assert_eq!(quote(br#"{\"card\":"#, "4111"), Some("\\\""));
        assert_eq!(quote(br#"{"cards" : [4111, 42.5,"#, "4111"), Some("\""));
        assert_eq!(quote(br#"{"card": "#, "4111 1111"), None);
        assert_eq!(quote(b"card: ", "4111"), None);
        assert_eq!(quote(br#"he said "pay": "#, "x"), None);
        assert_eq!(quote(br#"{"card": ""#, "4111"), None);
    }
}
