//! Moments as text (RFC 3339, in UTC): several for each request, so by hand.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

/// Writes `2026-02-03T04:05:06.789Z`, with as many digits of a second as there are.
pub(super) fn write(time: Timestamp, out: &mut Vec<u8>) {
    let at = Offset::UTC.to_datetime(time);
    let Some(year) = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999) else {
        // Writing to a vector cannot fail.
        let _ = DateTimePrinter::new().print_timestamp(&time, out);
        return;
    };
    let two = |n: i8| digits::<2>(n.unsigned_abs().into());
    let ([y, e, a, r], [m, o], [d, b]) = (digits(year), two(at.month()), two(at.day()));
    let ([h, i], [n, u], [s, c]) = (two(at.hour()), two(at.minute()), two(at.second()));
    out.extend_from_slice(&[y, e, a, r, b'-', m, o, b'-', d, b, b'T', h, i, b':', n, u, b':', s, c]);
    let nanos = at.subsec_nanosecond().unsigned_abs();
    if nanos > 0 {
        let fraction: [u8; 9] = digits(nanos);
        let zeros = fraction.iter().rev().take_while(|digit| **digit == b'0').count();
        out.push(b'.');
        out.extend(fraction.iter().take(fraction.len() - zeros));
    }
    out.push(b'Z');
}

fn digits<const N: usize>(mut n: u32) -> [u8; N] {
    let mut out = [b'0'; N];
    for digit in out.iter_mut().rev() {
        *digit += (n % 10) as u8;
        n /= 10;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_moment_is_written_as_the_library_writes_it() {
        let bounds = (Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
        let any = (bounds.0..=bounds.1, 0..10_u32).prop_map(|(nanos, round)| {
            let unit = 10_i128.pow(round);
            Timestamp::from_nanosecond((nanos / unit * unit).clamp(bounds.0, bounds.1)).unwrap()
        });
        proptest!(|(time in any)| {
            let mut out = Vec::new();
            write(time, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), time.to_string());
        });
    }
}
