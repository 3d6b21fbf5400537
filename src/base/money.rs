//! Money as integers: nano-USD, never a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of nano-USD (10⁻⁹ US dollars).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    pub const ZERO: Self = Self(0);

    /// The sum, or the greatest amount there is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Reads a decimal number of dollars, exact to the ninth place.
    ///
    /// # Errors
    /// When the text is no plain decimal, has more than nine decimals, or does not fit.
    pub fn from_usd(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not an amount in US dollars; write a decimal like `2.50`, with at most nine decimals")
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 9 {
            return Err(wrong());
        }
        let whole: i64 = whole.parse().map_err(|_| wrong())?;
        let part: i64 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
        whole.checked_mul(1_000_000_000).and_then(|n| n.checked_add(part)).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Dollars::of(*self).as_str())
    }
}

/// An amount in US dollars, written out as shortly as it can be: `0.000125`.
///
/// Every answer and every line of the access log tells one, and the formatter for numbers costs more than the rest of
/// either.
#[derive(Debug, Clone, Copy)]
pub struct Dollars {
    /// Room for a sign, 19 digits and the point.
    text: [u8; 24],
    start: usize,
    end: usize,
}

impl Dollars {
    const PLACES: usize = 9;

    pub fn of(amount: Nanos) -> Self {
        let mut left = amount.0.unsigned_abs();
        let mut text = [b'0'; 24];
        let (mut start, mut end) = (text.len(), text.len());
        for (nth, place) in text.iter_mut().rev().enumerate() {
            if nth > Self::PLACES + 1 && left == 0 {
                break;
            }
            start -= 1;
            let is_trailing = end == start + 1;
            if nth == Self::PLACES {
                *place = b'.';
                end -= usize::from(is_trailing);
                continue;
            }
            let digit = (left % 10) as u8;
            *place += digit;
            left /= 10;
            end -= usize::from(is_trailing && digit == 0 && nth < Self::PLACES);
        }
        if amount.0 < 0 {
            start -= 1;
            if let Some(place) = text.get_mut(start) {
                *place = b'-';
            }
        }
        Self { text, start, end }
    }

    /// A sign, digits and a point.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.text.get(self.start..self.end).unwrap_or_default()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_are_read_to_the_nano() {
        assert_eq!(Nanos::from_usd("2.50"), Ok(Nanos(2_500_000_000)));
        assert_eq!(Nanos::from_usd("0.000000001"), Ok(Nanos(1)));
        assert!(Nanos::from_usd("0.0000000001").is_err());
        assert!(Nanos::from_usd("1e3").is_err() && Nanos::from_usd("-1").is_err() && Nanos::from_usd("").is_err());
        assert!(Nanos::from_usd("99999999999999999999").is_err());
    }

    #[test]
    fn an_amount_prints_as_it_is_written() {
        let printed = [2_500_000_000, -1, 0, 10_000_000_000, -1_000_000_000, 100].map(|nanos| Nanos(nanos).to_string());
        assert_eq!(printed, ["2.5", "-0.000000001", "0", "10", "-1", "0.0000001"]);
        assert_eq!(Nanos(i64::MIN).to_string(), "-9223372036.854775808");
    }

    proptest! {
        #[test]
        fn any_amount_prints_as_the_formatter_would_write_it(nanos: i64) {
            let abs = nanos.unsigned_abs();
            let text = format!("{}.{:09}", abs / 1_000_000_000, abs % 1_000_000_000);
            let short = text.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(Nanos(nanos).to_string(), format!("{}{short}", if nanos < 0 { "-" } else { "" }));
        }

        #[test]
        fn any_round_amount_prints_without_what_is_round_about_it(dollars in -9_000_000_000_i64..9_000_000_000) {
            prop_assert_eq!(Nanos(dollars * 1_000_000_000).to_string(), dollars.to_string());
        }
    }
}
