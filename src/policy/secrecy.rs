//! Which texts of a configuration are secrets, if they were written into it instead of being referred to.
//!
//! Such texts are masked wherever lines of a file are shown. A file that cannot be read as YAML has no fields
//! to know secrets by; there, [`guesses`] masks what looks like one, and rather too much than too little.

use std::ops::Range;

use super::source::Span;
use super::tree::{Node, Value};

/// Whether what stands at this path, outermost key first, should be a reference.
pub(super) fn is_secret(path: &[&str]) -> bool {
    matches!(
        path,
        ["providers", _, "key" | "keys" | "headers", ..]
            | ["screens", _, "key"]
            | ["secrets", ..]
            | ["telemetry", "headers", ..]
            | ["telemetry", "otlp", "headers", ..]
            | ["state", "redis" | "placeholder_key"]
            | ["alerts", "webhook"]
    )
}

/// Whether a text at such a path holds the secret itself.
pub(super) fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.contains("${")
}

/// Where secrets stand in the files themselves.
pub(super) fn literals(tree: &Node) -> Vec<Span> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

/// Where a text that is not YAML seems to hold secrets: after a word such as `key:`, up to the next comma, brace or
/// the end of the line, unless a reference stands there; and in words that begin as keys of providers do.
pub(super) fn guesses(text: &str) -> Vec<Range<usize>> {
    let folded = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for word in WORDS {
        let values = folded.match_indices(word).filter_map(|(at, word)| value_at(text, at + word.len()));
        found.extend(values);
    }
    for (at, _) in folded.match_indices("sk-") {
        let length = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
        found.push(at..length.map_or(text.len(), |length| at + length));
    }
    found.retain(|range| !range.is_empty());
    found
}

/// What a key that ends at `end` is given on its line.
fn value_at(text: &str, end: usize) -> Option<Range<usize>> {
    let rest = text.get(end..)?;
    let after_colon = rest.trim_start_matches(['"', '\'', ' ']).strip_prefix(':')?;
    let value = after_colon.trim_start_matches([' ', '[']);
    let start = text.len() - value.len();
    let is_list = after_colon.trim_start().starts_with('[');
    let length = value.find(|c| matches!(c, '}' | ']' | '\n') || (c == ',' && !is_list)).unwrap_or(value.len());
    let value = value.get(..length)?.trim_end();
    is_literal(value).then_some(start..start + value.len())
}

const WORDS: [&str; 6] = ["authorization", "key", "keys", "password", "secret", "token"];

fn collect<'a>(node: &'a Node, path: &mut Vec<&'a str>, found: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar(scalar) if is_secret(path) && is_literal(&scalar.text) => found.push(node.span),
        Value::Scalar(_) => {}
        Value::Seq(items) => items.iter().for_each(|item| collect(item, path, found)),
        Value::Map(entries) => {
            for entry in entries {
                path.push(&entry.key.text);
                collect(&entry.value, path, found);
                path.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(text: &str) -> Vec<&str> {
        guesses(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn what_follows_a_key_is_guessed_to_be_secret_unless_it_is_a_reference() {
        assert_eq!(guessed("a: { key: abc, kind: openai\n"), ["abc"]);
        assert_eq!(guessed("a:\n  api_key: \"abc\n  url: x\n"), ["\"abc"]);
        assert_eq!(guessed("Authorization: Bearer abc\n"), ["Bearer abc"]);
        assert_eq!(guessed("{ keys: [a, b], kind: openai"), ["a, b"]);
        assert_eq!(guessed("keys:\n  - sk-abc_1\n"), ["sk-abc_1"]);
        assert_eq!(guessed("key: \"${env:A}\nkeys: [\"${env:B}\"]\nkeyboard: x\n"), Vec::<&str>::new());
    }
}
