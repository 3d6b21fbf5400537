//! A virtual key, and the only thing we keep of it: its hash.
//!
//! A key is 256 random bits, so a plain SHA-256 is enough: nobody can search that space, and a slow
//! password hash would only make each request slower.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::secret::Secret;

/// A key that was just made. It is shown once and then forgotten.
pub struct VirtualKey {
    secret: Secret,
    hash: KeyHash,
}

impl VirtualKey {
    /// `tg-` and 43 characters of URL-safe base64: 32 random bytes.
    ///
    /// # Errors
    /// If the random source of the system fails.
    pub fn generate() -> Result<Self, String> {
        let mut bytes = [0; 32];
        rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut bytes)
            .map_err(|_| "the system gave no random bytes".to_owned())?;
        let secret = Secret::new(format!("tg-{}", URL_SAFE_NO_PAD.encode(bytes)));
        let hash = KeyHash::of(secret.expose());
        Ok(Self { secret, hash })
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    pub fn hash(&self) -> &KeyHash {
        &self.hash
    }
}

/// The SHA-256 of a key, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// # Errors
    /// What is wrong with the text. A hash never gives its key away, but the text may be a key that was
    /// pasted by mistake, so it is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(hex) = text.strip_prefix("sha256:") else {
            return Err("a key's hash is written `sha256:` and 64 hexadecimal digits".into());
        };
        if hex.len() != 64 {
            return Err(format!("a SHA-256 has 64 hexadecimal digits, not {}", hex.chars().count()));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = hex_byte(pair).ok_or("a SHA-256 is written with the digits 0-9 and a-f only")?;
        }
        Ok(Self(bytes))
    }

    /// The first eight digits: enough to tell two keys apart in a list.
    pub fn short(&self) -> String {
        self.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Compares without telling by its time where the first difference lies.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}…", self.short())
    }
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    // `from_str_radix` alone would also read `+f`.
    if !pair.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_tg_and_43_url_safe_characters() {
        let key = VirtualKey::generate().unwrap();
        let text = key.secret().expose();
        assert!(text.starts_with("tg-") && text.len() == 46, "{text}");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(*key.hash(), KeyHash::of(text));
    }

    #[test]
    fn two_keys_differ() {
        let (a, b) = (VirtualKey::generate().unwrap(), VirtualKey::generate().unwrap());
        assert_ne!(a.secret(), b.secret());
    }

    #[test]
    fn a_hash_reads_back_what_it_writes() {
        let hash = KeyHash::of("abc");
        assert_eq!(hash.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(KeyHash::parse(&hash.to_string()), Ok(hash));
        assert_eq!(hash.short(), "ba7816bf");
    }

    #[test]
    fn a_hash_that_is_none_is_refused_and_not_repeated() {
        let sixty_four = "é".repeat(32);
        for text in [
            "",
            "sha256:",
            "md5:00",
            "sha256:abcd",
            &format!("sha256:{}", "+f".repeat(32)),
            &format!("sha256:{sixty_four}"),
        ] {
            assert!(KeyHash::parse(text).is_err(), "{text}");
        }
        assert!(!KeyHash::parse("tg-canary").unwrap_err().contains("canary"));
    }
}
