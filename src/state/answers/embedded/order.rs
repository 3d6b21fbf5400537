//! In which order a policy's answers came: one entry for each, the oldest first, which says what there is without a look
//! at the answers themselves.

use super::policy_hash;
use crate::state::answers::{Kept, Place, Room};

/// An answer that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub policy: [u8; 16],
    /// When it was made, or had to go and was left since it was used; Unix milliseconds.
    at: i64,
    pub place: [[u8; 32]; 2],
    /// From when on it is of no use; Unix milliseconds.
    pub ends: i64,
    pub bytes: u64,
}

impl Entry {
    pub fn of(place: &Place, kept: &Kept, room: Room, bytes: u64) -> Self {
        let at = kept.origin.at.as_millisecond();
        let lasts = i64::try_from(room.lasts.as_millis()).unwrap_or(i64::MAX);
        Self { policy: policy_hash(place.policy()), at, place: place.key(), ends: at.saturating_add(lasts), bytes }
    }

    /// The entry of the answer that was in this one's place, whose order is that of its making unless it was `moved`.
    pub fn before(old: &[u8], new: &Self, moved: Option<&[u8]>) -> Option<Self> {
        let moved = moved.and_then(|at| Some(i64::from_be_bytes(at.try_into().ok()?)));
        let at = moved.or_else(|| Kept::made_at(old))?;
        Some(Self { at, ..new.clone() })
    }

    /// This one as if its answer had been made when the other's was.
    pub fn beside(&self, newest: &Self) -> Self {
        Self { at: newest.at, ..self.clone() }
    }

    /// In which order it is.
    pub fn at(&self) -> [u8; 8] {
        self.at.to_be_bytes()
    }

    /// `None` for what is no entry.
    pub fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let (_, rest) = key.split_first()?;
        let (policy, rest) = rest.split_first_chunk::<16>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let (scope, rest) = rest.split_first_chunk::<32>()?;
        let (question, _) = rest.split_first_chunk::<32>()?;
        let (ends, rest) = value.split_first_chunk::<8>()?;
        let (bytes, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            policy: *policy,
            at: i64::from_be_bytes(*at),
            place: [*scope, *question],
            ends: i64::from_be_bytes(*ends),
            bytes: u64::from_be_bytes(*bytes),
        })
    }

    /// Policy, time, place: the oldest of a policy come first.
    pub fn key(&self) -> Vec<u8> {
        let [scope, question] = &self.place;
        [prefix(&self.policy).as_slice(), &self.at.to_be_bytes(), scope, question].concat()
    }

    pub fn value(&self) -> Vec<u8> {
        [self.ends.to_be_bytes(), self.bytes.to_be_bytes()].concat()
    }

    /// The key of its answer.
    pub fn answer(&self) -> Vec<u8> {
        answer(&self.place)
    }
}

/// What the entries of a policy begin with.
pub fn prefix(policy: &[u8; 16]) -> Vec<u8> {
    [&[ORDER][..], policy].concat()
}

/// The key of the answer in a place.
pub fn answer([scope, question]: &[[u8; 32]; 2]) -> Vec<u8> {
    [&[ANSWER][..], scope, question].concat()
}

/// The key under which it is said where the entry of that place's answer has moved to.
pub fn moved([scope, question]: &[[u8; 32]; 2]) -> Vec<u8> {
    [&[MOVED][..], scope, question].concat()
}

const MOVED: u8 = b'm';
pub const ORDER: u8 = b'o';
const ANSWER: u8 = b'a';
