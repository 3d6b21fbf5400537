//! What placeholders are derived from: random bytes, or a secret that the policy files name.
//!
//! Where a policy tells conversations apart, a value has one placeholder for as long as its conversation lasts, which
//! may be longer than the process. So those bytes are kept in the folder of the gateway's state, or come from a secret
//! that several gateways are given. Nothing else is kept: no value, no placeholder.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

/// The bytes themselves.
pub type Bytes = [u8; 32];

/// Where the bytes come from.
#[derive(Default)]
pub struct Seed {
    source: Source,
    lasting: OnceLock<Bytes>,
    passing: OnceLock<Bytes>,
}

#[derive(Default)]
enum Source {
    /// They end with the process.
    #[default]
    Process,
    /// A file in this folder, made when it is first needed.
    Folder(PathBuf),
    Secret(Bytes),
}

impl Seed {
    /// Bytes that are kept in a folder, which must be there when they are first asked for.
    pub fn kept_in(folder: impl Into<PathBuf>) -> Self {
        Self { source: Source::Folder(folder.into()), ..Self::default() }
    }

    /// Bytes that everybody has who is given the same secret.
    ///
    /// # Errors
    /// If it is too short to be one.
    pub fn of_secret(secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        if secret.len() < LEAST_SECRET {
            return Err(format!(
                "a secret of {} characters is guessed too easily; it takes {LEAST_SECRET}, random ones",
                secret.len()
            ));
        }
        let bytes = Sha256::new().chain_update("tidegate placeholders\0").chain_update(secret).finalize();
        Ok(Self { source: Source::Secret(bytes.into()), ..Self::default() })
    }

    /// Bytes that outlive this process, where there is anything to keep them.
    ///
    /// # Errors
    /// If they cannot be read or written, or the random source of the system fails.
    pub fn lasting(&self) -> Result<Bytes, String> {
        let bytes = || match &self.source {
            Source::Process => self.passing(),
            Source::Folder(folder) => kept(folder),
            Source::Secret(bytes) => Ok(*bytes),
        };
        once(&self.lasting, bytes)
    }

    /// Bytes that end with this process, for what does not outlive a request.
    ///
    /// # Errors
    /// If the random source of the system fails.
    pub fn passing(&self) -> Result<Bytes, String> {
        once(&self.passing, random)
    }
}

fn once(cell: &OnceLock<Bytes>, make: impl FnOnce() -> Result<Bytes, String>) -> Result<Bytes, String> {
    match cell.get() {
        Some(bytes) => Ok(*bytes),
        None => make().map(|bytes| *cell.get_or_init(|| bytes)),
    }
}

fn random() -> Result<Bytes, String> {
    let mut bytes = Bytes::default();
    let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| "the system gave no random bytes".to_owned())?;
    Ok(bytes)
}

/// The bytes that a folder keeps; the first to ask makes them.
fn kept(folder: &Path) -> Result<Bytes, String> {
    let path = folder.join(FILE);
    let failed = |error: &dyn std::fmt::Display| {
        format!("what placeholders are derived from cannot be kept in `{}`: {error}", path.display())
    };
    match read(&path).map_err(|error| failed(&error))? {
        Some(bytes) => Ok(bytes),
        None => {
            let fresh = random()?;
            create(&path, &fresh).map_err(|error| failed(&error))?;
            // Another may have been first.
            read(&path).map_err(|error| failed(&error))?.ok_or_else(|| failed(&"it vanished"))
        }
    }
}

fn read(path: &Path) -> io::Result<Option<Bytes>> {
    let read = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let bytes = Bytes::try_from(read).map_err(|read| {
        let why =
            format!("it has {} bytes instead of 32; without it, conversations get other placeholders", read.len());
        io::Error::new(ErrorKind::InvalidData, why)
    })?;
    Ok(Some(bytes))
}

/// Puts a file in place that is whole from the first moment, unless there is one.
fn create(path: &Path, bytes: &Bytes) -> io::Result<()> {
    let draft = path.with_extension(format!("{}-{:x}", std::process::id(), fastrand::u64(..)));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    let removed = fs::remove_file(&draft);
    written.and(removed)
}

/// The name of the file.
const FILE: &str = "placeholders.key";
/// Characters of a secret: 128 bits, written in hexadecimal digits.
const LEAST_SECRET: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_process_has_one_seed_and_no_other_has_it() {
        let seed = Seed::default();
        assert_eq!(seed.lasting(), seed.lasting());
        assert_ne!(seed.lasting(), Seed::default().lasting());
    }

    #[test]
    fn a_folder_keeps_its_seed_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Seed::kept_in(folder.path()).lasting().unwrap();
        assert_eq!(Seed::kept_in(folder.path()).lasting(), Ok(first));
        assert_ne!(Seed::kept_in(folder.path()).passing(), Ok(first));
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn all_who_ask_a_folder_at_once_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let ask = || Seed::kept_in(folder.path()).lasting().unwrap();
        let all: Vec<Bytes> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert!(all.iter().all(|bytes| *bytes == all[0]));
    }

    #[test]
    fn a_file_that_is_no_seed_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(Seed::kept_in(folder.path()).lasting().unwrap_err().contains("5 bytes instead of 32"));
    }

    #[test]
    fn who_has_the_same_secret_has_the_same_seed() {
        let of = |secret: &str| Seed::of_secret(secret).and_then(|seed| seed.lasting());
        assert_eq!(of("0123456789abcdef0123456789abcdef"), of("0123456789abcdef0123456789abcdef\n"));
        assert_ne!(of("0123456789abcdef0123456789abcdef"), of("1123456789abcdef0123456789abcdef"));
        assert!(of("changeme").is_err());
    }
}
