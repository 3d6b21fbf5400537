//! The settings of a `cache` step, as they are written and as they are used.

use std::num::NonZeroU64;
use std::time::Duration;

use super::likeness;
use super::sharing::SharedBy;
use crate::base::money::Nanos;
use crate::base::units::{Period, Share, Size};
use crate::state::answers::Room;

/// The settings of a `cache` step.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether a question that opens a conversation is the same as one that differs only in politeness, contractions, the
    /// capital of its first word, the mark at its end and "how do I" for "how can I". For policies whose users ask
    /// questions: where their texts are to be translated, sorted or corrected, each letter counts.
    #[serde(default)]
    pub canonical: bool,
    /// Questions that even their canonical forms tell apart, and that an embedder finds alike. They are given an answer only
    /// where that has been tried often enough.
    #[serde(default)]
    pub similar: Option<likeness::Config>,
    /// For how long an answer is given again; `1h` if not said.
    #[serde(default)]
    pub keep: Option<Period>,
    /// For how long after that it is still given, while it is renewed behind the back of whoever is given it; not at all if
    /// not said.
    #[serde(default)]
    pub stale: Option<Period>,
    /// Who is given an answer that was made for somebody else.
    #[serde(default)]
    pub shared_by: SharedBy,
    /// How long a stream that is given again pauses before each piece of a few words, up to a second; not at all if not said.
    #[serde(default)]
    pub pace: Option<Period>,
    /// The share of what an answer cost when it was made that whoever is given it again is charged, by the budgets before
    /// this step: `20%`; nothing if not said.
    #[serde(default)]
    pub charge: Option<Share>,
    /// Whether answers that call tools are kept, too. Whoever is given one calls them again.
    #[serde(default)]
    pub tool_calls: bool,
    /// Requests of a higher temperature want another answer each time and are left alone; 1 if not said, which is what
    /// providers take by themselves.
    #[serde(default)]
    pub max_temperature: Option<f64>,
    /// How much is kept for this policy; `64MiB` if not said.
    #[serde(default)]
    pub size: Option<Size>,
    /// How many answers are kept for this policy; 10000 if not said.
    #[serde(default)]
    pub entries: Option<NonZeroU64>,
    /// The largest answer that is kept; `1MiB`, or all of `size` if that is less, if not said.
    #[serde(default)]
    pub largest: Option<Size>,
}

/// Settings that fit together.
pub(super) struct Settings {
    pub canonical: bool,
    pub shared_by: SharedBy,
    pub keep: Duration,
    pub stale: Duration,
    pub pace: Duration,
    /// Hundredths of a percent of what an answer has cost.
    charge: i128,
    pub tool_calls: bool,
    pub max_temperature: f64,
    pub room: Room,
    /// Bytes.
    pub largest: u64,
}

impl Settings {
    /// What is charged for an answer that has cost so much.
    pub fn charge(&self, cost: Nanos) -> Nanos {
        let charge = i128::from(cost.0.max(0)) * self.charge / WHOLE;
        Nanos(i64::try_from(charge).unwrap_or(i64::MAX))
    }

    pub fn charges(&self) -> bool {
        self.charge > 0
    }
}

impl Config {
    /// The targets that the step asks by itself.
    pub fn asks(&self) -> Vec<&str> {
        self.similar.iter().map(|similar| similar.by.as_str()).collect()
    }

    /// How much is kept in the place that policies share, if answers are kept there.
    pub fn room_for_everyone(&self) -> Option<Room> {
        if self.shared_by != SharedBy::Everyone {
            return None;
        }
        self.checked().ok().map(|settings| settings.room)
    }

    /// # Errors
    /// What is wrong with a setting, for the person who wrote it.
    pub(super) fn checked(&self) -> Result<Settings, String> {
        let keep = self.keep.map_or(USUAL_KEEP, |keep| keep.0);
        if keep.is_zero() {
            return Err("to `keep` answers for no time is not to keep them; leave the step out".into());
        }
        let max_temperature = self.max_temperature.unwrap_or(1.0);
        if !(0.0..=2.0).contains(&max_temperature) {
            return Err(format!("`{max_temperature}` is no temperature; `max_temperature` is between 0 and 2"));
        }
        let stale = self.stale.map_or(Duration::ZERO, |stale| stale.0);
        let pace = self.pace.map_or(Duration::ZERO, |pace| pace.0);
        if pace > SLOWEST {
            return Err("nobody reads as slowly as that; a `pace` is up to `1s` for each few words".into());
        }
        let room = Room {
            bytes: self.size.map_or(USUAL_SIZE, |size| size.0),
            entries: self.entries.map_or(USUAL_ENTRIES, NonZeroU64::get),
            lasts: keep + stale,
        };
        let largest = self.largest.map_or(USUAL_LARGEST.min(room.bytes), |largest| largest.0);
        if largest > room.bytes {
            return Err("an answer as large as `largest` would not fit in `size`".into());
        }
        if self.similar.is_some() && !self.canonical {
            return Err("`similar` questions are looked for where even the canonical form tells them apart; \
                        say `canonical: true` as well"
                .into());
        }
        Ok(Settings {
            canonical: self.canonical,
            shared_by: self.shared_by,
            keep,
            stale,
            pace,
            charge: self.charge.map_or(0, |share| (share.fraction() * WHOLE as f64).round() as i128),
            tool_calls: self.tool_calls,
            max_temperature,
            room,
            largest,
        })
    }
}

/// All of it, in hundredths of a percent.
const WHOLE: i128 = 10_000;
const USUAL_KEEP: Duration = Duration::from_secs(3_600);
const SLOWEST: Duration = Duration::from_secs(1);
const USUAL_SIZE: u64 = 64 << 20;
const USUAL_ENTRIES: u64 = 10_000;
const USUAL_LARGEST: u64 = 1 << 20;
