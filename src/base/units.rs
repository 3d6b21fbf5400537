//! Quantities, each with its unit: a bare number does not say of what.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::base::duration;
use crate::base::money::Nanos;

/// A length of time: `20s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes: `16MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A part of a whole, in percent: `80%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// An amount of US dollars, written as a decimal: `2.50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(pub Nanos);

/// Where to listen: `127.0.0.1:4000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl Share {
    /// The same as a number from 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

/// So much in a length of time: `600/min`, `200k/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub amount: NonZeroU64,
    pub per: Duration,
}

fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is not a rate; write how much in which time, like `600/min` or `200k/h`");
    let (amount, per) = text.split_once('/').ok_or_else(wrong)?;
    let (digits, factor) = match amount.trim() {
        amount if amount.ends_with('k') => (amount.trim_end_matches('k'), 1_000),
        amount if amount.ends_with('M') => (amount.trim_end_matches('M'), 1_000_000),
        amount => (amount, 1),
    };
    let amount: u64 = digits.parse().map_err(|_| wrong())?;
    let amount = amount.checked_mul(factor).and_then(NonZeroU64::new).ok_or_else(wrong)?;
    let per = match per.trim() {
        "s" | "sec" | "second" => Duration::from_secs(1),
        "m" | "min" | "minute" => Duration::from_secs(60),
        "h" | "hour" => Duration::from_secs(3_600),
        "d" | "day" => Duration::from_secs(86_400),
        other => duration::parse(other)?,
    };
    if per.is_zero() { Err(wrong()) } else { Ok(Rate { amount, per }) }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.amount, duration::show(self.per))
    }
}

fn period(text: &str) -> Result<Period, String> {
    duration::parse(text).map(Period)
}

fn size(text: &str) -> Result<Size, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor: u64 = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "" => {
            return Err(format!("`{text}` has no unit; write `{text}KiB` or another of: B, KiB, MiB, GiB, kB, MB, GB"));
        }
        unit => return Err(unknown_size(number, unit)),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}` is not a size; write a whole number and a unit, like `16MiB`"))?;
    number.checked_mul(factor).map(Size).ok_or_else(|| format!("`{text}` is too large"))
}

fn unknown_size(number: &str, unit: &str) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "kB", "MB", "GB"];
    let near = UNITS.iter().find(|known| known.eq_ignore_ascii_case(unit));
    let mend = near.map(|near| format!("write `{number}{near}`, or ")).unwrap_or_default();
    format!("`{unit}` is not a unit of size; {mend}use one of: {}", UNITS.join(", "))
}

fn share(text: &str) -> Result<Share, String> {
    let text = text.trim();
    let Some(number) = text.strip_suffix('%') else {
        return Err(format!("`{text}` has no unit; a share is written in percent, like `5%`"));
    };
    match number.trim_end().parse::<f64>() {
        Ok(number) if (0.0..=100.0).contains(&number) => Ok(Share(number)),
        Ok(_) => Err(format!("`{text}` is not between 0% and 100%")),
        Err(_) => Err(format!("`{text}` is not a share; write a number and a percent sign, like `5%`")),
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map(Address).map_err(|_| match text.parse::<u16>() {
        Ok(port) => format!("`{text}` is only a port; write `127.0.0.1:{port}`, or `0.0.0.0:{port}` for all addresses"),
        Err(_) => format!("`{text}` is not an address and a port, like `127.0.0.1:4000`"),
    })
}

macro_rules! quantity {
    ($type:ident, $read:expr, $expecting:literal, $schema:tt) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Letters;

                impl Visitor<'_> for Letters {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        $read(text).map_err(E::custom)
                    }
                }

                letters(deserializer, Letters)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

quantity!(Period, period, "a duration, like `20s`", {
    "type": "string",
    "description": "a duration with its unit: 250ms, 20s, 5m, 1h30m, 7d",
    "pattern": "^([0-9.]+(us|ms|s|m|min|h|d))+$"
});
quantity!(Size, size, "a size, like `16MiB`", {
    "type": "string",
    "description": "a size with its unit: 64KiB, 16MiB",
    "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB|kB|KB|MB|GB)$"
});
quantity!(Share, share, "a share, like `5%`", {
    "type": "string",
    "description": "a share in percent: 5%",
    "pattern": "^[0-9.]+ ?%$"
});
quantity!(Usd, |text: &str| Nanos::from_usd(text.trim()).map(Usd), "an amount in US dollars, like `2.50`", {
    "type": ["number", "string"],
    "description": "an amount in US dollars: 2.50"
});
quantity!(Rate, rate, "a rate, like `600/min`", {
    "type": "string",
    "description": "how much in which time: 600/min, 200k/h",
    "pattern": "^[0-9]+[kM]?/([a-z]+|[0-9.]+[a-z]+)$"
});
quantity!(Address, address, "an address and a port", {
    "type": "string",
    "description": "an address and a port: 127.0.0.1:4000"
});

/// The name under which a decoder is asked for a scalar's own letters.
pub const QUANTITY: &str = "$quantity";

/// Decodes a scalar by its own letters: `20` is not a duration, and the error can say so.
fn letters<'de, D: Deserializer<'de>, V: Visitor<'de>>(from: D, visitor: V) -> Result<V::Value, D::Error> {
    from.deserialize_newtype_struct(QUANTITY, visitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two_or_of_ten_as_their_unit_says() {
        assert_eq!(size("16MiB"), Ok(Size(16 << 20)));
        assert_eq!(size("5 kB"), Ok(Size(5_000)));
        assert!(size("16").unwrap_err().contains("no unit"));
        assert!(size("16Mb").unwrap_err().contains("not a unit"));
        assert!(size("MiB").is_err() && size("1.5MiB").is_err() && size("-1B").is_err());
        assert!(size("99999999999GiB").is_err());
    }

    #[test]
    fn a_rate_says_how_much_in_which_time() {
        let of = |text: &str| rate(text).map(|rate| (rate.amount.get(), rate.per.as_secs()));
        assert_eq!(of("600/min"), Ok((600, 60)));
        assert_eq!(
            (of("200k/h"), of("2M / day"), of("5/10s")),
            (Ok((200_000, 3_600)), Ok((2_000_000, 86_400)), Ok((5, 10)))
        );
        for wrong in ["600", "0/min", "-1/min", "1.5/min", "600/", "600/fortnight", "99999999999999M/min", "1/0s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(share("2.5%"), Ok(Share(2.5)));
        assert!(share("0.05").unwrap_err().contains("percent"));
        assert!(share("101%").is_err() && share("-1%").is_err() && share("%").is_err() && share("NaN%").is_err());
    }

    #[test]
    fn a_bare_port_is_no_address() {
        assert!(address("4000").unwrap_err().contains("127.0.0.1:4000"));
        assert!(address("[::1]:4000").is_ok());
        assert!(address("localhost").is_err());
    }
}
