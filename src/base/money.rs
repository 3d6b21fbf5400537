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
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        let text = format!("{}.{:09}", abs / 1_000_000_000, abs % 1_000_000_000);
        let short = text.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{sign}{short}")
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(Nanos(2_500_000_000).to_string(), "2.5");
        assert_eq!(Nanos(-1).to_string(), "-0.000000001");
    }
}
