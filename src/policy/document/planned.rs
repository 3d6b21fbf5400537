//! Words of the language that this version does not act on.
//!
//! They are refused by name: a budget that is read and never applied would be worse than none.

/// Whether `word` is known to be coming, as a field or a choice of the type named `of`.
pub(in crate::policy) fn is_planned(of: &str, word: &str) -> bool {
    let words: &[&str] = match of {
        "GatewayDoc" => &[],
        "ProviderDoc" => &["credential", "region"],
        _ => &[],
    };
    words.contains(&word)
}

/// Whether a kind of provider is known to be coming.
pub(in crate::policy) fn is_planned_kind(word: &str) -> bool {
    ["bedrock", "vertex"].contains(&word)
}
