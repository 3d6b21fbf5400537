//! What the folder has of similar questions: beside each answer where its question lies, and by those who share answers
//! how these have fared.
//!
//! Both are of an embedder, and nothing is compared across two of them. What another has left stays as long as it would have
//! with that one: files that name another may not come into charge, or may be mended again.

use jiff::Timestamp;
use sled::Batch;

use super::EmbeddedAnswers;
use super::order;
use crate::base::ids::PolicyName;
use crate::state::answers::{Bearing, EmbedderHash, Ground, Place, Recalled, Standing, Whose, policy_hash};

impl EmbeddedAnswers {
    /// What there is of a policy's, by one embedder. Blocks.
    pub(super) fn recalled(&self, policy: &PolicyName, embedder: EmbedderHash) -> sled::Result<Recalled> {
        let mut recalled = Recalled::default();
        for entry in self.entries(&order::prefix(&policy_hash(policy))) {
            let entry = entry?;
            let key = bearing_key(&entry.place);
            let Some(stored) = self.db.get(&key)? else { continue };
            match Bearing::read(&stored, &entry.place) {
                Some(bearing) if bearing.embedder == embedder => {
                    let [scope, question] = entry.place;
                    recalled.questions.push((Place { policy: policy.clone(), scope, question }, bearing));
                }
                Some(_) => {}
                None => self.drop_stale(&key, &stored)?,
            }
        }
        for stored in self.db.scan_prefix(standing_prefix(&policy_hash(policy))) {
            let (key, value) = stored?;
            match read_standing(policy, &key, &value) {
                Some((ground, noted)) if ground.embedder == embedder => {
                    recalled.standings.push((ground, noted.standing))
                }
                Some(_) => {}
                None => self.drop_stale(&key, &value)?,
            }
        }
        Ok(recalled)
    }

    /// Removes what is of no use, if it was not written anew meanwhile.
    fn drop_stale(&self, key: &[u8], stored: &sled::IVec) -> sled::Result<()> {
        self.db.compare_and_swap(key, Some(stored), None::<&[u8]>).map(drop)
    }

    pub(super) fn write_standing(&self, ground: &Ground, standing: &Standing) -> sled::Result<()> {
        let noted = Noted { at: self.clock.now().as_millisecond(), standing: standing.clone() };
        // Nothing in it can fail to be JSON.
        let rest = serde_json::to_vec(&noted).unwrap_or_default();
        let key = standing_key(ground);
        let value = [[VERSION].as_slice(), &sum(&key, &rest), &rest].concat();
        self.db.insert(key, value).map(drop)
    }

    /// Drops what nobody has added to for so long that it says nothing of today.
    pub(super) fn sweep_standings(&self, now: Timestamp) -> sled::Result<()> {
        let oldest = now.as_millisecond().saturating_sub(LASTS);
        for stored in self.db.scan_prefix([STANDING]) {
            let (key, value) = stored?;
            if read_noted(&key, &value).is_none_or(|noted| noted.at < oldest) {
                self.drop_stale(&key, &value)?;
            }
        }
        Ok(())
    }

    pub(super) fn drop_standings(&self, whose: &Whose) -> sled::Result<()> {
        let mut batch = Batch::default();
        for stored in self.db.scan_prefix(standing_prefix(&policy_hash(&whose.policy))) {
            let (key, _) = stored?;
            let scope = key.get(BEFORE_SCOPE..BEFORE_SCOPE + 32).unwrap_or_default();
            if whose.scope.as_ref().is_none_or(|theirs| theirs.has(scope)) {
                batch.remove(key);
            }
        }
        self.db.apply_batch(batch)
    }

    /// The answers of a policy beside which it is said where their questions lie. Blocks.
    pub(super) fn bearings(&self, policy: &[u8; 16]) -> sled::Result<u64> {
        let mut count = 0;
        for entry in self.entries(&order::prefix(policy)) {
            count += u64::from(self.db.contains_key(bearing_key(&entry?.place))?);
        }
        Ok(count)
    }

    /// How similar questions have fared, whoever's they are. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn standings(&self) -> Result<Vec<(Ground, Standing)>, String> {
        let mut standings = Vec::new();
        for stored in self.db.scan_prefix([STANDING]) {
            let (key, value) = stored.map_err(|error| error.to_string())?;
            let policy = key.get(1..BEFORE_SCOPE).and_then(|policy| <[u8; 16]>::try_from(policy).ok());
            let name = policy.map(|policy| self.db.get(super::name_key(&policy))).transpose();
            let name = name.map_err(|error| error.to_string())?.flatten();
            let name = name.as_deref().and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("?");
            if let Some((ground, noted)) = read_standing(&PolicyName::new(name), &key, &value) {
                standings.push((ground, noted.standing));
            }
        }
        Ok(standings)
    }
}

/// A standing, and when it was noted.
#[derive(serde::Serialize, serde::Deserialize)]
struct Noted {
    /// Unix milliseconds.
    at: i64,
    standing: Standing,
}

/// The key of where the question lies whose answer is in the place.
pub(super) fn bearing_key([scope, question]: &[[u8; 32]; 2]) -> Vec<u8> {
    [&[BEARING][..], scope, question].concat()
}

fn standing_prefix(policy: &[u8; 16]) -> Vec<u8> {
    [&[STANDING][..], policy].concat()
}

fn standing_key(ground: &Ground) -> Vec<u8> {
    let prefix = standing_prefix(&policy_hash(&ground.policy));
    [prefix.as_slice(), &ground.scope, &ground.embedder, &ground.least.to_be_bytes()].concat()
}

fn read_standing(policy: &PolicyName, key: &[u8], value: &[u8]) -> Option<(Ground, Noted)> {
    let noted = read_noted(key, value)?;
    let (scope, rest) = key.get(BEFORE_SCOPE..)?.split_first_chunk::<32>()?;
    let (embedder, rest) = rest.split_first_chunk::<32>()?;
    let (least, _) = rest.split_first_chunk::<4>()?;
    let least = u32::from_be_bytes(*least);
    Some((Ground { policy: policy.clone(), scope: *scope, embedder: *embedder, least }, noted))
}

/// `None` for another version's, and for what is damaged.
fn read_noted(key: &[u8], value: &[u8]) -> Option<Noted> {
    let (version, rest) = value.split_first()?;
    let (checked, rest) = rest.split_first_chunk::<4>()?;
    let is_sound = *version == VERSION && *checked == sum(key, rest);
    is_sound.then(|| serde_json::from_slice(rest).ok())?
}

fn sum(key: &[u8], rest: &[u8]) -> [u8; 4] {
    let mut hash = crc32fast::Hasher::new();
    hash.update(key);
    hash.update(rest);
    hash.finalize().to_be_bytes()
}

const BEARING: u8 = b'v';
const STANDING: u8 = b't';
/// Bytes of a standing's key before its scope.
const BEFORE_SCOPE: usize = 17;
/// Another one whenever what is written of standings means something else.
const VERSION: u8 = 1;
/// Ninety days, in milliseconds.
const LASTS: i64 = 90 * 24 * 3_600 * 1_000;
