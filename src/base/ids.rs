//! The names of things, each a type of its own, cheap to clone.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Arc<str>);

        impl $type {
            pub fn new(name: impl AsRef<str>) -> Self {
                Self(Arc::from(name.as_ref()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A provider of the gateway file: `openai`, `azure-eu`.
    ProviderName
);
name!(
    /// A target of a route: a named one, or `provider/model`.
    TargetName
);
name!(
    /// A policy, by the name its file gives it.
    PolicyName
);
name!(
    /// A model, as a caller or a provider calls it.
    #[derive(Default)]
    ModelName
);
name!(
    /// A virtual key, by its name; never the key itself.
    KeyName
);
name!(
    /// A budget's name and whose it is: `team/search`. What is spent is kept under it.
    AccountId
);

/// A wire dialect, by its short name: `openai_chat`, `anthropic_messages`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialectId(pub &'static str);

impl DialectId {
    pub const OPENAI_CHAT: Self = Self("openai_chat");
    pub const ANTHROPIC_MESSAGES: Self = Self("anthropic_messages");
}

impl fmt::Display for DialectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for DialectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One request through the gateway: `req_` and 26 characters, sortable by time (ULID).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RequestId([u8; 30]);

/// The id of no request.
impl Default for RequestId {
    fn default() -> Self {
        Self(*b"req_00000000000000000000000000")
    }
}

impl RequestId {
    /// A fresh id for a request that arrived `unix_ms` milliseconds after 1970.
    pub fn fresh(unix_ms: u64) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let Self(mut id) = Self::default();
        let mut bits = (u128::from(unix_ms & 0xffff_ffff_ffff) << 80) | (fastrand::u128(..) >> 48);
        for place in id.iter_mut().skip(4).rev() {
            *place = *ALPHABET.get((bits & 31) as usize).unwrap_or(&b'0');
            bits >>= 5;
        }
        Self(id)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Letters, digits and `_`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.starts_with("req_") && text.bytes().skip(4).all(|byte| byte.is_ascii_alphanumeric());
        let bytes = text.as_bytes().try_into().ok().filter(|_| plain);
        bytes.map(Self).ok_or_else(|| format!("`{text}` is not the id of a request"))
    }
}

impl TryFrom<String> for RequestId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_sort_by_time_and_do_not_repeat() {
        let (early, late) = (RequestId::fresh(1_000), RequestId::fresh(2_000));
        assert!(early.as_str() < late.as_str());
        assert_ne!(RequestId::fresh(5), RequestId::fresh(5));
        assert_eq!(early.as_str().len(), 30);
    }

    #[test]
    fn a_request_id_is_read_as_it_is_written() {
        let id = RequestId::fresh(1_000);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("req_short".parse::<RequestId>().is_err());
        assert!("req_\"00000000000000000000000000".parse::<RequestId>().is_err());
    }
}
