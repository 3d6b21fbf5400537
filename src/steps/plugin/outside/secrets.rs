//! Secrets that a plugin may sign with, and those it may see.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::base::secret::Secret;
use crate::wasm::Secrets;
use crate::wasm::secrets::Error;

/// The secrets of one plugin, by name.
#[derive(Default)]
pub struct Keyring {
    pub signs: BTreeMap<String, Secret>,
    pub reveals: BTreeMap<String, Secret>,
}

impl Keyring {
    pub fn is_empty(&self) -> bool {
        self.signs.is_empty() && self.reveals.is_empty()
    }
}

impl Secrets for Keyring {
    fn hmac_sha256(&self, name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        let secret = self.signs.get(name).or_else(|| self.reveals.get(name)).ok_or(Error::Denied)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| Error::Missing)?;
        mac.update(data);
        Ok(mac.finalize().into_bytes().to_vec())
    }

    fn reveal(&self, name: &str) -> Result<String, Error> {
        self.reveals.get(name).map(|secret| secret.expose().to_owned()).ok_or(Error::Denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_only_be_signed_with_is_never_shown() {
        let signs = BTreeMap::from([("KEY".to_owned(), Secret::new("Jefe"))]);
        let keyring = Keyring { signs, ..Keyring::default() };
        assert!(matches!(keyring.reveal("KEY"), Err(Error::Denied)));
        // RFC 4231, case 2.
        let mac = keyring.hmac_sha256("KEY", b"what do ya want for nothing?").unwrap();
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(matches!(keyring.hmac_sha256("OTHER", b""), Err(Error::Denied)));
    }
}
