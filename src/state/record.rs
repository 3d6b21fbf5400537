//! What stands in the log: facts, framed so that each can be told from damage.
//!
//! A frame is three little-endian `u32` and a payload: the payload's length (never zero), a CRC-32 of all that
//! follows it, how many bytes before the frame its batch began, and a [`Record`] as JSON.
//!
//! All before a batch was safe when the batch was written. So a broken frame is what a crash left unfinished
//! exactly if no whole frame after it is of a *later* batch; anything else is damage.
//!
//! A fact says what was *decided* (which account changes by how much), so reading the
//! log again needs no rules, and old logs keep their meaning when the rules change.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::ids::AccountId;
use crate::base::json::Writer;
use crate::base::money::Nanos;
use crate::state::claim::HoldId;
use crate::state::line::CostLine;
use crate::state::script;
use crate::state::slot::Slot;

/// A fact and its number; numbers count from 1 without a gap through all segments.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub struct Record {
    pub n: u64,
    pub entry: Entry,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Money was set aside.
    Reserved { hold: HoldId, at: Timestamp, lapses: Timestamp, legs: Arc<[Booking]> },
    /// A hold ended and became what it really cost. `booked` is what changes in what is spent: the cost, or,
    /// for a hold that had lapsed, the difference to what was assumed.
    Settled {
        hold: HoldId,
        at: Timestamp,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        booked: Vec<Booking>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<CostLine>,
    },
    /// A hold ended without word: it is assumed to have cost all that was set aside.
    Lapsed { hold: HoldId, at: Timestamp, booked: Arc<[Booking]> },
}

/// An amount in an account, in the slot that its request was admitted in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    pub account: AccountId,
    pub slot: Slot,
    pub amount: Nanos,
}

impl Entry {
    pub fn hold(&self) -> HoldId {
        let (Self::Reserved { hold, .. } | Self::Settled { hold, .. } | Self::Lapsed { hold, .. }) = self;
        *hold
    }

    /// What changes in what is spent.
    pub fn booked(&self) -> &[Booking] {
        match self {
            Self::Reserved { .. } => &[],
            Self::Settled { booked, .. } => booked,
            Self::Lapsed { booked, .. } => booked,
        }
    }

    /// The lines of the bill, if there are any.
    pub fn lines(&self) -> &[CostLine] {
        match self {
            Self::Settled { lines, .. } => lines,
            Self::Reserved { .. } | Self::Lapsed { .. } => &[],
        }
    }
}

/// What is found at some place of a segment.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'a> {
    Frame {
        payload: &'a [u8],
        end: usize,
        /// How many bytes before it its batch began.
        back: usize,
    },
    End,
    /// No frame begins here, or not all of it is there.
    Broken,
}

/// What comes before a payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub length: u32,
    pub crc: u32,
    back: u32,
}

/// Appends a record's frame to a batch, and gives the CRC.
pub(super) fn encode(n: u64, entry: &Entry, batch: &mut Vec<u8>) -> io::Result<u32> {
    let start = batch.len();
    batch.extend_from_slice(&[0; HEAD]);
    let mut out = Writer::after(std::mem::take(batch));
    script::record(&mut out, n, entry);
    *batch = out.into_bytes();
    let payload = batch.get(start + HEAD..).unwrap_or_default();
    let length = u32::try_from(payload.len()).ok().filter(|length| *length <= LONGEST);
    let (Some(length), Ok(back)) = (length, u32::try_from(start)) else {
        return Err(io::Error::other("a record of the ledger is too long to be written"));
    };
    let crc = checksum(back, payload);
    let head = [length, crc, back].into_iter().flat_map(u32::to_le_bytes);
    batch.iter_mut().skip(start).zip(head).for_each(|(place, byte)| *place = byte);
    Ok(crc)
}

/// What is at `at`.
pub(super) fn find(bytes: &[u8], at: usize) -> Found<'_> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Found::End;
    }
    let Some(head) = head(rest) else { return Found::Broken };
    // Zeros, as a file system may leave them behind after a crash, are no frame.
    if head.length == 0 || head.length > LONGEST {
        return Found::Broken;
    }
    match rest.get(HEAD..HEAD + head.length as usize) {
        Some(payload) if checksum(head.back, payload) == head.crc => {
            Found::Frame { payload, end: at + HEAD + payload.len(), back: head.back as usize }
        }
        _ => Found::Broken,
    }
}

/// Where the next whole frame begins behind `broken`, if there is one.
pub(super) fn resume(bytes: &[u8], broken: usize) -> Option<usize> {
    (broken + 1..bytes.len()).find(|at| matches!(find(bytes, *at), Found::Frame { .. }))
}

/// Whether what is broken was whole and safe once: a frame of a later batch stands behind it.
pub(super) fn was_safe(bytes: &[u8], broken: usize) -> bool {
    let mut at = broken;
    while let Some(next) = resume(bytes, at) {
        let Found::Frame { end, back, .. } = find(bytes, next) else { return false };
        if next.saturating_sub(back) > broken {
            return true;
        }
        // `resume` looks behind the place it is given.
        at = end - 1;
    }
    false
}

pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (crc, rest) = rest.split_first_chunk()?;
    let (back, _) = rest.split_first_chunk()?;
    let [length, crc, back] = [length, crc, back].map(|word| u32::from_le_bytes(*word));
    Some(Head { length, crc, back })
}

fn checksum(back: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&back.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Bytes before a payload.
pub(super) const HEAD: usize = 12;
/// No record comes near it; text read as a length lies far above.
const LONGEST: u32 = 16 << 20;
