//! Which part of the ledger is asked for.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::complaint::{Complaint, Failure};
use crate::state::read::Period;

/// From when to when.
#[derive(Debug, clap::Args)]
pub struct PeriodArgs {
    /// Leave out what is before this day or time: `2026-11-01`, `2026-11-01T09:00:00Z`
    #[arg(long, value_name = "DATE", value_parser = moment)]
    since: Option<Moment>,
    /// Leave out this day or time and what is after it: `2026-12-01` ends with November
    #[arg(long, value_name = "DATE", value_parser = moment)]
    until: Option<Moment>,
    /// The time zone that days begin in, like `Europe/Berlin`; `local` is that of this machine
    #[arg(long = "tz", value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    pub zone: TimeZone,
}

/// A point in time, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The beginning of a day.
    Day(Date),
    Time(Timestamp),
}

impl PeriodArgs {
    /// # Errors
    /// When there is no time in it.
    pub fn period(&self) -> Result<Period, Failure> {
        let since = self.since.map_or(Ok(Timestamp::MIN), |since| since.time(&self.zone))?;
        let until = self.until.map_or(Ok(Timestamp::MAX), |until| until.time(&self.zone))?;
        if since < until {
            return Ok(Period { since, until });
        }
        let what = "`--until` is not after `--since`".to_owned();
        let help = "`--until` is the first day that is left out: `--since 2026-11-01 --until 2026-11-02` is one day";
        Err(Complaint { what, place: None, help: help.to_owned() }.into())
    }
}

impl Moment {
    fn time(self, zone: &TimeZone) -> Result<Timestamp, Complaint> {
        let day = match self {
            Self::Time(time) => return Ok(time),
            Self::Day(day) => day,
        };
        // Midnight is not in every day of every zone.
        let begins = day.to_zoned(zone.clone()).and_then(|begins| begins.start_of_day());
        begins.as_ref().map(Zoned::timestamp).map_err(|error| Complaint {
            what: format!("`{day}` is out of reach: {error}"),
            place: None,
            help: "leave it out to leave nothing out".to_owned(),
        })
    }
}

fn moment(written: &str) -> Result<Moment, String> {
    // Strictly, since a date is otherwise also read out of a time, whose hours would be ignored.
    let day = || Date::strptime("%Y-%m-%d", written).ok().filter(|_| written.len() == "2026-11-01".len());
    let time = || written.parse().ok();
    day().map(Moment::Day).or_else(|| time().map(Moment::Time)).ok_or_else(|| {
        "write a day like `2026-11-01`, or a time with its offset like `2026-11-01T09:00:00Z`".to_owned()
    })
}

fn zone(name: &str) -> Result<TimeZone, String> {
    let zone = if name == "local" { TimeZone::try_system() } else { TimeZone::get(name) };
    zone.map_err(|_| "this zone is not known; write one like `Europe/Berlin`, or `local`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(since: &str, until: &str, tz: &str) -> Result<Period, Failure> {
        let (since, until) = (moment(since).unwrap(), moment(until).unwrap());
        PeriodArgs { since: Some(since), until: Some(until), zone: zone(tz).unwrap() }.period()
    }

    #[test]
    fn a_day_begins_when_it_does_in_its_zone() {
        let november = period("2026-11-01", "2026-12-01", "Europe/Berlin").unwrap();
        assert_eq!(november.since, "2026-10-31T23:00:00Z".parse().unwrap());
        assert_eq!(november.until, "2026-11-30T23:00:00Z".parse().unwrap());
        // Clocks in Beirut were put forward at midnight.
        let spring = period("2021-03-28", "2021-03-29", "Asia/Beirut").unwrap();
        assert_eq!(spring.until.as_second() - spring.since.as_second(), 23 * 3600);
    }

    #[test]
    fn a_period_without_time_in_it_is_a_mistake() {
        assert!(period("2026-11-01", "2026-11-01", "UTC").is_err());
        assert!(period("2026-11-01T00:00:00+01:00", "2026-11-01", "UTC").is_ok());
    }

    #[test]
    fn a_time_without_offset_or_a_zone_nobody_knows_is_refused() {
        for wrong in ["2026-11-01T09:00", "2026-13-01", "26-11-01", "yesterday", ""] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
        assert!(zone("Europe/Atlantis").is_err());
    }
}
