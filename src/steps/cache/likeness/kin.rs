//! What words have to do with each other: forms of one word, nearly the same, opposites.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Whether a word is another one turned into its opposite, or the opposite of it.
pub fn are_opposite(one: &str, other: &str) -> bool {
    let (long, short) = if one.len() > other.len() { (one, other) } else { (other, one) };
    let is_turned = || TURNING.iter().any(|sign| long.strip_prefix(sign).is_some_and(|rest| root(rest) == root(short)));
    let lacks = |word: &str| word.strip_suffix("less").map(str::to_owned);
    let has = |word: &str| word.strip_suffix("ful").unwrap_or(word).to_owned();
    let is_without = lacks(one) == Some(has(other)) || lacks(other) == Some(has(one));
    is_without || is_turned() || OPPOSITE_ROOTS.contains(&(root(one), root(other)))
}

/// The groups of words that mean nearly the same as a word of this root.
pub fn near(root: &str) -> &'static [u16] {
    NEAR_ROOTS.get(root).map(Vec::as_slice).unwrap_or_default()
}

/// What forms of a word have in common, as far as English goes by its rules.
pub fn root(word: &str) -> String {
    let word = word.to_lowercase();
    let stem = |ending: &str| {
        let stem = word.strip_suffix(ending)?;
        (stem.len() >= 3 && stem.contains(['a', 'e', 'i', 'o', 'u', 'y'])).then(|| stem.to_owned())
    };
    let undoubled = |stem: String| {
        let mut letters = stem.chars().rev();
        let (last, before) = (letters.next(), letters.next());
        match last == before && !matches!(last, Some('l' | 's' | 'z' | 'e' | 'o')) {
            true => stem.get(..stem.len() - 1).unwrap_or(&stem).to_owned(),
            false => stem,
        }
    };
    let is_plural = word.len() > 3
        && word.ends_with('s')
        && !word.ends_with("ss")
        && !word.ends_with("us")
        && !word.ends_with("is");
    let bare = match () {
        () if word.ends_with("ies") && word.len() > 4 => stem("ies").map(|stem| stem + "y"),
        () if is_plural => stem("s"),
        () if word.ends_with("ing") => stem("ing").map(undoubled),
        () if word.ends_with("ed") => stem("ed").map(undoubled),
        () => None,
    };
    let bare = bare.unwrap_or_else(|| word.clone());
    let bare = bare.strip_suffix("es").filter(|stem| stem.ends_with(['s', 'x', 'h'])).unwrap_or(&bare);
    let bare = bare.strip_suffix('e').filter(|stem| stem.len() >= 3).unwrap_or(bare);
    match bare.strip_suffix('y') {
        Some(stem) if stem.len() >= 3 => format!("{stem}i"),
        _ => bare.to_owned(),
    }
}

static NEAR_ROOTS: LazyLock<HashMap<String, Vec<u16>>> = LazyLock::new(|| {
    let mut groups = HashMap::<_, Vec<_>>::new();
    for (number, group) in (0..).zip(NEAR) {
        group.iter().for_each(|word| groups.entry(root(word)).or_default().push(number));
    }
    groups
});

/// Both ways.
static OPPOSITE_ROOTS: LazyLock<HashSet<(String, String)>> = LazyLock::new(|| {
    let both = |[one, other]: &[&str; 2]| [(root(one), root(other)), (root(other), root(one))];
    OPPOSITES.iter().flat_map(both).collect()
});

/// What turns the word behind it into its opposite, or into something done again or amiss.
const TURNING: &[&str] =
    &["un", "in", "im", "il", "ir", "dis", "non-", "non", "de", "mis", "re", "re-", "under", "anti", "anti-"];

/// Words that mean nearly the same. Which of them do so where, nobody can say by the words alone.
const NEAR: &[&[&str]] = &[
    &["remove", "delete", "erase"],
    &["change", "modify", "alter", "edit", "update"],
    &["fix", "repair"],
    &["quick", "quickly", "fast", "rapidly"],
    &["big", "large"],
    &["begin", "start"],
    &["price", "cost"],
    &["find", "locate"],
    &["earn", "make"],
    &["learn", "study"],
    &["hard", "difficult"],
    &["holiday", "vacation"],
    &["trip", "journey"],
    &["buy", "purchase"],
    &["correct", "correctly", "proper", "properly"],
    &["enable", "activate"],
    &["disable", "deactivate"],
    &["register", "enroll"],
    &["benefit", "advantage"],
    &["drawback", "disadvantage"],
    &["symptom", "sign"],
    &["build", "construct"],
    &["produce", "manufacture", "make"],
    &["combine", "merge"],
    &["request", "ask"],
    &["revert", "undo"],
    &["cook", "make"],
    &["pan", "skillet"],
    &["indoors", "inside"],
    &["unclog", "unblock"],
    &["answer", "reply"],
    &["happy", "glad"],
    &["sick", "ill"],
    &["shop", "store"],
    &["movie", "film"],
    &["internet", "online", "web"],
    &["company", "business", "firm"],
    &["salary", "pay"],
    &["house", "home"],
    &["picture", "photo", "image"],
    &["talk", "speak"],
    &["error", "mistake"],
    &["decrease", "reduce", "lower"],
    &["solve", "resolve"],
    &["finish", "complete"],
    &["choose", "select"],
    &["kind", "type"],
    &["great", "excellent"],
    &["allow", "permit", "let"],
    &["stop", "quit"],
    &["kids", "children"],
    &["doctor", "physician"],
];

/// Words that are each other's opposite.
const OPPOSITES: &[[&str; 2]] = &[
    ["hot", "cold"],
    ["warm", "cool"],
    ["buy", "sell"],
    ["open", "close"],
    ["open", "shut"],
    ["win", "lose"],
    ["gain", "lose"],
    ["increase", "decrease"],
    ["raise", "lower"],
    ["enable", "disable"],
    ["install", "remove"],
    ["start", "finish"],
    ["begin", "end"],
    ["good", "bad"],
    ["safe", "dangerous"],
    ["easy", "hard"],
    ["easy", "difficult"],
    ["cheap", "expensive"],
    ["high", "low"],
    ["long", "short"],
    ["big", "small"],
    ["large", "small"],
    ["fast", "slow"],
    ["quickly", "slowly"],
    ["male", "female"],
    ["man", "woman"],
    ["men", "women"],
    ["boy", "girl"],
    ["husband", "wife"],
    ["son", "daughter"],
    ["brother", "sister"],
    ["mother", "father"],
    ["push", "pull"],
    ["send", "receive"],
    ["lend", "borrow"],
    ["lock", "unlock"],
    ["accept", "refuse"],
    ["accept", "reject"],
    ["create", "delete"],
    ["add", "remove"],
    ["rich", "poor"],
    ["wet", "dry"],
    ["light", "dark"],
    ["light", "heavy"],
    ["hard", "soft"],
    ["strong", "weak"],
    ["teach", "learn"],
    ["upload", "download"],
    ["arrive", "leave"],
    ["arrival", "departure"],
    ["advantage", "disadvantage"],
    ["benefit", "risk"],
    ["legal", "illegal"],
    ["public", "private"],
    ["true", "false"],
    ["wide", "narrow"],
    ["deep", "shallow"],
    ["freeze", "melt"],
    ["freeze", "boil"],
    ["give", "take"],
    ["love", "hate"],
    ["like", "hate"],
    ["remember", "forget"],
    ["save", "spend"],
    ["follow", "unfollow"],
    ["inside", "outside"],
    ["indoors", "outdoors"],
    ["positive", "negative"],
    ["cause", "cure"],
    ["import", "export"],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_have_one_root_and_other_words_have_another() {
        for forms in [
            ["stop", "stopped", "stopping"],
            ["apply", "applies", "applied"],
            ["bake", "bakes", "baking"],
            ["box", "boxes", "boxed"],
            ["study", "studies", "studying"],
            ["sell", "sells", "selling"],
        ] {
            assert_eq!(forms.map(root), [root(forms[0]), root(forms[0]), root(forms[0])], "{forms:?}");
        }
        for (one, other) in [("bus", "bush"), ("thing", "the"), ("red", "r"), ("princess", "prince"), ("gas", "ga")] {
            assert_ne!(root(one), root(other));
        }
    }

    #[test]
    fn opposites_are_known_by_lists_and_by_what_turns_a_word() {
        for (one, other) in
            [("lock", "unlock"), ("hot", "cold"), ("selling", "buy"), ("careful", "careless"), ("legal", "illegal")]
        {
            assert!(are_opposite(one, other) && are_opposite(other, one), "{one} {other}");
        }
        assert!(!are_opposite("fix", "repair") && !are_opposite("under", "derive"));
        assert!(near(&root("fixing")).iter().any(|group| near(&root("repairs")).contains(group)));
    }
}
