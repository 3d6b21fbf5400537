//! The kinds of provider there are, as data.
//!
//! `catalogue.yaml` says of each kind which dialect it speaks, where, with what credential, and where it
//! differs from its dialect. A new vendor of a known dialect is a few lines there and none here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::header::{AUTHORIZATION, HeaderName};
use serde::{Deserialize, Deserializer};

use crate::base::ids::DialectId;
use crate::dialect::Quirks;

/// The names of all kinds, in alphabetical order.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.keys().map(String::as_str)
}

/// Whether a provider of this kind can be anywhere, so that its URL must be named.
pub fn needs_url(kind: &str) -> bool {
    KINDS.get(kind).is_some_and(|kind| kind.url.is_none() && !kind.simulated)
}

/// Whether a provider of this kind answers nobody without a key.
pub fn needs_key(kind: &str) -> bool {
    KINDS.get(kind).is_some_and(|kind| kind.key == Need::Required)
}

/// A kind of provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    #[serde(deserialize_with = "dialect")]
    pub(super) dialect: DialectId,
    /// The base URL; a kind without one needs the policy's.
    pub(super) url: Option<String>,
    /// What comes below a URL that is only a host.
    pub(super) below: Option<String>,
    #[serde(default)]
    pub(super) key: Need,
    #[serde(default)]
    pub(super) credential: Credential,
    /// Sent unless the caller sends them.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) quirks: Quirks,
    /// Whether it is played inside the process.
    #[serde(default)]
    pub(super) simulated: bool,
    /// The page these facts are from.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the file; a test requires it"))]
    source: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Need {
    #[default]
    Required,
    Optional,
}

/// How a key is shown to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(super) enum Credential {
    #[default]
    #[serde(rename = "bearer")]
    Bearer,
    #[serde(rename = "x-api-key")]
    XApiKey,
    #[serde(rename = "api-key")]
    ApiKey,
}

impl Credential {
    pub(super) fn header(self) -> HeaderName {
        match self {
            Self::Bearer => AUTHORIZATION,
            Self::XApiKey => HeaderName::from_static("x-api-key"),
            Self::ApiKey => HeaderName::from_static("api-key"),
        }
    }

    pub(super) fn value(self, key: &str) -> String {
        match self {
            Self::Bearer => format!("Bearer {key}"),
            Self::XApiKey | Self::ApiKey => key.to_owned(),
        }
    }
}

pub(super) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.get(name)
}

static KINDS: LazyLock<BTreeMap<String, Kind>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is part of the binary, and a test reads it")]
    serde_saphyr::from_str(include_str!("catalogue.yaml")).expect("the catalogue can be read")
});

fn dialect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DialectId, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = [DialectId::OPENAI_CHAT, DialectId::ANTHROPIC_MESSAGES];
    let found = known.into_iter().find(|dialect| dialect.0 == name);
    found.ok_or_else(|| serde::de::Error::custom(format!("`{name}` is not a dialect")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::address::Address;
    use http::HeaderValue;

    #[test]
    fn every_kind_of_the_catalogue_can_be_used() {
        assert!(kinds().count() > 20);
        for (name, kind) in KINDS.iter() {
            assert!(kind.source.starts_with("https://"), "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
            if let Some(url) = &kind.url {
                let address = Address::parse(url).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
                assert!(
                    address.is_https() || address.is_loopback() || kind.simulated,
                    "{name} sends keys in the clear"
                );
            }
            for (header, value) in &kind.headers {
                assert!(HeaderName::try_from(header).is_ok() && HeaderValue::try_from(value).is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn openai_and_anthropic_are_what_their_documentation_says() {
        let openai = kind("openai").unwrap();
        assert_eq!(openai.url.as_deref(), Some("https://api.openai.com/v1"));
        assert_eq!(openai.quirks, Quirks { max_completion_tokens: true, developer_role: true, ..Quirks::default() });
        let anthropic = kind("anthropic").unwrap();
        assert_eq!((anthropic.dialect, anthropic.credential), (DialectId::ANTHROPIC_MESSAGES, Credential::XApiKey));
        assert_eq!(anthropic.headers["anthropic-version"], "2023-06-01");
    }

    #[test]
    fn a_kind_without_a_url_of_its_own_is_one_that_asks_for_it() {
        let without: Vec<_> =
            KINDS.iter().filter(|(_, kind)| kind.url.is_none()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(without, ["anthropic_compatible", "azure_openai", "openai_compatible"]);
    }
}
