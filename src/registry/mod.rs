//! Where plugins come from: files, and registries that speak the OCI distribution protocol.
//!
//! A component is known by the SHA-256 of its bytes, whatever it came by. What a registry has given is kept under that name, so
//! that a plugin that is pinned and was here before needs no registry, and one that is not pinned goes on as it was while its
//! registry is down. A name that can be moved to other bytes, as tags can, is followed only where the policy says so.
//!
//! Where the gateway file names `trusted_keys`, a plugin is taken only with a signature by one of them: beside a file as
//! `NAME.wasm.sig`, in a registry as a layer of its own. It is over the component's bytes, by Ed25519, in base64.

mod pull;
mod shelf;
mod signature;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tracing::warn;

pub use pull::Access;
pub use signature::{PublicKey, Signature};
pub use source::{Reference, Source};

use shelf::{Known, Shelf};

/// Fetches components.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// Who may have signed what is fetched; nobody has to have, if it is empty.
    pub trusted: Vec<PublicKey>,
    /// Where what registries gave is kept; nowhere if not said.
    pub cache: Option<PathBuf>,
    /// What is known of registries, by host.
    pub access: BTreeMap<String, Access>,
    /// No registry is asked: only what is here counts.
    pub is_offline: bool,
}

/// What somebody wants to have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub source: &'a Source,
    /// The SHA-256 that it must have, in hexadecimal.
    pub sha256: Option<&'a str>,
    /// Whatever a name leads to that can be moved.
    pub follows_tags: bool,
    /// The most bytes that it may have.
    pub most: usize,
}

/// A component, and what vouches for it.
struct Found {
    bytes: Vec<u8>,
    signature: Option<Signature>,
}

impl Library {
    /// The bytes of a component. Blocks, on the network if need be: not for an async thread.
    ///
    /// # Errors
    /// When it is not to be had, or is not what it should be.
    pub fn fetch(&self, wanted: Wanted<'_>) -> Result<Vec<u8>, String> {
        if let Some(pin) = wanted.sha256.filter(|pin| !is_sha256(pin)) {
            return Err(format!("`{pin}` is no SHA-256, which has 64 hexadecimal digits"));
        }
        let found = match wanted.source {
            Source::File(path) => read_file(path)?,
            Source::Registry(reference) => self.kept_or_pulled(reference, wanted)?,
        };
        let sha256 = hash(&found.bytes);
        if let Some(pin) = wanted.sha256
            && !pin.eq_ignore_ascii_case(&sha256)
        {
            return Err(format!("it is not the one that `sha256` names; its own is {sha256}"));
        }
        self.check_signature(&found, wanted.source)?;
        Ok(found.bytes)
    }

    /// Whether it can be had without asking anybody, as far as names tell.
    pub fn is_at_hand(&self, source: &Source) -> bool {
        let Source::Registry(reference) = source else { return true };
        self.cache.clone().is_some_and(|folder| Shelf::new(folder).known(reference).is_some())
    }

    fn check_signature(&self, found: &Found, source: &Source) -> Result<(), String> {
        if self.trusted.is_empty() {
            return Ok(());
        }
        let Some(signature) = &found.signature else {
            let place = match source {
                Source::File(path) => format!("beside it as `{}`", signature_path(path).display()),
                Source::Registry(_) => format!("as a layer of type `{}`", pull::SIGNATURE),
            };
            return Err(format!(
                "nobody has signed it, and `trusted_keys` are named; a signature is looked for {place}"
            ));
        };
        if self.trusted.iter().any(|key| key.has_signed(&found.bytes, signature)) {
            return Ok(());
        }
        Err("its signature is by none of the `trusted_keys`, or it was changed since".into())
    }

    fn kept_or_pulled(&self, reference: &Reference, wanted: Wanted<'_>) -> Result<Found, String> {
        if !reference.is_fixed() && wanted.sha256.is_none() && !wanted.follows_tags {
            return Err(format!(
                "`{reference}` can be moved to another component; pin it by `sha256`, or by `@sha256:…` behind it, or say \
                 `unpinned: allow`"
            ));
        }
        let shelf = self.cache.clone().map(Shelf::new);
        let known = shelf.as_ref().and_then(|shelf| shelf.known(reference));
        let is_pinned = |known: &Known| {
            reference.is_fixed() || wanted.sha256.is_some_and(|pin| pin.eq_ignore_ascii_case(&known.sha256))
        };
        if let (Some(shelf), Some(known)) = (&shelf, known.as_ref().filter(|known| is_pinned(known)))
            && let Some(found) = take(shelf, known)
        {
            return Ok(found);
        }
        let access = self.access.get(reference.host()).cloned().unwrap_or_default();
        let pulled = match self.is_offline {
            true => Err("it is not asked here".to_owned()),
            false => pull::pull(reference, &access, wanted.most),
        };
        match pulled {
            Ok(found) => {
                let known = Known { sha256: hash(&found.bytes), signature: found.signature.clone() };
                let kept = shelf.as_ref().map(|shelf| shelf.keep(reference, &known, &found.bytes));
                if let Some(Err(error)) = kept {
                    warn!(plugin = %reference, %error, "a plugin is not kept; without its registry it cannot be had again");
                }
                Ok(found)
            }
            Err(why) => {
                // A registry that is down stops no plugin that is known.
                let before = shelf.as_ref().zip(known.as_ref()).and_then(|(shelf, known)| take(shelf, known));
                let found = before.ok_or_else(|| format!("it cannot be had from its registry: {why}"))?;
                if !self.is_offline {
                    warn!(plugin = %reference, %why, "its registry cannot be asked; the plugin is the one it had before");
                }
                Ok(found)
            }
        }
    }
}

fn take(shelf: &Shelf, known: &Known) -> Option<Found> {
    let bytes = shelf.bytes(&known.sha256)?;
    Some(Found { bytes, signature: known.signature.clone() })
}

fn read_file(path: &Path) -> Result<Found, String> {
    let bytes = fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let beside = signature_path(path);
    let signature = match fs::read_to_string(&beside) {
        Ok(text) => {
            Some(Signature::parse(&text).map_err(|why| format!("`{}` is no signature: {why}", beside.display()))?)
        }
        Err(_) => None,
    };
    Ok(Found { bytes, signature })
}

/// Where the signature of a file is.
pub fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// The SHA-256 of bytes, in hexadecimal.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
