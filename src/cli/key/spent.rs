//! What each key has spent, by a ledger on disk. A gateway may be writing it meanwhile.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::ids::KeyName;
use crate::cli::ledger::usd;
use crate::state::read::{self, Period};

/// Nano-USD, by the key that a line of the bill names.
pub struct Spent(HashMap<KeyName, Sums>);

#[derive(Default)]
struct Sums {
    month: i128,
    ever: i128,
}

impl Spent {
    /// # Errors
    /// When there is no ledger, or it cannot be read to its end.
    pub fn read(folder: &Path, now: Timestamp) -> Result<Self, String> {
        let month = now.to_zoned(TimeZone::UTC).date().first_of_month();
        let month = month.to_zoned(TimeZone::UTC).map_or(now, |begins| begins.timestamp());
        let mut spent: HashMap<KeyName, Sums> = HashMap::new();
        for line in read::lines(folder, Period::EVER).map_err(|trouble| trouble.to_string())? {
            let line = line.map_err(|trouble| trouble.to_string())?;
            let Some(key) = line.key else { continue };
            let (sums, cost) = (spent.entry(key).or_default(), i128::from(line.cost.0));
            sums.ever += cost;
            sums.month += if line.at >= month { cost } else { 0 };
        }
        Ok(Self(spent))
    }

    /// In this month (UTC), and ever.
    pub fn of(&self, key: &KeyName) -> [String; 2] {
        let sums = self.0.get(key);
        [sums.map_or(0, |sums| sums.month), sums.map_or(0, |sums| sums.ever)].map(usd)
    }
}
