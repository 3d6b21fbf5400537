//! Names that metrics tell apart, of those that callers bring with them: the ones in the files, and no more others than
//! there is room for. All that are left are one, so that nobody can make series without end.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

pub struct Roster {
    names: RwLock<Names>,
    /// How many that are in no file may be told apart: those that came first.
    room: usize,
    other: Arc<str>,
}

#[derive(Default)]
struct Names {
    of_files: HashSet<Arc<str>>,
    met: HashSet<Arc<str>>,
}

/// What all others are called.
const OTHER: &str = "other";

impl Roster {
    pub fn with_room(room: usize) -> Self {
        Self { names: RwLock::default(), room, other: OTHER.into() }
    }

    /// The names that are in the files now.
    pub fn are(&self, names: impl IntoIterator<Item = Arc<str>>) {
        let of_files = names.into_iter().collect();
        self.names.write().unwrap_or_else(PoisonError::into_inner).of_files = of_files;
    }

    /// What to call this one.
    pub fn name(&self, name: &str) -> Arc<str> {
        let known = |names: &Names| names.of_files.get(name).or_else(|| names.met.get(name)).cloned();
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known(&names) {
            return known;
        }
        if names.met.len() >= self.room || !is_plain(name) {
            return Arc::clone(&self.other);
        }
        drop(names);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.met.len() >= self.room {
            return Arc::clone(&self.other);
        }
        let fresh: Arc<str> = name.into();
        names.met.insert(Arc::clone(&fresh));
        fresh
    }
}

/// Whether a name that is in no file looks like one, and neither like an address of somebody nor like a text.
fn is_plain(name: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_sign)
}

/// Bytes.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_files_are_told_apart_and_of_others_as_many_as_there_is_room_for() {
        let roster = Roster::with_room(2);
        roster.are(["a".into(), "b".into()]);
        let told = |name: &str| roster.name(name).to_string();
        assert_eq!(["a", "b", "x", "y", "z", "x"].map(told), ["a", "b", "x", "y", "other", "x"]);
        roster.are(["z".into()]);
        assert_eq!(["z", "x", "a"].map(told), ["z", "x", "other"]);
    }

    #[test]
    fn a_name_that_is_in_no_file_must_look_like_one() {
        let roster = Roster::with_room(9);
        let long = "m".repeat(65);
        for name in ["jo@example.org", "tell me a joke", "", &long, "gäste"] {
            assert_eq!(&*roster.name(name), "other", "{name}");
        }
        assert_eq!(&*roster.name("openai/gpt-4.1:free"), "openai/gpt-4.1:free");
    }

    #[test]
    fn without_room_only_the_files_count() {
        let roster = Roster::with_room(0);
        roster.are(["a".into()]);
        assert_eq!(["a", "b", ""].map(|name| roster.name(name).to_string()), ["a", "other", "other"]);
    }
}
