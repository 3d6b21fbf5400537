//! What a caller states of itself in the body: user and session.

use bytestring::ByteString;

use crate::base::json::{Kind, Reader};

/// The string at `path` (`metadata.user_id`) of a JSON document, if there is one.
pub fn at_path(body: &ByteString, path: &str) -> Option<String> {
    let mut found = None;
    // The body has been read before: it is valid. What it says twice is not certain, and counts for nothing.
    search(&mut Reader::strict(body), path, &mut found).ok()?;
    found
}

fn search(reader: &mut Reader<'_>, path: &str, found: &mut Option<String>) -> crate::base::json::Result<()> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if reader.peek()? != Kind::Object {
        return reader.skip();
    }
    reader.object(|reader, key| match (key == first, rest) {
        (true, Some(rest)) => search(reader, rest, found),
        (true, None) if reader.peek()? == Kind::String => {
            *found = Some(reader.string()?);
            Ok(())
        }
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_found_by_its_path() {
        let body = ByteString::from(r#"{"metadata":{"user_id":"u1","n":3},"user":"u2"}"#);
        assert_eq!(at_path(&body, "metadata.user_id").as_deref(), Some("u1"));
        assert_eq!(at_path(&body, "user").as_deref(), Some("u2"));
        assert_eq!(at_path(&body, "metadata.n"), None);
        assert_eq!(at_path(&body, "user.deeper"), None);
    }

    #[test]
    fn what_is_stated_twice_is_not_stated() {
        for body in [
            r#"{"metadata":{"user_id":"u1","user_id":"u2"}}"#,
            r#"{"metadata":{"user_id":"u1","user\u005fid":7}}"#,
            r#"{"metadata":{"user_id":"u1"},"metadata":{}}"#,
        ] {
            assert_eq!(at_path(&body.into(), "metadata.user_id"), None, "{body}");
        }
    }
}
