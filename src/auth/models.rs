//! The models a caller may name, as patterns.

use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};

/// One pattern. A `*` also stands for a `/`, as in `openai/*`.
///
/// # Errors
/// What is wrong with the pattern, which is repeated in backticks.
pub(super) fn glob(pattern: &str) -> Result<Glob, String> {
    Glob::new(pattern).map_err(|error| format!("`{pattern}` is not a pattern of model names: {}", error.kind()))
}

/// The set of all names that one of `globs` matches; without globs, of none.
pub(super) fn set(globs: impl IntoIterator<Item = Glob>) -> Result<Arc<GlobSet>, String> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(glob);
    }
    set.build().map(Arc::new).map_err(|error| format!("the patterns of model names are too large: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_crosses_slashes_and_an_empty_set_matches_nothing() {
        let some = set([glob("openai/*").unwrap(), glob("gpt-4*").unwrap()]).unwrap();
        assert!(some.is_match("openai/org/model") && some.is_match("gpt-4.1-mini"));
        assert!(!some.is_match("gpt-5"));
        assert!(!set([]).unwrap().is_match("gpt-4"));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        assert!(glob("gpt-[4").unwrap_err().starts_with("`gpt-[4` is not a pattern"));
    }
}
