//! Placeholders, and the values they stand for.
//!
//! A placeholder such as `<EMAIL_1_k7f3q2>` has a kind, a number for the reader and a tag. The tag alone says which
//! value it is. It is derived from the value by a key that only this scope has (HMAC-SHA-256), so that a prompt
//! cannot forge one, and the same value has the same tag in every turn of a conversation without anything being
//! stored: the history that the caller sends again is redacted again, and the vault is filled by that.
//!
//! The number is the order of first appearance in one request. It may differ between requests whose
//! histories begin differently, and nothing is looked up by it.

use std::collections::HashMap;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The key of one scope.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// The key that a secret of the gateway has for a scope: a caller and a conversation, or one request.
    pub fn derive(secret: &[u8], scope: &str) -> Self {
        Self(digest(secret, &["tidegate redact", scope]))
    }

    /// What a value is told apart by, in `length` characters of five bits each.
    fn tag(&self, parts: &[&str], length: usize) -> String {
        let digest = digest(&self.0, parts);
        let symbol = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).copied().map_or('0', char::from);
        digest.iter().take(length).map(symbol).collect()
    }

    /// A keyed hash of a value.
    pub fn hash(&self, label: &str, value: &str) -> String {
        self.tag(&["hash", label, value], 16)
    }
}

/// Base 32 without letters that are taken for digits.
pub(super) const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The characters of a tag: thirty bits.
pub(super) const TAG: usize = 6;

fn digest(key: &[u8], parts: &[&str]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

/// The placeholders of one request.
pub struct Vault {
    key: Key,
    kept: HashMap<String, Kept>,
    numbers: HashMap<String, usize>,
}

struct Kept {
    label: String,
    value: String,
    number: usize,
}

impl Vault {
    pub fn new(key: Key) -> Self {
        Self { key, kept: HashMap::new(), numbers: HashMap::new() }
    }

    /// The placeholder of a value.
    pub fn placeholder(&mut self, label: &str, value: &str) -> String {
        let mut salt = String::new();
        loop {
            let tag = self.key.tag(&["tag", label, value, &salt], TAG);
            match self.kept.get(&tag) {
                Some(kept) if kept.label == label && kept.value == value => return write(label, kept.number, &tag),
                // Two values of one request with the same tag: the later one takes another.
                Some(_) => salt.push('+'),
                None => {
                    let number = self.numbers.entry(label.to_owned()).or_default();
                    *number += 1;
                    let (number, label, value) = (*number, label.to_owned(), value.to_owned());
                    let written = write(&label, number, &tag);
                    self.kept.insert(tag, Kept { label, value, number });
                    return written;
                }
            }
        }
    }

    /// The value that a tag stands for, if it is one of this request's.
    pub fn value(&self, tag: &str) -> Option<&str> {
        self.kept.get(tag).map(|kept| kept.value.as_str())
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub fn key(&self) -> &Key {
        &self.key
    }
}

fn write(label: &str, number: usize, tag: &str) -> String {
    format!("<{label}_{number}_{tag}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_has_the_same_placeholder_in_every_turn() {
        let mut first = Vault::new(Key::derive(b"secret", "conversation"));
        let mut second = Vault::new(Key::derive(b"secret", "conversation"));
        let placeholder = first.placeholder("EMAIL", "a@b.io");
        assert_eq!(placeholder, first.placeholder("EMAIL", "a@b.io"));
        assert_eq!(placeholder, second.placeholder("EMAIL", "a@b.io"));
        assert!(placeholder.starts_with("<EMAIL_1_"));
        assert!(first.placeholder("EMAIL", "b@b.io").starts_with("<EMAIL_2_"));
    }

    #[test]
    fn another_scope_has_other_placeholders() {
        let mut one = Vault::new(Key::derive(b"secret", "a"));
        let mut other = Vault::new(Key::derive(b"secret", "b"));
        assert_ne!(one.placeholder("EMAIL", "a@b.io"), other.placeholder("EMAIL", "a@b.io"));
    }
}
