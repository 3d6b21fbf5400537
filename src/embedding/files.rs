//! The files of a model, and the one hash that stands for all of them.
//!
//! The hash is that of what `sha256sum config.json model.safetensors tokenizer.json` prints, so that anybody can make it
//! without this program.

use std::fmt;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::Unfit;

/// The names of a model's files, in the order in which they are hashed.
pub const NAMES: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

/// The most bytes that a file of this name is taken with from elsewhere: more than those of any model that is worth being
/// asked about a question.
pub const fn most_of(name: &str) -> u64 {
    // What is not the weights is a few settings, or a list of words.
    if name.len() == "model.safetensors".len() { 1 << 30 } else { 32 << 20 }
}

/// What the files of a model are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pin([u8; 32]);

/// The bytes of a model's files.
pub struct Files {
    pub config: Vec<u8>,
    pub weights: Vec<u8>,
    pub tokenizer: Vec<u8>,
}

impl Files {
    /// # Errors
    /// When one is not there.
    pub fn read(folder: &Path) -> Result<Self, Unfit> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|source| Unfit::Unread { path: path.display().to_string(), source })
        };
        let [config, weights, tokenizer] = NAMES;
        Ok(Self { config: read(config)?, weights: read(weights)?, tokenizer: read(tokenizer)? })
    }

    pub fn pin(&self) -> Pin {
        let mut list = String::new();
        for (name, bytes) in NAMES.iter().zip([&self.config, &self.weights, &self.tokenizer]) {
            list.push_str(&format!("{}  {name}\n", Pin(Sha256::digest(bytes).into())));
        }
        Pin(Sha256::digest(list).into())
    }

    /// The files of a folder, if they are those.
    ///
    /// # Errors
    /// When one is not there, or they are others.
    pub fn pinned(folder: &Path, wanted: Pin) -> Result<Self, Unfit> {
        let files = Self::read(folder)?;
        match files.pin() {
            found if found == wanted => Ok(files),
            found => Err(Unfit::Other { folder: folder.display().to_string(), found, wanted }),
        }
    }
}

impl Pin {
    /// Of 64 digits; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            *byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
        }
        Some(Self(bytes))
    }

    /// Its first digits, by which people tell a few of them apart.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_list_of_hashes() {
        let files = Files { config: b"{}".to_vec(), weights: Vec::new(), tokenizer: b"t\n".to_vec() };
        // printf '{}' > config.json; printf '' > model.safetensors; printf 't\n' > tokenizer.json
        // sha256sum config.json model.safetensors tokenizer.json | sha256sum
        assert_eq!(files.pin().to_string(), "a15f848176e576995f6feba5fa36772ec2ea7ec9b72bccf1ba236ac8fbac47ca");
        assert_eq!(Pin::parse(&files.pin().to_string()), Some(files.pin()));
    }

    #[test]
    fn what_is_not_64_digits_is_no_hash() {
        for text in ["", "ab", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66), &"é".repeat(32)] {
            assert_eq!(Pin::parse(text), None, "{text}");
        }
    }
}
