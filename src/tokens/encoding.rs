//! The public encodings of OpenAI's models.
//!
//! Which model has which is what `tiktoken` (<https://github.com/openai/tiktoken>) says of it, by the name's beginning.
//! A name that only looks like one of OpenAI's has none: a wrong count that passes for exact is worse than an estimate.

use std::sync::atomic::{AtomicBool, Ordering};

use bpe_openai::Tokenizer;

/// An encoding that can be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    O200k,
    Cl100k,
}

impl Encoding {
    /// The encoding of a model, as its provider calls it: `gpt-4o-mini`, `openai/gpt-4o`, `ft:gpt-4o:acme`.
    pub fn of_model(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next().unwrap_or(model);
        let name = name.strip_prefix("ft:").unwrap_or(name);
        if O200K.iter().any(|family| is_of(name, family)) {
            return Some(Self::O200k);
        }
        let is_older = name == "gpt-4" || CL100K.iter().any(|family| is_of(name, family));
        is_older.then_some(Self::Cl100k)
    }

    /// The same, if nothing is put before a chat that nobody has published. Open weights are served with instructions
    /// of their own, whose length is up to whoever serves them.
    pub fn with_known_framing(model: &str) -> Option<Self> {
        Self::of_model(model).filter(|_| !model.contains("gpt-oss"))
    }

    /// The tokens of a text. It takes time in proportion to the text; the first call reads the encoding's table, which
    /// takes a tenth of a second.
    pub fn count(self, text: &str) -> u64 {
        let count = self.table().count(text);
        self.ready().store(true, Ordering::Relaxed);
        count as u64
    }

    /// Whether its table has been read.
    pub fn is_ready(self) -> bool {
        self.ready().load(Ordering::Relaxed)
    }

    fn table(self) -> &'static Tokenizer {
        match self {
            Self::O200k => bpe_openai::o200k_base(),
            Self::Cl100k => bpe_openai::cl100k_base(),
        }
    }

    fn ready(self) -> &'static AtomicBool {
        static READY: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
        let [o200k, cl100k] = &READY;
        match self {
            Self::O200k => o200k,
            Self::Cl100k => cl100k,
        }
    }
}

/// Whether a name is the family's own or a member's: nothing follows, or what does begins with no letter or digit.
/// A family that ends with a hyphen may go on with anything.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| {
        family.ends_with('-') || !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
    })
}

const O200K: [&str; 9] = ["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "o1", "o3", "o4", "chatgpt-", "gpt-oss"];
/// Others call models of theirs `gpt-4-…`, too; those of OpenAI's are all here.
const CL100K: [&str; 10] = [
    "gpt-4-turbo",
    "gpt-4-0314",
    "gpt-4-0613",
    "gpt-4-1106",
    "gpt-4-0125",
    "gpt-4-32k",
    "gpt-3.5",
    "gpt-35",
    "text-embedding-3",
    "text-embedding-ada-002",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(models: &[&str]) -> Vec<Option<Encoding>> {
        models.iter().map(|model| Encoding::of_model(model)).collect()
    }

    #[test]
    fn a_model_of_openais_has_its_encoding_by_its_name() {
        let newer = of(&["gpt-4o", "gpt-4o-mini", "openai/gpt-4.1-nano", "gpt-5.1", "o3", "o4-mini", "gpt-oss-120b"]);
        assert!(newer.iter().all(|encoding| *encoding == Some(Encoding::O200k)), "{newer:?}");
        let older = of(&["gpt-4", "gpt-4-turbo", "gpt-4-0613", "gpt-3.5-turbo-0125", "text-embedding-3-small"]);
        assert!(older.iter().all(|encoding| *encoding == Some(Encoding::Cl100k)), "{older:?}");
        assert_eq!(of(&["ft:gpt-4o-mini:acme::x", "chatgpt-4o-latest"]), [Some(Encoding::O200k); 2]);
    }

    #[test]
    fn what_is_put_before_a_chat_is_not_known_of_open_weights() {
        assert_eq!(Encoding::with_known_framing("openai/gpt-oss-20b"), None);
        assert_eq!(Encoding::with_known_framing("openai/gpt-4o"), Some(Encoding::O200k));
    }

    #[test]
    fn a_name_that_only_looks_like_one_has_none() {
        let others =
            of(&["", "claude-opus-4-5", "gpt-4-x-vicuna", "gpt-40", "o10", "o1x", "gpt-6", "my-gpt-4o", "gpt"]);
        assert!(others.iter().all(Option::is_none), "{others:?}");
    }
}
