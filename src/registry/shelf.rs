//! What registries have given, kept by what it is.
//!
//! `blobs/HASH` is a component; `names/HASH` says which component a reference led to last, and who has signed it. Neither is
//! believed: a component is hashed again when it is taken, and a signature is verified again by whoever takes it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Reference, Signature, hash};

pub struct Shelf(PathBuf);

/// What a reference led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub sha256: String,
    pub signature: Option<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    reference: String,
    sha256: String,
    signature: Option<String>,
}

impl Shelf {
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub fn known(&self, reference: &Reference) -> Option<Known> {
        let entry: Entry = serde_json::from_slice(&fs::read(self.name(reference)).ok()?).ok()?;
        let is_ours = entry.reference == reference.to_string() && super::is_sha256(&entry.sha256);
        let signature = entry.signature.map(|text| Signature::parse(&text)).transpose().ok()?;
        is_ours.then_some(Known { sha256: entry.sha256, signature })
    }

    /// The component of this hash.
    pub fn bytes(&self, sha256: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.blob(sha256)).ok()?;
        (hash(&bytes) == sha256).then_some(bytes)
    }

    /// # Errors
    /// When the folder cannot be written.
    pub fn keep(&self, reference: &Reference, known: &Known, bytes: &[u8]) -> io::Result<()> {
        let entry = Entry {
            reference: reference.to_string(),
            sha256: known.sha256.clone(),
            signature: known.signature.as_ref().map(ToString::to_string),
        };
        // The component first: a name never leads to nothing.
        replace(&self.blob(&known.sha256), bytes)?;
        replace(&self.name(reference), &serde_json::to_vec(&entry)?)
    }

    fn blob(&self, sha256: &str) -> PathBuf {
        self.0.join("blobs").join(sha256)
    }

    fn name(&self, reference: &Reference) -> PathBuf {
        self.0.join("names").join(hash(reference.to_string().as_bytes()))
    }
}

/// Writes a file as a whole, or not at all; others may read it meanwhile, or write the same.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = path.with_extension(std::process::id().to_string());
    let mut file = fs::File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, path)
}
