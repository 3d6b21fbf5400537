//! Answers in a folder of this machine, by sled: they outlive the process, but perhaps not a power cut.
//!
//! What was used lately is in memory as well, where it is found at once. Each answer is written together with an entry
//! of its policy's order, by which the oldest go when there is no more room. What is damaged is not there, and a folder
//! that cannot be read is moved aside: answers can be asked for anew.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_core::future::BoxFuture;
use sled::{Batch, IVec};
use tokio::runtime::Handle;
use tracing::warn;

use super::{Answers, Kept, LocalAnswers, Place, Room, policy_hash};
use crate::base::clock::Clock;
use crate::state::trouble::Trouble;

/// The answers of one machine. Nobody else may use its folder.
#[derive(Clone)]
pub struct EmbeddedAnswers {
    db: sled::Db,
    near: Arc<LocalAnswers>,
    /// What each policy has. Held while that is changed.
    taken: Arc<Mutex<HashMap<[u8; 16], Taken>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    bytes: u64,
    entries: u64,
}

impl EmbeddedAnswers {
    /// Opens the folder, made if need be. Blocks: not for an async thread.
    ///
    /// # Errors
    /// When neither it nor a fresh one in its place can be used.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, Trouble> {
        let open = || -> sled::Result<(sled::Db, HashMap<[u8; 16], Taken>)> {
            let db = sled::Config::new().path(folder).cache_capacity(CACHE).open()?;
            let taken = taken(&db)?;
            Ok((db, taken))
        };
        let (db, taken) = open().or_else(|error| {
            let aside = folder.with_extension(format!("broken-{}", clock.now().as_second()));
            warn!(%error, aside = %aside.display(), "the answers that were kept cannot be read, and are moved aside");
            std::fs::rename(folder, aside).map_err(Trouble::io(folder))?;
            open().map_err(|error| Trouble::io(folder)(std::io::Error::other(error)))
        })?;
        Ok(Self { db, near: Arc::default(), taken: Arc::new(Mutex::new(taken)) })
    }

    fn read(&self, place: &Place) -> sled::Result<Option<Kept>> {
        let key = answer_key(place);
        let Some(found) = self.db.get(&key)? else { return Ok(None) };
        let kept = Kept::read(Bytes::copy_from_slice(&found));
        if kept.is_none() {
            // Its entry in the order goes when it is the oldest.
            let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(_), Some(taken)) = (self.db.remove(&key)?, all.get_mut(&policy_hash(place.policy()))) {
                taken.give_back(found.len());
            }
        }
        Ok(kept)
    }

    fn write(&self, place: &Place, kept: &Kept, room: Room) -> sled::Result<()> {
        let policy = policy_hash(place.policy());
        let value = kept.write();
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(policy).or_default();
        let mut batch = Batch::default();
        let key = answer_key(place);
        if let Some(old) = self.db.get(&key)? {
            taken.give_back(old.len());
        }
        taken.entries += 1;
        taken.bytes += value.len() as u64;
        let order = order_key(&policy, kept, place);
        batch.insert(order.as_slice(), key.as_slice());
        batch.insert(key.as_slice(), value);
        self.db.apply_batch(batch)?;
        self.make_room(&policy, taken, room, &order)
    }

    /// Drops the oldest of a policy until the others fit, but not the one that has just come.
    fn make_room(&self, policy: &[u8; 16], taken: &mut Taken, room: Room, newest: &[u8]) -> sled::Result<()> {
        let prefix = [&[ORDER][..], policy].concat();
        for entry in self.db.scan_prefix(&prefix) {
            if taken.bytes <= room.bytes && taken.entries <= room.entries {
                break;
            }
            let (order, key) = entry?;
            if &*order == newest {
                break;
            }
            let mut batch = Batch::default();
            batch.remove(order.clone());
            // An answer that was renewed has a later entry, too.
            if let Some(old) = self.db.get(&key)?
                && is_of(&order, &old)
            {
                taken.give_back(old.len());
                batch.remove(key);
            }
            self.db.apply_batch(batch)?;
        }
        Ok(())
    }
}

impl Taken {
    fn give_back(&mut self, bytes: usize) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }
}

/// What policies have, by going through all there is. Entries of the order that lead nowhere are dropped.
fn taken(db: &sled::Db) -> sled::Result<HashMap<[u8; 16], Taken>> {
    let mut all: HashMap<[u8; 16], Taken> = HashMap::new();
    for entry in db.scan_prefix([ORDER]) {
        let (order, key) = entry?;
        let answer = db.get(&key)?.filter(|answer| is_of(&order, answer));
        let policy = order.get(1..).and_then(<[u8]>::first_chunk::<16>);
        match (answer, policy) {
            (Some(answer), Some(policy)) => {
                let taken = all.entry(*policy).or_default();
                taken.entries += 1;
                taken.bytes += answer.len() as u64;
            }
            _ => drop(db.remove(&order)?),
        }
    }
    Ok(all)
}

fn answer_key(place: &Place) -> Vec<u8> {
    let [scope, question] = place.key();
    [&[ANSWER][..], &scope, &question].concat()
}

/// Policy, time, place: the oldest of a policy come first.
fn order_key(policy: &[u8; 16], kept: &Kept, place: &Place) -> Vec<u8> {
    let at = kept.origin.at.as_millisecond().to_be_bytes();
    let [scope, question] = place.key();
    [&[ORDER][..], policy, &at, &scope, &question].concat()
}

/// Whether an entry of the order is this answer's, and not that of one in the same place before it.
fn is_of(order: &IVec, answer: &IVec) -> bool {
    let at = order.get(17..25).and_then(<[u8]>::first_chunk::<8>).map(|at| i64::from_be_bytes(*at));
    let kept = Kept::read(Bytes::copy_from_slice(answer));
    kept.is_some_and(|kept| Some(kept.origin.at.as_millisecond()) == at)
}

impl Answers for EmbeddedAnswers {
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Option<Arc<Kept>>> {
        Box::pin(async move {
            if let Some(kept) = self.near.look(place) {
                return Some(kept);
            }
            let (this, far) = (self.clone(), place.clone());
            let read = tokio::task::spawn_blocking(move || this.read(&far)).await.ok()?;
            match read {
                Ok(kept) => kept.map(Arc::new).inspect(|kept| self.near.put_back(place, kept)),
                Err(error) => {
                    warn!(%error, "an answer that was kept cannot be read");
                    None
                }
            }
        })
    }

    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) {
        self.near.put(&place, Arc::clone(&kept), room);
        let this = self.clone();
        let write = move || {
            if let Err(error) = this.write(&place, &kept, room) {
                warn!(%error, "an answer cannot be kept");
            }
        };
        // Nobody waits for it. Without a runtime there is nobody whose thread it could hold up.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(write)),
            Err(_) => write(),
        }
    }
}

const ANSWER: u8 = b'a';
const ORDER: u8 = b'o';
/// Bytes of memory for what was read lately, beside the answers themselves.
const CACHE: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::answers::tests::{ROOM, keeps_its_promises, kept, place, said};

    fn open(folder: &Path) -> EmbeddedAnswers {
        EmbeddedAnswers::open(folder, Clock::system()).unwrap()
    }

    #[tokio::test]
    async fn a_folder_keeps_its_promises() {
        let folder = tempfile::tempdir().unwrap();
        keeps_its_promises(&open(&folder.path().join("answers"))).await;
    }

    #[tokio::test]
    async fn a_folder_keeps_what_it_was_given_and_counts_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let answers = open(&path);
        answers.write(&place("again", 1), &kept("one"), ROOM).unwrap();
        answers.write(&place("again", 1), &kept("two"), ROOM).unwrap();
        drop(answers);
        let answers = open(&path);
        assert_eq!(said(answers.find(&place("again", 1)).await).as_deref(), Some("two"));
        let taken = *answers.taken.lock().unwrap().values().next().unwrap();
        assert_eq!((taken.entries, taken.bytes), (1, kept("two").write().len() as u64));
    }

    #[tokio::test]
    async fn what_is_damaged_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let answers = open(&folder.path().join("answers"));
        let whole = kept("one").write();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(Kept::read(damaged.into()).is_none(), "byte {at}");
            assert!(Kept::read(Bytes::copy_from_slice(&whole[..at])).is_none(), "the first {at} bytes");
        }
        let mut damaged = whole;
        damaged[30] ^= 1;
        answers.db.insert(answer_key(&place("bad", 1)), damaged).unwrap();
        assert!(answers.find(&place("bad", 1)).await.is_none());
        assert!(answers.db.get(answer_key(&place("bad", 1))).unwrap().is_none());
    }

    #[test]
    fn a_folder_has_no_more_room_than_it_is_given_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let answers = open(&folder.path().join("answers"));
        let at = |second: u8| {
            let mut one = (*kept("x")).clone();
            one.origin.at = jiff::Timestamp::from_second(second.into()).unwrap();
            one
        };
        let room = Room { entries: 3, ..ROOM };
        for number in 0..10 {
            answers.write(&place("room", number), &at(number), room).unwrap();
        }
        let left: Vec<u8> = (0..10).filter(|number| answers.read(&place("room", *number)).unwrap().is_some()).collect();
        assert_eq!(left, [7, 8, 9]);
        assert_eq!(answers.db.len(), 6, "an answer and its entry of the order each");
    }
}
