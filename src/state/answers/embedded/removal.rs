//! What goes from the folder: what is of no use any more, what finds no room, and what is to be forgotten.

use jiff::Timestamp;
use sled::Batch;

use super::order::{self, Entry, ORDER};
use super::taken::Taken;
use super::{Books, EmbeddedAnswers, likeness};
use crate::state::answers::Room;

impl EmbeddedAnswers {
    /// Drops what is of no use any more, and counts the rest: at the start, when nobody waits.
    pub(super) fn sweep(&self, books: &mut Books) -> sled::Result<()> {
        let now = self.clock.now();
        books.swept = now;
        books.taken.clear();
        for entry in self.entries(&[ORDER]) {
            let entry = entry?;
            if entry.ends < now.as_millisecond() {
                self.remove(&entry)?;
            } else {
                books.taken.entry(entry.policy).or_default().add(entry.bytes);
            }
        }
        self.sweep_standings(now)
    }

    /// The same when it is time for it, in portions, between which others have the books.
    pub(super) fn sweep_now_and_then(&self) -> sled::Result<()> {
        let now = self.clock.now();
        {
            let mut books = self.lock();
            if now.duration_since(books.swept).as_secs() <= SWEEP_EVERY {
                return Ok(());
            }
            books.swept = now;
        }
        let mut next = Some(vec![ORDER]);
        while let Some(from) = next {
            next = self.sweep_from(&from, now)?;
            std::thread::yield_now();
        }
        self.sweep_standings(now)
    }

    /// Drops what is of no use any more among the next few entries; where to go on, if there are any more.
    pub(super) fn sweep_from(&self, from: &[u8], now: Timestamp) -> sled::Result<Option<Vec<u8>>> {
        let mut books = self.lock();
        for (number, stored) in self.db.range(from.to_vec()..vec![ORDER + 1]).enumerate() {
            let (key, value) = stored?;
            if number == PORTION {
                return Ok(Some(key.to_vec()));
            }
            let Some(entry) = Entry::read(&key, &value).filter(|entry| entry.ends < now.as_millisecond()) else {
                continue;
            };
            books.taken.entry(entry.policy).or_default().give_back(entry.bytes);
            self.remove(&entry)?;
        }
        Ok(None)
    }

    /// Drops the oldest of a policy until the others fit, but not the one that has just come. What was used since it came, or
    /// since it was its turn before, is left for once, as if it had come now.
    pub(super) fn make_room(&self, taken: &mut Taken, room: Room, newest: &Entry) -> sled::Result<()> {
        for leaves_what_was_used in [true, false] {
            for entry in self.entries(&order::prefix(&newest.policy)) {
                let entry = entry?;
                if taken.bytes <= room.bytes && taken.entries <= room.entries {
                    return Ok(());
                }
                if entry == *newest {
                    continue;
                }
                if leaves_what_was_used && self.used.take(&entry.place) {
                    self.move_beside(&entry, newest)?;
                    continue;
                }
                taken.give_back(entry.bytes);
                self.remove(&entry)?;
            }
        }
        Ok(())
    }

    fn move_beside(&self, entry: &Entry, newest: &Entry) -> sled::Result<()> {
        let moved = entry.beside(newest);
        let mut batch = Batch::default();
        batch.remove(entry.key());
        batch.insert(moved.key(), moved.value());
        batch.insert(order::moved(&entry.place), &moved.at());
        self.db.apply_batch(batch)
    }

    /// The entry of the answer that was where a new one is written.
    pub(super) fn entry_before(&self, old: &[u8], new: &Entry) -> sled::Result<Option<Entry>> {
        let moved = self.db.get(order::moved(&new.place))?;
        Ok(Entry::before(old, new, moved.as_deref()))
    }

    /// Drops what fits of a policy's, and says how many that were.
    pub(super) fn drop_where(
        &self,
        books: &mut Books,
        policy: &[u8; 16],
        fits: impl Fn(&Entry) -> bool,
    ) -> sled::Result<u64> {
        let taken = books.taken.entry(*policy).or_default();
        let mut dropped = 0;
        for entry in self.entries(&order::prefix(policy)) {
            let entry = entry?;
            if fits(&entry) {
                taken.give_back(entry.bytes);
                self.remove(&entry)?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    fn remove(&self, entry: &Entry) -> sled::Result<()> {
        let mut batch = Batch::default();
        batch.remove(entry.key());
        batch.remove(entry.answer());
        batch.remove(order::moved(&entry.place));
        batch.remove(likeness::bearing_key(&entry.place));
        self.db.apply_batch(batch)
    }
}

/// So many entries are gone through at a time.
const PORTION: usize = 256;
/// Seconds.
const SWEEP_EVERY: i64 = 600;
