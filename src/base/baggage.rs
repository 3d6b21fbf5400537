//! What a caller carries along with its trace: W3C Baggage, as far as somebody wants to know.

use http::HeaderMap;
use percent_encoding::percent_decode_str;

/// The longest value that is taken, in bytes.
const LONGEST: usize = 256;

/// What the headers carry under these names. What is longer than 256 bytes or malformed is left out.
pub fn of(headers: &HeaderMap, wanted: &[String]) -> Vec<(String, String)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let lines = headers.get_all("baggage").iter().filter_map(|line| line.to_str().ok());
    let mut carried: Vec<(String, String)> = Vec::new();
    for member in lines.flat_map(|line| line.split(',')) {
        // Behind a semicolon are properties of the member.
        let Some((name, value)) = member.split(';').next().unwrap_or_default().split_once('=') else { continue };
        let (name, value) = (name.trim(), percent_decode_str(value.trim()).decode_utf8());
        let is_wanted = wanted.iter().any(|wanted| wanted == name) && !carried.iter().any(|(known, _)| known == name);
        match value {
            Ok(value) if is_wanted && value.len() <= LONGEST => carried.push((name.to_owned(), value.into_owned())),
            _ => {}
        }
    }
    carried
}

/// Whether a member may have this name.
pub fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn carried(line: &str, wanted: &[&str]) -> Vec<(String, String)> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("baggage"),
            HeaderValue::from_bytes(line.as_bytes()).unwrap(),
        )]);
        of(&headers, &wanted.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_what_is_wanted_is_taken_and_each_name_once() {
        let line = "tenant = a%20b;ttl=3, secret=s,tenant=c , empty=, odd";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(carried(line, &["tenant", "empty", "odd"]), [pair("tenant", "a b"), pair("empty", "")]);
        assert_eq!(carried(line, &[]), []);
    }

    #[test]
    fn what_is_too_long_or_no_text_is_left_out() {
        assert_eq!(carried(&format!("a={},b=%ff", "x".repeat(257)), &["a", "b"]), []);
        assert!(is_name("user.id") && !is_name("a b") && !is_name(""));
    }
}
