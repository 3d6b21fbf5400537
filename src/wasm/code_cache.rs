//! Compiled code, kept on disk: compiling a component of some megabytes takes seconds, loading it back a millisecond.
//!
//! What is kept is native code that will run with all rights of this process, so only what this gateway has written itself is
//! taken back: the folder is its owner's alone, and each file carries a MAC under a key that lies in the folder. A file that
//! does not hold is as good as none. The name of a file is the component's hash and the engine's.

use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tracing::warn;
use wasmtime::component::Component;

use super::native;
use crate::base::{private, random};

pub struct CodeCache {
    folder: PathBuf,
    /// Opened once; or why it cannot be.
    key: OnceLock<Result<[u8; KEY], String>>,
}

impl CodeCache {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, key: OnceLock::new() }
    }

    /// The component of this hash as it was compiled by this engine before.
    pub fn load(&self, engine: &wasmtime::Engine, sha256: &str) -> Option<Component> {
        let kept = fs::read(self.file(engine, sha256)).ok()?;
        let (mac, code) = kept.split_at_checked(MAC)?;
        let keyed = self.keyed(engine, sha256, code).inspect_err(|error| self.complain(error)).ok()?;
        keyed.verify_slice(mac).ok()?;
        native::load(engine, native::OwnCode::written_here(code))
    }

    /// Keeps what was compiled. That it could not be kept is no reason to do without it.
    pub fn keep(&self, engine: &wasmtime::Engine, sha256: &str, component: &Component) {
        let kept = component
            .serialize()
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|code| self.write(engine, sha256, &code));
        if let Err(error) = kept {
            self.complain(&error);
        }
    }

    fn complain(&self, error: &io::Error) {
        warn!(folder = %self.folder.display(), %error, "compiled plugins are not kept");
    }

    fn file(&self, engine: &wasmtime::Engine, sha256: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder.join(format!("{sha256}-{:016x}", hasher.finish()))
    }

    fn write(&self, engine: &wasmtime::Engine, sha256: &str, code: &[u8]) -> io::Result<()> {
        let mac = self.keyed(engine, sha256, code)?.finalize().into_bytes();
        let file = self.file(engine, sha256);
        // Another process may read meanwhile, or write the same.
        let draft = file.with_extension(format!("{}", std::process::id()));
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        out.write_all(&mac)?;
        out.write_all(code)?;
        fs::rename(draft, file)?;
        self.make_room()
    }

    /// Forgets what was written longest ago, so that old versions of plugins do not fill the disk.
    fn make_room(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name() != KEY_FILE {
                kept.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        kept.sort();
        let surplus = kept.len().saturating_sub(MOST_FILES);
        kept.into_iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }

    fn keyed(&self, engine: &wasmtime::Engine, sha256: &str, code: &[u8]) -> io::Result<Hmac<Sha256>> {
        let key = self.key.get_or_init(|| open_key(&self.folder).map_err(|error| error.to_string()));
        let key = key.as_ref().map_err(|reason| io::Error::other(reason.clone()))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(io::Error::other)?;
        // A file under another's name must not hold either.
        mac.update(self.file(engine, sha256).file_name().unwrap_or_default().as_encoded_bytes());
        mac.update(code);
        Ok(mac)
    }
}

/// The key of a folder, made with it. Both must be this process's own and nobody else's.
fn open_key(folder: &Path) -> io::Result<[u8; KEY]> {
    private::make(folder)?;
    let draft = folder.join(format!("key.{}", std::process::id()));
    let mut ours = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let path = folder.join(KEY_FILE);
    if !path.exists() {
        let mut key = [0; KEY];
        random::fill(&mut key).map_err(io::Error::other)?;
        ours.write_all(&key)?;
        // Two processes may do this at once; the first wins.
        fs::hard_link(&draft, &path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })?;
    }
    let owner = ours.metadata()?.uid();
    fs::remove_file(&draft)?;
    let is_private = |metadata: &fs::Metadata| metadata.mode() & 0o077 == 0 && metadata.uid() == owner;
    let (in_folder, in_key) = (fs::symlink_metadata(folder)?, fs::symlink_metadata(&path)?);
    if !(in_folder.is_dir() && in_key.is_file() && is_private(&in_folder) && is_private(&in_key)) {
        return Err(io::Error::other("the folder, or the key in it, is not this process's alone"));
    }
    let mut key = [0; KEY];
    fs::File::open(&path)?.read_exact(&mut key)?;
    Ok(key)
}

const KEY_FILE: &str = "key";
const MOST_FILES: usize = 64;
const MAC: usize = 32;
const KEY: usize = 32;
