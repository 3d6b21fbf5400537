//! Quarters of an hour: the grain in which spend is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A quarter of an hour, counted from 1970 in UTC.
///
/// Every time zone in use today differs from UTC by a whole number of quarters, so every day, week or month
/// of every zone begins at one, and its spend is a sum of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u32);

impl Slot {
    /// Before all others. A window since then never ends, and counts whatever was ever spent.
    pub const FIRST: Self = Self(0);
    /// For so many slots (400 days) spend is kept apart; what is older is known as one sum.
    pub const KEPT: u32 = 400 * 24 * 4;

    /// The slot that `time` lies in.
    pub fn of(time: Timestamp) -> Self {
        Self(u32::try_from(time.as_second().div_euclid(SECONDS)).unwrap_or_default())
    }

    /// The oldest slot that is still kept apart at `now`.
    pub fn horizon(now: Timestamp) -> Self {
        Self(Self::of(now).0.saturating_sub(Self::KEPT))
    }
}

const SECONDS: i64 = 15 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(time: &str) -> Slot {
        Slot::of(time.parse().unwrap())
    }

    #[test]
    fn a_day_of_any_zone_begins_at_a_slot() {
        assert_eq!(slot("1970-01-01T00:14:59Z"), Slot(0));
        assert_eq!(slot("1970-01-01T00:15:00Z"), Slot(1));
        // Kathmandu is 5:45 ahead.
        let (midnight, before) = (slot("2026-03-01T00:00:00+05:45"), slot("2026-02-28T23:59:59+05:45"));
        assert_eq!(before.0 + 1, midnight.0);
    }

    #[test]
    fn times_before_1970_are_in_the_first_slot() {
        assert_eq!(slot("1969-12-31T00:00:00Z"), Slot::FIRST);
    }
}
