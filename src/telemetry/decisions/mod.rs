//! The decision log: what was decided about each request, and on what grounds, kept on disk for a while.
//!
//! A record is one line of JSON: the request's line of the access log, the steps that did something, and each attempt
//! at a target. It has names, counts and amounts; never a text of a request or an answer, and never a key.
//!
//! Records go into files of a [folder] that together never grow beyond a bound: the oldest go first. They are made
//! and written after the request is over, by others than those who serve it; what cannot be written in time is
//! dropped and counted. What `kill -9` leaves half written is passed over by whoever reads, and by the next start.

mod folder;
mod query;
mod record;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::lines::Lines;
use super::otlp::Story;
use folder::Folder;
pub use query::Query;
pub use shelf::{Found, find, list};

/// Where decisions are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub folder: PathBuf,
    /// Bytes of all files together.
    pub size: u64,
}

/// The decision log of the process.
#[derive(Default)]
pub struct Decisions {
    recorder: ArcSwapOption<Recorder>,
    dropped: Arc<AtomicU64>,
}

/// Writes records into one folder.
pub struct Recorder {
    folder: PathBuf,
    size: Arc<AtomicU64>,
    lines: Lines,
}

/// Records that may wait to be written.
const QUEUE: u64 = 2048;

impl Decisions {
    /// Has decisions recorded there from now on, or no more. What was recorded before stays; a folder that stays the
    /// same is kept open.
    pub fn record_in(&self, settings: Option<&Settings>) {
        let before = self.recorder.load_full();
        match (before, settings) {
            (Some(same), Some(settings)) if same.folder == settings.folder => {
                same.size.store(settings.size, Ordering::Relaxed);
            }
            (_, settings) => {
                let recorder = settings.map(|settings| Recorder::new(settings, &self.dropped));
                self.recorder.store(recorder.map(Arc::new));
            }
        }
    }

    /// Whoever records now.
    pub fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.load_full()
    }

    /// Decisions that were not recorded, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits, for a second at the most, until what was recorded is on disk.
    pub fn flush(&self) {
        if let Some(recorder) = self.recorder() {
            recorder.lines.flush();
        }
    }
}

impl Recorder {
    fn new(settings: &Settings, dropped: &Arc<AtomicU64>) -> Self {
        let size = Arc::new(AtomicU64::new(settings.size));
        let mut folder = Folder::new(settings.folder.clone(), Arc::clone(&size), Arc::clone(dropped));
        let lines = Lines::to("decisions", QUEUE, Arc::clone(dropped), move |batch| folder.take(batch));
        Self { folder: settings.folder.clone(), size, lines }
    }

    /// Records what was decided about a request. Those of strangers are left out, or anybody could push out the others.
    pub fn record(&self, story: &Story) {
        if !story.is_of_stranger {
            self.lines.lay(&record::of(story));
        }
    }

    /// A decision was not told of in time, and is not recorded.
    pub fn lost(&self) {
        self.lines.lost();
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
