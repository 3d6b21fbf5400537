//! Sums derived from the log, so that a start need not read all of it.
//!
//! They live in sled, which promises little: its `flush` is no `fsync`, and it calls itself beta. So they are
//! written only after the log, together with the place in the log that they stand for; they are checked when
//! they are read; and whenever anything is odd they are moved aside and made anew.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::base::ids::AccountId;
use crate::base::private;
use crate::state::books::{Books, Hold, REMEMBERED};
use crate::state::claim::HoldId;
use crate::state::log::Position;
use crate::state::record::Entry;
use crate::state::slot::Slot;

pub(super) struct Sums {
    db: sled::Db,
    check: Check,
}

/// What the log says that is not in the sums yet.
#[derive(Debug, Default)]
pub(super) struct Changes {
    spent: HashMap<(AccountId, Slot), i128>,
    holds: HashMap<HoldId, Option<Kept>, RandomState>,
    pub records: usize,
}

/// All that was kept.
#[derive(Default)]
pub(super) struct Loaded {
    pub position: Option<Position>,
    spent: Vec<(AccountId, Slot, i128)>,
    holds: Vec<(HoldId, Kept)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    is_late: bool,
    hold: Hold,
}

/// What must be true of all keys together. sled could lose or keep a single one of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Check {
    /// As text, for JSON has no such numbers.
    spent: String,
    sums: u64,
    holds: u64,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    position: Position,
    check: Check,
}

impl Sums {
    /// Opens and reads sums. What is wrong with them is for people to read; the cure is always the same.
    pub fn open(folder: &Path) -> Result<(Self, Loaded), String> {
        guarded(|| {
            private::make(folder).map_err(|fault| fault.to_string())?;
            let config = sled::Config::new()
                .path(folder)
                .cache_capacity(CACHE)
                .use_compression(false)
                .flush_every_ms(None)
                .print_profile_on_drop(false);
            let db = config.open().map_err(|fault| fault.to_string())?;
            let mark = db.get(MARK).map_err(|fault| fault.to_string())?;
            let mark: Option<Mark> = match mark {
                Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(|fault| fault.to_string())?),
                None => None,
            };
            let loaded = load(&db, mark.as_ref().map(|mark| mark.position.clone()))?;
            let check = loaded.check();
            if check != mark.map(|mark| mark.check).unwrap_or_default() {
                return Err("they do not add up".to_owned());
            }
            Ok((Self { db, check }, loaded))
        })
    }

    /// Adds changes; from now on the sums stand for `position`.
    pub fn apply(&mut self, changes: &Changes, position: &Position) -> Result<(), String> {
        guarded(|| {
            let mut batch = sled::Batch::default();
            let check = self.gather(changes, &mut batch).map_err(|fault| fault.to_string())?;
            let mark = Mark { position: position.clone(), check };
            batch.insert(MARK, serde_json::to_vec(&mark).map_err(|fault| fault.to_string())?);
            self.db.apply_batch(batch).map_err(|fault| fault.to_string())?;
            self.db.flush().map_err(|fault| fault.to_string())?;
            self.check = mark.check;
            Ok(())
        })
    }

    fn gather(&self, changes: &Changes, batch: &mut sled::Batch) -> sled::Result<Check> {
        let mut check = self.check.clone();
        let mut total: i128 = check.spent.parse().unwrap_or_default();
        for ((account, slot), change) in &changes.spent {
            let key = sum_key(account, *slot);
            let before = self.db.get(&key)?.map(|bytes| number(&bytes));
            let after = before.unwrap_or_default() + change;
            total += change;
            check.sums += u64::from(before.is_none());
            if after == 0 {
                check.sums -= 1;
                batch.remove(key);
            } else {
                batch.insert(key, &after.to_be_bytes());
            }
        }
        for (hold, kept) in &changes.holds {
            let key = hold_key(*hold);
            let was_there = self.db.contains_key(&key)?;
            match kept.as_ref().and_then(|kept| serde_json::to_vec(kept).ok()) {
                Some(bytes) => {
                    check.holds += u64::from(!was_there);
                    batch.insert(key, bytes);
                }
                None => {
                    check.holds -= u64::from(was_there);
                    batch.remove(key);
                }
            }
        }
        check.spent = total.to_string();
        Ok(check)
    }
}

impl Changes {
    pub fn note(&mut self, entry: &Entry) {
        self.records += 1;
        for booking in entry.booked() {
            let key = (booking.account.clone(), booking.slot);
            *self.spent.entry(key).or_default() += i128::from(booking.amount.0);
        }
        match entry {
            Entry::Reserved { hold, lapses, legs, .. } => {
                let hold_kept = Hold { lapses: *lapses, legs: legs.clone() };
                self.holds.insert(*hold, Some(Kept { is_late: false, hold: hold_kept }));
            }
            Entry::Lapsed { hold, at, booked } => {
                let hold_kept = Hold { lapses: *at, legs: booked.clone() };
                self.holds.insert(*hold, Some(Kept { is_late: true, hold: hold_kept }));
            }
            Entry::Settled { hold, .. } => self.forget(*hold),
        }
    }

    /// One that came and went since the last time leaves no trace.
    fn forget(&mut self, hold: HoldId) {
        match self.holds.remove(&hold) {
            Some(Some(kept)) if !kept.is_late => {}
            _ => {
                self.holds.insert(hold, None);
            }
        }
    }
}

impl Loaded {
    /// Puts what was kept into empty books, and gives the changes that drop what is too old to be kept.
    pub fn carry_into(mut self, books: &mut Books, horizon: Slot) -> Changes {
        let mut changes = Changes::default();
        for (account, slot, spent) in self.spent {
            if slot < horizon && slot != Slot::FIRST {
                *changes.spent.entry((account.clone(), slot)).or_default() -= spent;
                *changes.spent.entry((account.clone(), Slot::FIRST)).or_default() += spent;
            }
            books.carry(account, slot, spent);
        }
        self.holds.sort_by_key(|(_, kept)| (kept.is_late, kept.hold.lapses));
        let late = self.holds.iter().filter(|(_, kept)| kept.is_late).count();
        let mut too_many = late.saturating_sub(REMEMBERED);
        for (hold, kept) in self.holds {
            match kept.is_late {
                false => books.open(hold, kept.hold),
                true if too_many > 0 => {
                    too_many -= 1;
                    changes.holds.insert(hold, None);
                }
                true => books.assume(hold, kept.hold),
            }
        }
        changes
    }

    fn check(&self) -> Check {
        let spent: i128 = self.spent.iter().map(|(_, _, spent)| spent).sum();
        Check { spent: spent.to_string(), sums: self.spent.len() as u64, holds: self.holds.len() as u64 }
    }
}

impl Default for Check {
    fn default() -> Self {
        Self { spent: "0".to_owned(), sums: 0, holds: 0 }
    }
}

fn load(db: &sled::Db, position: Option<Position>) -> Result<Loaded, String> {
    let mut loaded = Loaded { position, spent: Vec::new(), holds: Vec::new() };
    for pair in db.iter() {
        let (key, value) = pair.map_err(|fault| fault.to_string())?;
        match key.split_first() {
            Some((b's', rest)) => {
                let (account, slot) = rest.split_last_chunk().ok_or("a key is cut short")?;
                let account = std::str::from_utf8(account).map_err(|fault| fault.to_string())?;
                loaded.spent.push((AccountId::new(account), Slot(u32::from_be_bytes(*slot)), number(&value)));
            }
            Some((b'h', rest)) => {
                let hold = std::str::from_utf8(rest).map_err(|fault| fault.to_string())?.parse()?;
                loaded.holds.push((hold, serde_json::from_slice(&value).map_err(|fault| fault.to_string())?));
            }
            _ => {}
        }
    }
    Ok(loaded)
}

/// sled panics where its files are not what it expects; for us that is one more way to be broken.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("sled gave up on them".to_owned()))
}

fn sum_key(account: &AccountId, slot: Slot) -> Vec<u8> {
    [b"s", account.as_str().as_bytes(), &slot.0.to_be_bytes()].concat()
}

fn hold_key(hold: HoldId) -> Vec<u8> {
    format!("h{hold}").into_bytes()
}

fn number(bytes: &[u8]) -> i128 {
    bytes.try_into().map(i128::from_be_bytes).unwrap_or_default()
}

const MARK: &[u8] = b"mark";
/// Bytes.
const CACHE: u64 = 16 << 20;
