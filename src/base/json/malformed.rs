//! What is wrong with a document, and where.

use std::borrow::Cow;
use std::fmt;

/// A document, or a value in it, is not what its reader was promised.
#[derive(Clone, PartialEq, Eq)]
pub struct Malformed(Box<Wrong>);

#[derive(Clone, PartialEq, Eq)]
struct Wrong {
    /// Keys and indices from the inside out.
    path: Vec<String>,
    message: Cow<'static, str>,
}

impl Malformed {
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Wrong { path: Vec::new(), message: message.into() }))
    }

    /// The place of the fault in the document: `messages[2].content`; empty for the whole of it.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for part in self.0.path.iter().rev() {
            if !path.is_empty() && !part.starts_with('[') {
                path.push('.');
            }
            path.push_str(part);
        }
        path
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Says that the fault lies inside the member `part` of what is being read.
    #[must_use]
    pub fn within(mut self, part: impl Into<String>) -> Self {
        self.0.path.push(part.into());
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.path.is_empty() {
            return f.write_str(&self.0.message);
        }
        write!(f, "`{}`: {}", self.path(), self.0.message)
    }
}

impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Malformed({self})")
    }
}

impl std::error::Error for Malformed {}

pub type Result<T> = std::result::Result<T, Malformed>;
