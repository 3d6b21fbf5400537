//! The definition of a finding, written down once more and slowly.
//!
//! No automaton over many expressions, no first bytes, no scouting: for each place, each shape and each length, one
//! ordinary anchored expression. Neighbours and the choice among matches are written anew from the
//! documentation; checks are those of the table. Shapes with tails, or behind names, are left to the other laws.

use fastrand::Rng;
use proptest::prelude::*;
use regex::Regex;
use std::sync::LazyLock;
use tidegate::steps::redact::kind::{Edge, Shape};
use tidegate::steps::redact::{Detector, Settings, kinds};

use super::corpus;

/// Kinds that have no tails, no words of context that could change a score, and different forms.
const KINDS: [&str; 7] = ["iban", "mac", "br_cpf", "fi_hetu", "kr_rrn", "ch_ahv", "it_fiscal_code"];

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    Detector::compile(&Settings { find: KINDS.map(str::to_owned).to_vec(), ..Settings::default() }).unwrap()
});

/// The shapes that need no context, with their expressions for a whole text.
static SHAPES: LazyLock<Vec<(&'static Shape, Regex)>> = LazyLock::new(|| {
    let shapes = kinds::all().filter(|kind| KINDS.contains(&kind.name)).flat_map(|kind| kind.shapes);
    shapes
        .filter(|shape| shape.alone >= 50)
        .map(|shape| (shape, Regex::new(&format!("^(?:{})$", shape.regex)).unwrap()))
        .collect()
});

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn are_hex(digits: &str) -> bool {
    digits.len() == 4 && digits.bytes().all(|c| c.is_ascii_hexdigit())
}

/// Whether an escape ends at a place.
fn is_behind_escape(text: &str, at: usize) -> bool {
    let past = &text[..at];
    ["\\n", "\\r", "\\t", "\\b", "\\f"].iter().any(|escape| past.ends_with(escape))
        || past.rfind("\\u").is_some_and(|from| past.get(from + 2..).is_some_and(are_hex))
}

/// Whether a place is the letter of an escape.
fn is_in_escape(text: &str, at: usize) -> bool {
    let rest = &text[at..];
    text[..at].ends_with('\\')
        && (rest.starts_with(['n', 'r', 't', 'b', 'f'])
            || rest.strip_prefix('u').and_then(|digits| digits.get(..4)).is_some_and(are_hex))
}

/// Whether a match at a range stands apart.
fn is_apart(shape: &Shape, text: &str, from: usize, to: usize) -> bool {
    let mut before = text[..from].chars().rev();
    let mut behind = text[to..].chars();
    let (mut last, second_last, next, second) = (before.next(), before.next(), behind.next(), behind.next());
    if is_behind_escape(text, from) {
        last = None;
    }
    if is_word(last) || is_word(next) {
        return false;
    }
    match shape.edge {
        Edge::Word => true,
        Edge::Number => {
            let joined_before = match last {
                Some('.' | '-' | '/') => is_word(second_last),
                Some(':' | '#') => second_last.is_some_and(|c| c.is_ascii_digit()),
                Some('\\' | '%' | '&') => true,
                _ => false,
            };
            let joined_behind = matches!(next, Some('.' | '-' | '/' | ':' | '#' | '@')) && is_word(second);
            !joined_before && !joined_behind
        }
        Edge::Apart(signs) => {
            let is_sign = |c: Option<char>| c.is_some_and(|c| signs.contains(c));
            !(is_sign(last) && is_word(second_last) || is_sign(next) && is_word(second))
        }
        Edge::Lone | Edge::Address | Edge::Begin | Edge::Phrase | Edge::Free => {
            unreachable!("no such kind is asked for")
        }
    }
}

fn longest_at(text: &str, at: usize) -> Option<usize> {
    let most = text.len().min(at + 60);
    (at + 1..=most).rev().filter(|to| text.is_char_boundary(*to)).find(|to| {
        SHAPES.iter().any(|(shape, regex)| {
            let candidate = &text[at..*to];
            regex.is_match(candidate) && (shape.check)(candidate) && is_apart(shape, text, at, *to)
        })
    })
}

fn oracle(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let is_place = text.is_char_boundary(at) && !is_in_escape(text, at);
        let hit = if is_place { longest_at(text, at) } else { None };
        at = hit.map_or(at + 1, |to| {
            found.push(at..to);
            to
        });
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_slow_reading_of_the_definition_finds_the_same(seed: u64) {
        // Characters that fold would need a second folding here; the detector's own tests are about them.
        let text: String = corpus::mixed(&mut Rng::with_seed(seed)).chars().filter(|c| c.is_ascii() || ('à'..='ÿ').contains(c)).take(600).collect();
        let found: Vec<_> = DETECTOR.findings(&text, "").into_iter().map(|found| found.range).collect();
        prop_assert_eq!(found, oracle(&text), "{:?}", text);
    }
}
