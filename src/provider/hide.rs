//! Hiding keys in what a provider says: some quote the key they do not accept.

use bytes::Bytes;

use crate::base::secret::Secret;
use crate::base::stop::Reply;

/// What stands in the place of a key.
const HIDDEN: &str = "[key]";

/// Hides `keys` wherever the reply quotes one.
pub fn hide(keys: &[Secret], reply: &mut Reply) {
    for key in keys.iter().map(Secret::expose).filter(|key| !key.is_empty()) {
        if reply.message.contains(key) {
            reply.message = reply.message.replace(key, HIDDEN);
        }
        if let Some((_, body)) = &mut reply.wire
            && memchr::memmem::find(body, key.as_bytes()).is_some()
        {
            *body = without(body, key.as_bytes());
        }
    }
}

fn without(body: &[u8], key: &[u8]) -> Bytes {
    let mut clean = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest, key) {
        let (before, after) = rest.split_at(at);
        clean.extend_from_slice(before);
        clean.extend_from_slice(HIDDEN.as_bytes());
        rest = after.get(key.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::DialectId;

    #[test]
    fn a_quoted_key_is_hidden_in_words_and_body() {
        let body = Bytes::from_static(b"{\"error\":\"sk-1 is wrong, sk-1!\"}");
        let mut reply = Reply { message: "no sk-1".into(), wire: Some((DialectId("d"), body)), ..Reply::default() };
        hide(&[Secret::new("sk-1")], &mut reply);
        assert_eq!(reply.message, "no [key]");
        assert_eq!(reply.wire.unwrap().1, "{\"error\":\"[key] is wrong, [key]!\"}");
    }
}
