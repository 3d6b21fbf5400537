//! Durations as people write them: a number and a unit.

use std::time::Duration;

/// The longest duration there is: a hundred years. Adding it to any point in time is safe, twice over.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads `250ms`, `2s`, `1.5m`, `1h30m`, `7d`. A bare number is refused: it does not say of what.
///
/// # Errors
/// What is wrong with the text, for the person who wrote it.
pub fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a duration needs a number and a unit, like `20s`".into());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let number: f64 =
            number.parse().map_err(|_| format!("`{text}` is not a duration; write a number and a unit, like `20s`"))?;
        let seconds = number * seconds_in(unit).ok_or_else(|| unknown_unit(text, unit))?;
        let part = Duration::try_from_secs_f64(seconds).map_err(|_| format!("`{text}` is too long"))?;
        total =
            total.checked_add(part).filter(|total| *total <= LONGEST).ok_or_else(|| format!("`{text}` is too long"))?;
        rest = tail;
    }
    Ok(total)
}

/// Writes a duration the way [`parse`] reads it: `1500ms`, `20s`, `5m`, `1h`.
pub fn show(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

fn unknown_unit(text: &str, unit: &str) -> String {
    const UNITS: &str = "us, ms, s, m, h, d";
    if text.trim().parse::<f64>().is_ok() {
        return format!("`{text}` has no unit; write `{}s` or another of: {UNITS}", text.trim());
    }
    if text.contains(char::is_whitespace) {
        return format!("`{text}` is not a duration; write a number and a unit, like `20s`; units are: {UNITS}");
    }
    if unit.is_empty() {
        return format!("`{text}` ends without a unit; units are: {UNITS}");
    }
    format!("`{unit}` is not a unit of time; use one of: {UNITS}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn a_duration_without_a_unit_is_refused_with_a_mend() {
        assert!(parse("20").unwrap_err().contains("write `20s`"));
        assert!(parse("20x").unwrap_err().contains("not a unit"));
        assert!(parse("").is_err() && parse("s").is_err() && parse("1..5s").is_err());
        assert!(parse("99999999999999999999d").is_err());
    }

    #[test]
    fn a_duration_that_no_clock_can_add_is_refused() {
        assert!(parse("36500d").is_ok());
        for text in ["36501d", "36500d1s", "99999999999999d"] {
            assert_eq!(parse(text), Err(format!("`{text}` is too long")));
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for text in ["0s", "1500ms", "20s", "5m", "2h"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }
}
