//! Milliseconds to three places, as text: `1.500`.
//!
//! Every answer and every line of the access log tells some, and the formatter for numbers costs more than the rest
//! of a line.

use std::time::Duration;

/// A duration, written out.
#[derive(Debug, Clone, Copy)]
pub struct Millis {
    /// Room for any number of microseconds, and the point.
    text: [u8; 24],
    start: usize,
}

impl Millis {
    /// Time beyond 584,000 years is cut off.
    pub fn of(time: Duration) -> Self {
        let mut left = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut text = [b'0'; 24];
        let mut start = text.len();
        for (nth, place) in text.iter_mut().rev().enumerate() {
            if nth > 4 && left == 0 {
                break;
            }
            start -= 1;
            if nth == 3 {
                *place = b'.';
            } else {
                *place += (left % 10) as u8;
                left /= 10;
            }
        }
        Self { text, start }
    }

    /// Digits and a point.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(time: Duration) -> String {
        String::from_utf8(Millis::of(time).as_bytes().to_vec()).unwrap()
    }

    fn written(micros: u64) -> String {
        text(Duration::from_micros(micros))
    }

    #[test]
    fn there_is_a_digit_before_the_point_and_three_behind_it() {
        assert_eq!(
            [written(0), written(7), written(1_500), written(60_000_000)],
            ["0.000", "0.007", "1.500", "60000.000"]
        );
        assert_eq!(text(Duration::MAX), "18446744073709551.615");
    }

    proptest! {
        #[test]
        fn any_time_reads_as_the_formatter_would_write_it(micros: u64) {
            prop_assert_eq!(written(micros), format!("{}.{:03}", micros / 1000, micros % 1000));
        }
    }
}
