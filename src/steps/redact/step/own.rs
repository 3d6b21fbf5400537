//! What a policy defines of its own: names, expressions, checks and words, each checked where it is written.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::steps::redact::parts;
use crate::steps::redact::settings::{MOST_BYTES, Problem};

/// Texts that are read from a file and checked by the way.
macro_rules! checked {
    ($($(#[$doc:meta])* $name:ident by $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text).map(|()| Self(text))
            }
        }

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

checked! {
    /// The name of a type or a topic of the policy's own.
    Name by |name| parts::free(name).map_err(|problem: Problem| problem.to_string());
    /// An expression of bounded length: `EMP-[0-9]{6}`, never `EMP-[0-9]+`.
    Expression by |regex| parts::fit(regex).map_err(|misfit| format!("the expression {misfit}"));
    /// The name of a checksum: `luhn`, `mod97`, `verhoeff` …
    CheckName by |name| parts::named_check(name).map(drop).map_err(|problem| problem.to_string());
    /// A word or phrase.
    Term by |term| match term.trim().len() {
        0 => Err("an empty word is in every text, or in none".into()),
        1..=MOST_BYTES => Ok(()),
        length => Err(format!("a term of {length} bytes is too long; at most {MOST_BYTES} can be held back of a stream")),
    };
}
