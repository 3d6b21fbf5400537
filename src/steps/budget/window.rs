//! The time over which spend is summed: a day, week or month of some place, so many hours back, or all time.
//!
//! A calendar window begins at a midnight of its time zone, whatever a change of clocks does to the length of the
//! day. A request counts in the window in which it was admitted.

use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::base::duration;
use crate::state::Slot;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Day,
    /// From Monday on.
    Week,
    Month,
    /// The last so many hours, to a quarter of an hour.
    Rolling(Duration),
    /// It never begins anew.
    Total,
}

impl Window {
    /// # Errors
    /// When the text is no window, for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "day" => return Ok(Self::Day),
            "week" => return Ok(Self::Week),
            "month" => return Ok(Self::Month),
            "total" => return Ok(Self::Total),
            _ => {}
        }
        let wrong = || format!("`{text}` is not a window; known are day, week, month, total, or so long back: `24h`");
        let back = duration::parse(text).map_err(|_| wrong())?;
        match back {
            _ if back < SHORTEST => Err(format!("a window of `{text}` is too short; the shortest is 15m")),
            _ if back > LONGEST => Err(format!("a window of `{text}` is too long; the longest is 365d, or `total`")),
            _ => Ok(Self::Rolling(back)),
        }
    }

    /// Whether it begins at midnights.
    pub fn is_calendar(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month)
    }

    /// Where the window that `at` lies in begins.
    pub fn since(self, at: Timestamp, zone: &TimeZone) -> Slot {
        match self {
            Self::Total => Slot::FIRST,
            // The quarter that the beginning lies in counts as a whole: too much rather than too little.
            Self::Rolling(back) => Slot::of(at.checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH)),
            calendar => Slot::of(calendar.begins(at, zone).and_then(|date| midnight(date, zone)).unwrap_or(at)),
        }
    }

    /// When a calendar window begins anew.
    pub fn renews(self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let begun = self.begins(at, zone)?;
        let next = match self {
            Self::Day => begun.checked_add(1.day()),
            Self::Week => begun.checked_add(1.week()),
            Self::Month => begun.checked_add(1.month()),
            Self::Rolling(_) | Self::Total => return None,
        };
        midnight(next.ok()?, zone)
    }

    /// The first day of a calendar window.
    fn begins(self, at: Timestamp, zone: &TimeZone) -> Option<Date> {
        let today = at.to_zoned(zone.clone()).date();
        match self {
            Self::Day => Some(today),
            Self::Week => {
                let days = i64::from(today.weekday().since(Weekday::Monday));
                today.checked_sub(days.days()).ok()
            }
            Self::Month => Some(today.first_of_month()),
            Self::Rolling(_) | Self::Total => None,
        }
    }
}

/// The first moment of a day, where clocks that are put forward at midnight leave out the usual one.
fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(date.to_zoned(zone.clone()).ok()?.timestamp())
}

const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn since(window: Window, time: &str, zone: &str) -> Slot {
        window.since(at(time), &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn a_day_begins_at_midnight_of_its_zone_and_not_of_ours() {
        assert_eq!(since(Window::Day, "2026-07-01T21:59:00Z", "Europe/Berlin"), Slot::of(at("2026-06-30T22:00:00Z")));
        assert_eq!(since(Window::Day, "2026-07-01T22:00:00Z", "Europe/Berlin"), Slot::of(at("2026-07-01T22:00:00Z")));
        assert_eq!(since(Window::Day, "2026-03-01T00:00:00Z", "Asia/Kathmandu"), Slot::of(at("2026-02-28T18:15:00Z")));
    }

    #[test]
    fn a_day_on_which_the_clocks_change_is_longer_or_shorter_and_still_a_day() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let length = |time: &str| {
            let begun = Window::Day.begins(at(time), &berlin).and_then(|date| midnight(date, &berlin)).unwrap();
            Window::Day.renews(at(time), &berlin).unwrap().duration_since(begun).as_hours()
        };
        assert_eq!(
            (length("2026-03-29T12:00:00Z"), length("2026-10-25T12:00:00Z"), length("2026-06-01T12:00:00Z")),
            (23, 25, 24)
        );
    }

    #[test]
    fn a_month_ends_on_its_own_last_day() {
        let zone = TimeZone::UTC;
        assert_eq!(Window::Month.renews(at("2028-02-29T12:00:00Z"), &zone), Some(at("2028-03-01T00:00:00Z")));
        assert_eq!(Window::Week.since(at("2026-11-25T12:00:00Z"), &zone), Slot::of(at("2026-11-23T00:00:00Z")));
    }

    #[test]
    fn a_window_without_a_unit_or_too_short_is_refused() {
        assert_eq!(Window::parse("24h"), Ok(Window::Rolling(Duration::from_secs(86_400))));
        assert!(Window::parse("24").unwrap_err().contains("day, week, month"));
        assert!(Window::parse("1m").unwrap_err().contains("too short"));
        assert!(Window::parse("fortnight").is_err() && Window::parse("900d").is_err());
    }
}
