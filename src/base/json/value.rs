//! Values that keep their bytes.

use std::fmt;

use bytestring::ByteString;

use super::Reader;

/// A JSON value as its bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Json(pub ByteString);

impl Json {
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(&self.0)
    }

    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// Whether it is a null, or an empty text, list or object.
    pub fn is_void(&self) -> bool {
        match self.kind() {
            Kind::Null => true,
            Kind::String => self.0.len() == 2,
            // Its second letter is its last.
            Kind::Array | Kind::Object => self.0.bytes().filter(|byte| !byte.is_ascii_whitespace()).nth(2).is_none(),
            Kind::Number | Kind::Bool => false,
        }
    }

    /// What kind of value this is.
    pub fn kind(&self) -> Kind {
        self.reader().peek().unwrap_or(Kind::Null)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// The number, if it is a whole one that fits.
pub(super) fn whole(number: &str) -> Option<u64> {
    number.parse().ok().or_else(|| {
        let float = number.parse().unwrap_or(0.0);
        (float >= 0.0 && float < 2f64.powi(53) && float.fract() == 0.0).then_some(float as u64)
    })
}

/// A JSON number as it was written, so that `1.0` does not become `1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Number(pub(super) ByteString);

impl Number {
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(0.0)
    }

    /// The number, if it is a whole one that fits.
    pub fn as_u64(&self) -> Option<u64> {
        whole(&self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        Self(n.to_string().into())
    }
}

impl From<f64> for Number {
    /// A number JSON cannot write (NaN, an infinity) becomes 0.
    fn from(n: f64) -> Self {
        Self(if n.is_finite() { n.to_string().into() } else { ByteString::from_static("0") })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    pub(super) fn with_article(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        }
    }
}
