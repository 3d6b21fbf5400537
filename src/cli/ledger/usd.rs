//! Sums of money, for people and for programs.

/// US dollars, exact to the nano, with two decimals at least.
pub fn usd(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, part) = (nanos.unsigned_abs() / NANOS, nanos.unsigned_abs() % NANOS);
    let part = format!("{part:09}");
    format!("{sign}{whole}.{:0<2}", part.trim_end_matches('0'))
}

/// A difference, with its sign.
pub fn difference(nanos: i128) -> String {
    if nanos > 0 { format!("+{}", usd(nanos)) } else { usd(nanos) }
}

/// How much of a sum a part of it is, to a tenth of a per cent. It is `0` only if it is nothing, and `100%` only
/// if it is all.
pub fn share(part: i128, whole: i128) -> String {
    if part == 0 || whole == 0 {
        return "0".to_owned();
    }
    match part.saturating_mul(1000) / whole {
        0 => "<0.1%".to_owned(),
        1000 => "100%".to_owned(),
        thousandths => format!("{}.{}%", thousandths / 10, thousandths % 10),
    }
}

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_exact_at_any_size() {
        assert_eq!(usd(0), "0.00");
        assert_eq!(usd(1), "0.000000001");
        assert_eq!(usd(-2_500_000_000), "-2.50");
        assert_eq!(usd(123_456_000_000), "123.456");
        assert_eq!(usd(2 * i128::from(i64::MAX)), "18446744073.709551614");
    }

    #[test]
    fn a_difference_has_its_sign() {
        assert_eq!((difference(1_000_000_000), difference(0)), ("+1.00".to_owned(), "0.00".to_owned()));
        assert_eq!(difference(-1), "-0.000000001");
    }

    #[test]
    fn a_share_is_nothing_or_all_only_if_it_is() {
        assert_eq!(share(0, 10), "0");
        assert_eq!(share(1, 1_000_000), "<0.1%");
        assert_eq!(share(1, 3), "33.3%");
        assert_eq!(share(999_999, 1_000_000), "99.9%");
        assert_eq!(share(7, 7), "100%");
    }
}
