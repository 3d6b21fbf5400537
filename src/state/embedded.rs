//! The ledger of one machine: books in memory, their truth in a log, one folder that nobody else may use.
//!
//! What is in the folder: `LOCK`, held while the ledger is open; `ledger/NNNN.log`, the log; `sums/`, derived
//! from the log to make starts quick. `sums` may be deleted while no gateway runs; the rest may not.
//!
//! Nothing that was answered as safe is ever lost. What was promised for [`Durability::Soon`] is lost if the
//! process dies within the next milliseconds; what cannot be written because the disk is full is kept in
//! memory as long as there is room, and no more is reserved until it is written.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_core::future::BoxFuture;
use jiff::Timestamp;
use tracing::{info, warn};

use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::base::private;
use crate::state::books::Books;
use crate::state::claim::{Balance, Claim, Denied, HoldId, Unavailable};
use crate::state::desk::Desk;
use crate::state::ledger::{Ledger, Settlement, Standing};
use crate::state::log::{Log, Position};
use crate::state::record::Entry;
use crate::state::slot::Slot;
use crate::state::sums::{Changes, Loaded, Sums};
use crate::state::trouble::Trouble;
use crate::state::writer::Writer;

#[cfg(doc)]
use crate::state::claim::Durability;

/// A ledger in a folder. Dropping it lets the writer end on its own; [`close`](Self::close) waits for that.
pub struct Embedded {
    desk: Arc<Desk>,
    writer: Option<JoinHandle<()>>,
    #[cfg(test)]
    pub(super) is_full: Arc<std::sync::atomic::AtomicBool>,
}

#[derive(Clone)]
pub struct Options {
    /// A segment of the log that has grown to so many bytes is followed by the next.
    pub rotate_at: u64,
    /// Told each time how long it took until the disk had what was written.
    pub synced: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        Self { rotate_at: 64 << 20, synced: Arc::new(|_| {}) }
    }
}

impl Embedded {
    /// Opens the books in a folder, made if need be. Whatever is still held there was held by a process that
    /// is dead, and is booked as spent. Blocks: not for an async thread.
    ///
    /// # Errors
    /// When the folder cannot be used or is in use, or the log is damaged.
    pub fn open(folder: &Path, options: &Options, now: Timestamp) -> Result<Self, Trouble> {
        let lock = lock(folder)?;
        let mut opening = Opening::new(folder, options, now)?;
        let orphans = opening.books.lapse_all(now);
        opening.write(&orphans)?;
        let Opening { books, log, sums, changes, position, .. } = opening;
        let desk = Arc::new(Desk::new(books));
        #[cfg(test)]
        let is_full = log.is_full.clone();
        let writer = Writer {
            desk: desk.clone(),
            log,
            sums,
            changes,
            position,
            unwritten: Vec::new(),
            folder: folder.to_owned(),
            lock,
        };
        let writer = thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(Trouble::io(folder))?;
        Ok(Self {
            desk,
            writer: Some(writer),
            #[cfg(test)]
            is_full,
        })
    }

    /// Writes what is left and lets go of the folder. Blocks: not for an async thread.
    pub fn close(mut self) {
        self.desk.close();
        self.join();
    }

    /// Ends as if the process had been killed: what is not written is gone.
    #[cfg(test)]
    pub(super) fn kill(mut self) {
        self.desk.kill();
        self.join();
    }

    fn join(&mut self) {
        if let Some(writer) = self.writer.take() {
            // A panic over there has been printed there, and there is nothing to add.
            let _ = writer.join();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if self.writer.is_some() {
            self.desk.close();
        }
    }
}

impl Ledger for Embedded {
    fn reserve(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<Balance>, Denied>> {
        Box::pin(async move {
            let taken = self.desk.reserve(&claim)?;
            let Some(safe) = taken.safe else { return Ok(taken.balances) };
            let unclaimed = taken.is_new.then(|| Unclaimed { desk: Some(&self.desk), hold: claim.hold, at: claim.at });
            safe.await.unwrap_or_else(|_| Err(Unavailable("its writer has ended".to_owned())))?;
            if let Some(unclaimed) = unclaimed {
                unclaimed.claim();
            }
            Ok(taken.balances)
        })
    }

    fn settle(&self, settlement: Settlement) {
        self.desk.settle(settlement);
    }

    fn lapse(&self, now: Timestamp) {
        self.desk.lapse(now);
    }

    fn standing<'a>(
        &'a self,
        account: &'a AccountId,
        since: Slot,
    ) -> BoxFuture<'a, Result<(Nanos, Nanos), Unavailable>> {
        Box::pin(async move { Ok(self.desk.standing(account, since)) })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>> {
        Box::pin(async move { Ok(self.desk.accounts()) })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        let safe = self.desk.flush();
        Box::pin(async move { safe.await.unwrap_or_else(|_| Err(Unavailable("its writer has ended".to_owned()))) })
    }
}

/// A hold that nobody knows to be theirs yet. Given back if it could not be made safe, or if its owner went
/// away while waiting.
struct Unclaimed<'a> {
    desk: Option<&'a Desk>,
    hold: HoldId,
    at: Timestamp,
}

impl Unclaimed<'_> {
    fn claim(mut self) {
        self.desk = None;
    }
}

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        if let Some(desk) = self.desk {
            desk.settle(Settlement { hold: self.hold, at: self.at, lines: Vec::new() });
        }
    }
}

/// Books on the way from their folder into memory.
struct Opening {
    books: Books,
    log: Log,
    sums: Option<Sums>,
    changes: Changes,
    position: Option<Position>,
}

impl Opening {
    fn new(folder: &Path, options: &Options, now: Timestamp) -> Result<Self, Trouble> {
        let ledger = folder.join("ledger");
        private::make(&ledger).map_err(Trouble::io(&ledger))?;
        make_safe(folder).map_err(Trouble::io(folder))?;
        let sums = folder.join("sums");
        let (kept, why) = match Sums::open(&sums) {
            Ok((kept, loaded)) => match &loaded.position {
                Some(position) if !position.is_in(&ledger) => (None, "they are not sums of this log".to_owned()),
                _ => (Some((kept, loaded)), String::new()),
            },
            Err(why) => (None, why),
        };
        match kept {
            Some((kept, loaded)) => Self::replay(&ledger, options, Some(kept), loaded, now),
            None => {
                set_aside(&sums, &why, now)?;
                let (kept, loaded) = match Sums::open(&sums) {
                    Ok((kept, loaded)) => (Some(kept), loaded),
                    Err(why) => {
                        warn!(why, "no sums can be kept beside the ledger; each start reads all of it");
                        (None, Loaded::default())
                    }
                };
                Self::replay(&ledger, options, kept, loaded, now)
            }
        }
    }

    fn replay(
        ledger: &Path,
        options: &Options,
        mut sums: Option<Sums>,
        loaded: Loaded,
        now: Timestamp,
    ) -> Result<Self, Trouble> {
        let mut books = Books::default();
        let mut position = loaded.position.clone();
        let mut changes = loaded.carry_into(&mut books, Slot::horizon(now));
        let from = position.clone();
        let mut log = Log::open(ledger, options.rotate_at, from.as_ref(), |record, place| {
            books.apply(&record.entry);
            changes.note(&record.entry);
            if changes.records >= PORTION {
                keep(&mut sums, &mut changes, &place);
            }
            position = Some(place);
        })?;
        log.synced = Arc::clone(&options.synced);
        if let Some(position) = &position {
            keep(&mut sums, &mut changes, position);
        }
        Ok(Self { books, log, sums, changes, position })
    }

    fn write(&mut self, orphans: &[Entry]) -> Result<(), Trouble> {
        if orphans.is_empty() {
            return Ok(());
        }
        let position = self.log.append(orphans.iter()).map_err(Trouble::io(self.log.folder()))?;
        self.position = position.or(self.position.take());
        orphans.iter().for_each(|entry| self.changes.note(entry));
        info!(
            holds = orphans.len(),
            "requests that never came to an end are booked with all that was set aside for them"
        );
        Ok(())
    }
}

fn keep(sums: &mut Option<Sums>, changes: &mut Changes, position: &Position) {
    let kept = sums.as_mut().map(|sums| sums.apply(changes, position));
    if let Some(Err(why)) = kept {
        warn!(why, "the sums beside the ledger cannot be written; each start reads all of it");
        *sums = None;
    }
    *changes = Changes::default();
}

/// Makes the folder and takes it for this process alone.
fn lock(folder: &Path) -> Result<File, Trouble> {
    let cannot = |source| Trouble::Folder { path: folder.to_owned(), source };
    private::make(folder).map_err(cannot)?;
    let file = File::options().create(true).append(true).open(folder.join("LOCK")).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Trouble::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(cannot(source)),
    }
}

/// Makes the names of new folders survive a loss of power: a name is kept by the folder it is in.
fn make_safe(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()?;
    let parent = folder.canonicalize()?.parent().map(File::open).transpose();
    // A parent that may not be read was there before.
    parent.ok().flatten().map_or(Ok(()), |parent| parent.sync_all())
}

/// Moves sums that cannot be trusted out of the way; somebody may want to look at them.
fn set_aside(sums: &Path, why: &str, now: Timestamp) -> Result<(), Trouble> {
    if !sums.exists() {
        return Ok(());
    }
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let name = |more: u32| match more {
        0 => format!("sums.broken-{time}"),
        _ => format!("sums.broken-{time}-{more}"),
    };
    let aside: Option<PathBuf> = (0..).map(|more| sums.with_file_name(name(more))).find(|path| !path.exists());
    let Some(aside) = aside else { return Ok(()) };
    warn!(why, moved_to = %aside.display(), "the sums beside the ledger cannot be used; they are made anew from the log");
    fs::rename(sums, &aside).map_err(Trouble::io(sums))
}

/// So many records are summed up before they are stored, when all are read anew.
const PORTION: usize = 1 << 16;
