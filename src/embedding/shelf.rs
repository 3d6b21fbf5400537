//! The models that are at work, by what they are.
//!
//! A revision that names a model which an earlier one has loaded is given that very one: its hash says that it is the same.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Files, Local, Model, Pin, Unfit};

/// The models of the process. Clones are the same.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<AtWork>>);

/// By the hash of their files and the number of their threads.
type AtWork = HashMap<(Pin, NonZeroUsize), Weak<Local>>;

impl Shelf {
    /// The model of these files, at work on so many threads.
    ///
    /// # Errors
    /// When the files are not there, are others, or no model that can be read.
    pub fn open(&self, folder: &Path, pin: Pin, threads: NonZeroUsize) -> Result<Arc<Local>, Unfit> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(local) = known.get(&(pin, threads)).and_then(Weak::upgrade) {
            return Ok(local);
        }
        let model = Model::of(&Files::pinned(folder, pin)?)?;
        let started = Local::start(model, pin, threads);
        let local = started.map_err(|source| Unfit::Unread { path: folder.display().to_string(), source })?;
        let local = Arc::new(local);
        known.retain(|_, local| local.strong_count() > 0);
        known.insert((pin, threads), Arc::downgrade(&local));
        Ok(local)
    }
}
