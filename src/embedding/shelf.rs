//! The models that are at work, by what they are.
//!
//! A revision that names a model which an earlier one has loaded is given that very one: its hash says that it is the same.
//! Files are read once; after that they are looked at again only where they have been changed since, and must still be
//! those that were named.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::files::NAMES;
use super::{Files, Local, Model, Pin, Unfit};

/// The models of the process. Clones are the same.
#[derive(Clone, Default)]
pub struct Shelf {
    at_work: Arc<Mutex<AtWork>>,
    purpose: Purpose,
}

/// What models are put to work for.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Purpose {
    #[default]
    Serving,
    /// On a clock that jumps.
    Rehearsing,
    /// They are played, whether or not they are there.
    Trying,
}

#[derive(Default)]
struct AtWork {
    /// By the hash of their files and the number of their threads.
    models: HashMap<(Pin, NonZeroUsize), Weak<Local>>,
    /// What the files of a folder were like when they were found to have that hash.
    found: HashMap<(PathBuf, Pin), Stamps>,
}

/// What tells whether files were changed.
type Stamps = [Stamp; NAMES.len()];

/// A file system's number for the file, its length, and when its contents and its name or rights were changed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Stamp([i128; 4]);

impl Shelf {
    /// For a clock that jumps.
    pub fn rehearsing() -> Self {
        Self { purpose: Purpose::Rehearsing, ..Self::default() }
    }

    /// For policies that are tried where their models need not be: each is played by one that finds all texts alike.
    pub fn playing() -> Self {
        Self { purpose: Purpose::Trying, ..Self::default() }
    }

    /// Whether it is to be opened where providers are played.
    pub fn is_for_plays(&self) -> bool {
        self.purpose != Purpose::Serving
    }

    /// How many texts those at work were asked about.
    pub fn asked(&self) -> u64 {
        self.lock().models.values().filter_map(Weak::upgrade).map(|local| local.asked()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model of these files, at work on so many threads.
    ///
    /// # Errors
    /// When the files are not there, are others, or no model that can be read.
    pub fn open(&self, folder: &Path, pin: Pin, threads: NonZeroUsize) -> Result<Arc<Local>, Unfit> {
        if self.purpose == Purpose::Trying {
            return Ok(Arc::new(Local::played(pin)));
        }
        let mut known = self.lock();
        let key = (folder.to_owned(), pin);
        // Before they are read: a change meanwhile is noticed the next time.
        let stamps = stamps(folder);
        let is_unchanged = stamps.is_some() && known.found.get(&key).copied() == stamps;
        let model = match known.model(pin) {
            Some(model) if is_unchanged => model,
            at_work => {
                let files = Files::pinned(folder, pin)?;
                at_work.map_or_else(|| Model::of(&files).map(Arc::new), Ok)?
            }
        };
        let local = match known.models.get(&(pin, threads)).and_then(Weak::upgrade) {
            Some(local) => local,
            None if self.purpose == Purpose::Rehearsing => Arc::new(Local::rehearsing(model, pin)),
            None => {
                let started = Local::start(model, pin, threads);
                Arc::new(started.map_err(|source| Unfit::Unread { path: folder.display().to_string(), source })?)
            }
        };
        known.models.retain(|_, local| local.strong_count() > 0);
        known.models.insert((pin, threads), Arc::downgrade(&local));
        known.found.extend(stamps.map(|stamps| (key, stamps)));
        known.forget_what_is_not_at_work();
        Ok(local)
    }
}

impl AtWork {
    /// The model with this hash, on however many threads it is at work.
    fn model(&self, pin: Pin) -> Option<Arc<Model>> {
        let same = self.models.iter().filter(|((known, _), _)| *known == pin);
        same.filter_map(|(_, local)| local.upgrade()?.model()).next()
    }

    fn forget_what_is_not_at_work(&mut self) {
        let Self { models, found } = self;
        found.retain(|(_, pin), _| models.keys().any(|(known, _)| known == pin));
    }
}

fn stamps(folder: &Path) -> Option<Stamps> {
    let mut stamps = Stamps::default();
    for (stamp, name) in stamps.iter_mut().zip(NAMES) {
        let file = fs::metadata(folder.join(name)).ok()?;
        let when = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        *stamp = Stamp([
            i128::from(file.ino()),
            i128::from(file.size()),
            when(file.mtime(), file.mtime_nsec()),
            when(file.ctime(), file.ctime_nsec()),
        ]);
    }
    Some(stamps)
}
