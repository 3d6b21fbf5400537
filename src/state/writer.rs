//! The thread that writes: log first, then who waits is told, then the derived sums.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use crate::state::claim::Unavailable;
use crate::state::desk::{Desk, Item};
use crate::state::log::{Log, Position};
use crate::state::sums::{Changes, Sums};

pub(super) struct Writer {
    pub desk: Arc<Desk>,
    pub log: Log,
    /// `None` once they have failed; the next start makes them anew.
    pub sums: Option<Sums>,
    pub changes: Changes,
    pub position: Option<Position>,
    /// What could not be written yet, in its order.
    pub unwritten: Vec<Item>,
    pub folder: PathBuf,
    /// The last field, so that the folder is let go when all else has been.
    #[expect(dead_code, reason = "it is held, not read")]
    pub lock: File,
}

impl Writer {
    pub fn run(mut self) {
        let _gone = Gone(self.desk.clone());
        while let Some(mut items) = self.desk.next() {
            self.unwritten.append(&mut items);
            self.write();
            if self.changes.records >= CHECKPOINT {
                self.checkpoint();
            }
        }
        self.close();
    }

    fn write(&mut self) {
        let entries = self.unwritten.iter().filter_map(|item| item.entry.as_ref());
        match self.log.append(entries) {
            Ok(position) => {
                self.position = position.or(self.position.take());
                for item in std::mem::take(&mut self.unwritten) {
                    if let Some(Item { entry: Some(entry), .. }) = item.answer(&Ok(())) {
                        self.changes.note(&entry);
                    }
                }
                self.desk.mend();
            }
            Err(fault) => {
                let why = format!("`{}` cannot be written: {fault}", self.folder.display());
                let failed = Err(Unavailable(why.clone()));
                let items = std::mem::take(&mut self.unwritten);
                // Those who waited are refused, and give back what they took: that fact comes later in the
                // queue, so the log stays a true story.
                self.unwritten = items.into_iter().filter_map(|item| item.answer(&failed)).collect();
                self.desk.fail(&why);
            }
        }
    }

    fn checkpoint(&mut self) {
        let (Some(sums), Some(position)) = (&mut self.sums, &self.position) else {
            self.changes = Changes::default();
            return;
        };
        if let Err(why) = sums.apply(&self.changes, position) {
            warn!(why, "the sums beside the ledger cannot be written; the next start will read more of the log");
            self.sums = None;
        }
        self.changes = Changes::default();
    }

    fn close(mut self) {
        #[cfg(test)]
        if self.desk.is_killed() {
            return;
        }
        if !self.unwritten.is_empty() {
            let facts = self.unwritten.len();
            warn!(
                facts,
                "the ledger is closed with facts that could not be written; their holds will be assumed spent"
            );
        }
        self.checkpoint();
    }
}

/// Whatever ends the writer, nobody shall wait for it.
struct Gone(Arc<Desk>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// About so many records are read again at a start, at most. Few in tests, which then see every way to fall between two.
const CHECKPOINT: usize = if cfg!(test) { 16 } else { 8192 };
