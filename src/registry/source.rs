//! How a policy names a component.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file, or a place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Registry(Reference),
}

/// `oci://host/name:tag`, with or without `@sha256:…` of its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(pub(super) oci_client::Reference);

impl<'de> serde::Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Source {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A path, or `oci://host/name:tag`." })
    }
}

impl Source {
    /// # Errors
    /// When it is a reference and cannot be read as one.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix(SCHEME) {
            Some(rest) => Reference::parse(rest).map(Self::Registry),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// A relative path starts from `folder`.
    pub fn place(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&*path);
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Registry(_) => None,
        }
    }
}

impl Reference {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("`{SCHEME}{text}` is no place in a registry: {why}; write `oci://host/name:tag`");
        let host = text.split('/').next().unwrap_or_default();
        // A bare name would mean one of Docker's, which nobody sees who reads it.
        if !text.contains('/') || !(host.contains(['.', ':']) || host == "localhost") {
            return Err(wrong("it names no host"));
        }
        let reference: oci_client::Reference = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        if reference.tag().is_none() && reference.digest().is_none() {
            return Err(wrong("it has neither a tag nor a digest"));
        }
        Ok(Self(reference))
    }

    /// Whether it names its manifest by what is in it.
    pub fn is_fixed(&self) -> bool {
        self.0.digest().is_some()
    }

    /// The registry's host, with its port if it names one.
    pub fn host(&self) -> &str {
        self.0.registry()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0.whole())
    }
}

const SCHEME: &str = "oci://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_registry_is_told_from_a_file() {
        assert_eq!(Source::parse("../plugins/tone.wasm"), Ok(Source::File("../plugins/tone.wasm".into())));
        let Ok(Source::Registry(tag)) = Source::parse("oci://ghcr.io/acme/tone:1.2") else { panic!() };
        assert_eq!(
            (tag.host(), tag.is_fixed(), tag.to_string()),
            ("ghcr.io", false, "oci://ghcr.io/acme/tone:1.2".into())
        );
        let digest = format!("oci://localhost:5000/tone@sha256:{}", "a".repeat(64));
        let Ok(Source::Registry(fixed)) = Source::parse(&digest) else { panic!() };
        assert_eq!((fixed.host(), fixed.is_fixed()), ("localhost:5000", true));
    }

    #[test]
    fn a_reference_that_leaves_out_its_host_or_is_none_is_refused() {
        for text in
            ["oci://tone:1", "oci://acme/tone:1", "oci://ghcr.io/acme/TONE:1", "oci://ghcr.io/acme/tone:", "oci://"]
        {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }
}
