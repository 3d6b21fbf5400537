//! What a line of the bill costs by another price list than that of its time.
//!
//! A line names the row that it was priced by, but not the kind of its provider, a discount or the class of service.
//! Whose model it was is found out by the name of the provider, or else because only one vendor fits.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::base::money::Nanos;
use crate::chat::Usage;
use crate::pricing::{Found, PriceList, Terms};
use crate::state::{CostLine, Mark, Priced};

/// Why there is no saying what a line costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// It had no price then.
    Unpriced,
    /// It was not priced by a list.
    Unlisted,
    Assumed,
    /// A provider did not say how much it took in or gave out.
    Unmetered,
    /// The list has no row for it.
    Missing,
    /// The rows of several vendors would do, and differ.
    Ambiguous,
}

/// The cost of a line by a list, with the prices of the day of the request.
///
/// # Errors
/// When it cannot be derived.
pub fn reprice(list: &PriceList, line: &CostLine) -> Result<Nanos, Unknown> {
    if line.marks.contains(&Mark::Assumed) {
        return Err(Unknown::Assumed);
    }
    if line.marks.contains(&Mark::Unpriced) {
        return Err(Unknown::Unpriced);
    }
    // What the gateway counted for a provider that was silent is in the cost, and need not be in the usage.
    let usage = Usage::from(&line.usage);
    if usage.input_said().is_none() || usage.output_said().is_none() {
        return Err(Unknown::Unmetered);
    }
    let priced = line.priced.as_ref().ok_or(Unknown::Unlisted)?;
    Ok(find(list, line, priced)?.rates.cost(&usage, Terms::default()))
}

fn find(list: &PriceList, line: &CostLine, priced: &Priced) -> Result<Found, Unknown> {
    let on = line.at.to_zoned(TimeZone::UTC).date();
    let of_provider = line.provider.as_ref().and_then(|name| list.find(name.as_str(), &priced.model, on));
    match of_provider {
        Some(found) => Ok(found),
        None => only(list.find_everywhere(&priced.model, on).collect(), priced.since),
    }
}

/// The one row that fits; where several do, those that began on the day that the line's did go first.
fn only(found: Vec<Found>, since: Date) -> Result<Found, Unknown> {
    let agreed = |found: Vec<Found>| {
        let first = found.first()?.clone();
        found.iter().all(|other| other.rates == first.rates).then_some(first)
    };
    if found.is_empty() {
        return Err(Unknown::Missing);
    }
    let of_its_day = found.iter().filter(|row| row.from == since).cloned().collect();
    agreed(found).or_else(|| agreed(of_its_day)).ok_or(Unknown::Ambiguous)
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unpriced => "it had no price, so no row of the list is on record",
            Self::Unlisted => "its price was not that of a list",
            Self::Assumed => "what was set aside counts, since nobody said what was used",
            Self::Unmetered => "not all that was used is on record",
            Self::Missing => "the list has no price for it on its day",
            Self::Ambiguous => "several vendors have it at different prices, and its provider is not called like one",
        })
    }
}
