//! What a policy looks for, and why that may not compile.

use std::sync::Arc;

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Names of kinds, and of profiles, which are all their kinds. Empty is the profile `default`, or nothing where
    /// there are kinds or words of the policy's own.
    pub find: Vec<String>,
    /// Kinds of the policy's own.
    pub custom: Vec<Custom>,
    /// Lists of words and phrases that are always found, as whole words, in any case; each list is a kind.
    pub lists: Vec<List>,
    /// Values that are never found, in any case.
    pub allow: Vec<String>,
    /// How sure a finding must be, in percent; 50 where it is not said.
    pub confidence: Option<u8>,
}

/// A kind that a policy defines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custom {
    pub name: String,
    pub regex: String,
    /// The name of a check, as in [`checks::NAMED`].
    pub check: Option<String>,
    /// Words of which one must stand within five words before a match.
    pub near: Vec<String>,
}

/// Words and phrases that a policy lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    pub name: String,
    pub terms: Arc<Vec<String>>,
}

/// Why settings do not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    #[error("`{name}` is no type and no profile")]
    UnknownKind { name: String, help: String },
    #[error("`{name}` is the name of another type")]
    NameTaken { name: String },
    #[error("`{name}` is no name for a type; letters, digits and `_` make one")]
    BadName { name: String },
    #[error("the expression of `{name}` {misfit}")]
    Misfit { name: String, misfit: Misfit },
    #[error("the automaton of `{name}` is too large; use narrower classes, such as `[a-z0-9]` for `\\w`")]
    TooLarge { name: String },
    #[error("`{name}` is no check; checks are: {known}")]
    UnknownCheck { name: String, known: String },
    #[error("a term of `{name}` has {length} bytes; at most {MOST_BYTES} can be held back of a stream")]
    LongTerm { name: String, length: usize },
    #[error("a confidence of {percent} is none; it is between 1 and 100")]
    BadConfidence { percent: u8 },
}

/// Why an expression cannot be run on streams.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    #[error("is not understood: {cause}")]
    Unclear { cause: String },
    #[error("matches an empty text")]
    Empty,
    #[error("has no longest match; bound it, as in `{{1,40}}` for `+`")]
    Unbounded,
    #[error("matches up to {length} bytes; at most {MOST_BYTES} can be held back of a stream")]
    TooLong { length: usize },
}

impl Problem {
    /// What may be done about it, if that is not said already.
    pub fn help(&self) -> Option<&str> {
        if let Self::UnknownKind { help, .. } = self { Some(help) } else { None }
    }
}

/// The longest match that a kind of the policy's own may have.
pub const MOST_BYTES: usize = 512;
