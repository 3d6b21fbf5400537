//! How long a provider asks us to wait.
//!
//! `retry-after-ms` is the more exact and wins; `Retry-After` is seconds or an HTTP date (RFC 9110,
//! section 10.2.3), and providers write fractions too. No answer is longer than [`LONGEST`]: a provider
//! with a wrong clock must not keep a route on one side for hours. What cannot be read is no answer.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// The longest wait that is believed.
pub const LONGEST: Duration = Duration::from_secs(600);

/// The wait asked for by the headers of a reply that arrived at `now`. A date in the past is no wait at all.
pub fn read(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let exact = text("retry-after-ms").and_then(|ms| seconds(ms, 1e-3));
    let wait = exact.or_else(|| {
        let value = text(RETRY_AFTER.as_str())?;
        seconds(value, 1.0).or_else(|| until(value, now))
    })?;
    Some(wait.min(LONGEST))
}

fn seconds(number: &str, unit: f64) -> Option<Duration> {
    // `f64` would read `inf`, `nan` and `1e9` as well; no provider means those.
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds = number.parse::<f64>().ok()? * unit;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST))
}

fn until(date: &str, now: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "Sun, 22 Nov 2026 10:00:00 GMT";

    fn wait(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().ok()?);
        read(&headers, httpdate::parse_http_date(NOW).unwrap())
    }

    #[test]
    fn seconds_whole_and_in_part_are_read() {
        assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("retry-after", " 1.5 "), Some(Duration::from_millis(1500)));
        assert_eq!(wait("retry-after", "0"), Some(Duration::ZERO));
    }

    #[test]
    fn a_date_is_the_time_until_it() {
        assert_eq!(wait("retry-after", "Sun, 22 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn a_wait_of_days_is_not_believed() {
        assert_eq!(wait("retry-after", "86400"), Some(LONGEST));
        assert_eq!(wait("retry-after", &"9".repeat(400)), Some(LONGEST));
        assert_eq!(wait("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"), Some(LONGEST));
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        for value in ["", "-5", "soon", "inf", "NaN", "1e3", "1.2.3", ".", "٣"] {
            assert_eq!(wait("retry-after", value), None, "{value}");
        }
    }

    #[test]
    fn milliseconds_win_over_seconds_if_they_can_be_read() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "9".parse().unwrap());
        headers.insert("retry-after-ms", "250".parse().unwrap());
        assert_eq!(read(&headers, SystemTime::now()), Some(Duration::from_millis(250)));
        headers.insert("retry-after-ms", "x".parse().unwrap());
        assert_eq!(read(&headers, SystemTime::now()), Some(Duration::from_secs(9)));
    }

    proptest! {
        #[test]
        fn no_value_panics_or_asks_for_too_long(value in any::<Vec<u8>>(), ms in "[0-9.e+-]{0,30}") {
            let mut headers = HeaderMap::new();
            for (name, value) in [("retry-after", &value[..]), ("retry-after-ms", ms.as_bytes())] {
                if let Ok(value) = http::HeaderValue::from_bytes(value) {
                    headers.insert(name, value);
                }
            }
            prop_assert!(read(&headers, SystemTime::now()).is_none_or(|wait| wait <= LONGEST));
        }
    }
}
