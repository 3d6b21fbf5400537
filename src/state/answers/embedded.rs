//! Answers in a folder of this machine, by sled: they outlive the process, but perhaps not a power cut.
//!
//! What was used lately is in memory as well, where it is found at once. An answer is read when it is asked for, not
//! before: what there is is known by the [order](order), in which each has one entry. What is damaged is not there, and
//! a folder that cannot be read is moved aside: answers can be asked for anew. Those that are of no use any more go at
//! the start and now and then, whichever policy they were of.

mod likeness;
mod order;
mod removal;
mod taken;
mod used;
mod waiting;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use jiff::Timestamp;
use sled::Batch;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use super::{
    Answers, Bearing, EmbedderHash, Found, Ground, Kept, LocalAnswers, Place, Recalling, Room, Standing, Stock, Whose,
    policy_hash,
};
use crate::base::clock::Clock;
use crate::base::ids::PolicyName;
use crate::base::private;
use crate::state::trouble::Trouble;
use order::Entry;
use taken::Taken;
use used::Used;
use waiting::Waiting;

/// The answers of one machine. Nobody else may use its folder.
#[derive(Clone)]
pub struct EmbeddedAnswers {
    db: sled::Db,
    near: Arc<LocalAnswers>,
    clock: Clock,
    books: Arc<Mutex<Books>>,
    /// How often anything was forgotten.
    forgets: Arc<AtomicU64>,
    answers: Waiting<Place, Put>,
    standings: Waiting<Ground, Standing>,
    /// Somebody was sent to write what waits, and has not begun.
    is_sent: Arc<AtomicBool>,
    /// Answers were turned away, which was said.
    is_full: Arc<AtomicBool>,
    used: Used,
    /// Room for those that are being read.
    reading: Arc<Semaphore>,
}

/// An answer that is to be kept, and where its question lies.
struct Put {
    kept: Arc<Kept>,
    room: Room,
    bearing: Option<Bearing>,
}

impl Put {
    /// Bytes that it takes, about.
    fn size(&self) -> u64 {
        self.kept.size() + self.bearing.as_ref().map_or(0, |bearing| (bearing.form.len() + bearing.vector.len()) as u64)
    }
}

/// What is known of what there is. Held while that is changed.
#[derive(Default)]
struct Books {
    taken: HashMap<[u8; 16], Taken>,
    swept: Timestamp,
}

impl EmbeddedAnswers {
    /// Opens the folder, made if need be. Blocks: not for an async thread.
    ///
    /// # Errors
    /// When neither it nor a fresh one in its place can be used.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, Trouble> {
        let open = || Self::read_in(folder, clock);
        open().or_else(|error| {
            // Whoever holds it has it in order.
            if is_held(&error) {
                return Err(Trouble::io(folder)(std::io::Error::other(error)));
            }
            let aside = folder.with_extension(format!("broken-{}", clock.now().as_second()));
            warn!(%error, aside = %aside.display(), "the answers that were kept cannot be read, and are moved aside");
            std::fs::rename(folder, aside).map_err(Trouble::io(folder))?;
            open().map_err(|error| Trouble::io(folder)(std::io::Error::other(error)))
        })
    }

    fn read_in(folder: &Path, clock: Clock) -> sled::Result<Self> {
        private::make_or_close(folder)?;
        let db = sled::Config::new().path(folder).cache_capacity(CACHE).open()?;
        if db.get(LAYOUT.0)?.as_deref() != Some(LAYOUT.1) {
            db.clear()?;
            db.insert(LAYOUT.0, LAYOUT.1)?;
        }
        let answers = Self {
            db,
            near: Arc::default(),
            clock,
            books: Arc::default(),
            forgets: Arc::default(),
            answers: Waiting::with_room(MOST_WAITING, Put::size),
            // There are only so many grounds.
            standings: Waiting::with_room(u64::MAX, |_| 0),
            is_sent: Arc::default(),
            is_full: Arc::default(),
            used: Used::default(),
            reading: Arc::new(Semaphore::new(READ_AT_ONCE)),
        };
        answers.sweep(&mut answers.lock())?;
        Ok(answers)
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self, prefix: &[u8]) -> impl Iterator<Item = sled::Result<Entry>> + use<> {
        self.db.scan_prefix(prefix).filter_map(|entry| entry.map(|(key, value)| Entry::read(&key, &value)).transpose())
    }

    fn read(&self, place: &Place) -> sled::Result<Found> {
        let Some(stored) = self.db.get(answer_key(place))? else { return Ok(Found::Nothing) };
        if let Some(kept) = Kept::read(Bytes::copy_from_slice(&stored), place) {
            return Ok(Found::Answer(Arc::new(kept)));
        }
        self.drop_where(&mut self.lock(), &policy_hash(place.policy()), |entry| entry.place == place.key())?;
        // Also where there is no entry for it, but not what may have been kept anew meanwhile.
        let _ = self.db.compare_and_swap(answer_key(place), Some(stored), None::<&[u8]>)?;
        Ok(Found::Damaged)
    }

    /// Writes what waits for that, as far as it can be written. Blocks.
    fn write_all(&self, books: &mut Books) -> sled::Result<()> {
        let mut outcome = Ok(());
        while let Some((place, Put { kept, room, bearing })) = self.answers.next() {
            outcome = outcome.and(self.write(books, &place, &kept, room, bearing.as_ref()));
        }
        while let Some((ground, standing)) = self.standings.next() {
            outcome = outcome.and(self.write_standing(&ground, &standing));
        }
        outcome
    }

    fn write(
        &self,
        books: &mut Books,
        place: &Place,
        kept: &Kept,
        room: Room,
        bearing: Option<&Bearing>,
    ) -> sled::Result<()> {
        let policy = policy_hash(place.policy());
        let value = kept.write(place);
        let key = likeness::bearing_key(&place.key());
        let bearing = match bearing {
            Some(bearing) => Some(bearing.write(&place.key())),
            // An answer that is renewed has the question that it had before.
            None => self.db.get(&key)?.map(|known| known.to_vec()),
        };
        let bytes = value.len() + bearing.as_ref().map_or(0, Vec::len);
        let entry = Entry::of(place, kept, room, bytes as u64);
        if !books.taken.contains_key(&policy) {
            self.db.insert(name_key(&policy), place.policy().as_str())?;
        }
        let taken = books.taken.entry(policy).or_default();
        let mut batch = Batch::default();
        if let Some(old) = self.db.get(answer_key(place))?
            && let Some(before) = self.entry_before(&old, &entry)?
        {
            let counted = self.db.get(before.key())?.and_then(|value| Entry::read(&before.key(), &value));
            taken.give_back(counted.map_or(old.len() as u64, |counted| counted.bytes));
            batch.remove(before.key());
        }
        taken.add(entry.bytes);
        batch.remove(order::moved(&entry.place));
        batch.insert(entry.key(), entry.value());
        batch.insert(entry.answer(), value);
        if let Some(bearing) = bearing {
            batch.insert(key, bearing);
        }
        self.db.apply_batch(batch)?;
        self.make_room(taken, room, &entry)
    }

    /// What there is, by policy. Blocks.
    fn count(&self) -> sled::Result<Vec<Stock>> {
        let mut stock = Vec::new();
        for (policy, taken) in self.lock().taken.iter().filter(|(_, taken)| taken.entries > 0) {
            let name = self.db.get(name_key(policy))?;
            let name = name.as_deref().and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("?");
            stock.push(Stock {
                policy: PolicyName::new(name),
                answers: taken.entries,
                bytes: Some(taken.bytes),
                by_likeness: Some(self.bearings(policy)?),
            });
        }
        Ok(stock)
    }
}

/// Whether the folder is another process's.
fn is_held(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        || error.to_string().contains("could not acquire lock")
}

fn answer_key(place: &Place) -> Vec<u8> {
    order::answer(&place.key())
}

fn name_key(policy: &[u8; 16]) -> Vec<u8> {
    [&[NAME][..], policy].concat()
}

impl Answers for EmbeddedAnswers {
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            if let Some(kept) = self.near.look(place) {
                self.used.note(place.key());
                return Found::Answer(kept);
            }
            let forgets = self.forgets.load(Ordering::Acquire);
            match timeout(PATIENCE, self.read_aside(place.clone())).await {
                Ok(Ok(found)) => {
                    if let Found::Answer(kept) = &found {
                        self.used.note(place.key());
                        self.near.put_back(place, kept);
                        // Whoever forgets it after this takes it out of the near ones as well.
                        if self.forgets.load(Ordering::Acquire) != forgets {
                            self.near.remove(place);
                        }
                    }
                    found
                }
                Ok(Err(error)) => {
                    warn!(error, "an answer that was kept cannot be read");
                    Found::Unknown
                }
                Err(_) => Found::Unknown,
            }
        })
    }

    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) -> bool {
        self.put(place, kept, room, None)
    }

    fn keep_with(&self, place: Place, kept: Arc<Kept>, room: Room, bearing: Bearing) -> bool {
        self.put(place, kept, room, Some(bearing))
    }

    fn stand(&self, rooms: &[(PolicyName, Room)]) {
        self.near.make_stand(rooms);
    }

    fn note(&self, ground: &Ground, standing: &Standing) {
        self.standings.put(ground.clone(), standing.clone(), |_, _| ());
        self.send_to_write();
    }

    fn recall(&self, policy: &PolicyName, embedder: EmbedderHash) -> Option<Recalling> {
        let (this, policy) = (self.clone(), policy.clone());
        Some(Box::pin(blocking(move || this.recalled(&policy, embedder))))
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        let this = self.clone();
        Box::pin(async move {
            let flushed = blocking(move || {
                let mut books = this.lock();
                this.write_all(&mut books)?;
                this.db.flush()
            });
            if let Err(error) = flushed.await {
                warn!(error, "answers that were kept last may be lost");
            }
        })
    }

    fn stock<'a>(&'a self, _: &'a [PolicyName]) -> BoxFuture<'a, Result<Vec<Stock>, String>> {
        let this = self.clone();
        Box::pin(async move { blocking(move || this.count()).await })
    }

    fn forget<'a>(&'a self, whose: &'a Whose) -> BoxFuture<'a, Result<u64, String>> {
        self.near.drop_of(whose);
        let (this, whose) = (self.clone(), whose.clone());
        Box::pin(async move {
            blocking(move || {
                let is_theirs = |entry: &Entry| whose.scope.as_ref().is_none_or(|scope| scope.has(&entry.place[0]));
                let mut books = this.lock();
                // What is on its way would come back.
                this.write_all(&mut books)?;
                this.drop_standings(&whose)?;
                let dropped = this.drop_where(&mut books, &policy_hash(&whose.policy), is_theirs);
                // What was read just before that may have been put back meanwhile.
                this.forgets.fetch_add(1, Ordering::AcqRel);
                this.near.drop_of(&whose);
                dropped
            })
            .await
        })
    }
}

impl EmbeddedAnswers {
    fn put(&self, place: Place, kept: Arc<Kept>, room: Room, bearing: Option<Bearing>) -> bool {
        self.near.put(&place, Arc::clone(&kept), room);
        // An answer that is renewed has the question that it had before.
        let take = |new: &mut Put, old: Put| new.bearing = new.bearing.take().or(old.bearing);
        let is_taken = self.answers.put(place.clone(), Put { kept, room, bearing }, take);
        if !is_taken {
            self.near.remove(&place);
            if !self.is_full.swap(true, Ordering::AcqRel) {
                warn!("answers come faster than the disk takes them; some are not kept");
            }
        }
        self.send_to_write();
        is_taken
    }

    /// Has somebody write what waits, unless somebody is about to begin.
    fn send_to_write(&self) {
        if self.is_sent.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        aside(move || {
            let mut books = this.lock();
            // What is put from here on may be seen here or not, so somebody else is sent.
            this.is_sent.swap(false, Ordering::AcqRel);
            let written = this.write_all(&mut books);
            drop(books);
            this.is_full.store(false, Ordering::Release);
            if let Err(error) = written.and_then(|()| this.sweep_now_and_then()) {
                warn!(%error, "an answer, or how similar ones have fared, cannot be kept");
            }
        });
    }

    async fn read_aside(&self, place: Place) -> Result<Found, String> {
        // It is given back when the disk has answered, which may be long after anybody has waited for it.
        let room = Arc::clone(&self.reading).acquire_owned().await.map_err(|_| "the gateway is stopping".to_owned())?;
        let this = self.clone();
        blocking(move || {
            let found = this.read(&place);
            drop(room);
            found
        })
        .await
    }
}

/// Does what nobody waits for. Without a runtime there is nobody whose thread it could hold up.
fn aside(work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => work(),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> sled::Result<T> + Send + 'static) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| "the gateway is stopping".to_owned())?;
    done.map_err(|error| error.to_string())
}

const NAME: u8 = b'n';
/// What the keys and values mean. Whatever was written otherwise is given up.
const LAYOUT: (&[u8], &[u8]) = (b"layout", b"3");
/// Bytes of memory for what was read lately, beside the answers themselves.
const CACHE: u64 = 8 << 20;
/// Bytes of answers that may wait to be written.
const MOST_WAITING: u64 = 32 << 20;
/// How long a request waits for the disk.
const PATIENCE: Duration = Duration::from_millis(250);
const READ_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests;
