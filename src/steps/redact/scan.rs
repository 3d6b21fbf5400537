//! Findings of a whole text.

use std::ops::Range;

use super::bank::Scout;
use super::fold::Folding;
use super::marks::BLOCK;
use super::rules::{Decision, Hit, Rules};

/// Where in a text something was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The index of the shape.
    pub shape: usize,
    /// The bytes of the text.
    pub range: Range<usize>,
    /// How sure it is, in percent.
    pub score: u8,
}

/// What a scan has to tell.
pub enum Told {
    Found(Finding),
    /// Nothing, for a good while.
    Pause,
}

/// Tells of every finding of a text, in order, until `tell` has heard enough. `before` is what was said just before it,
/// and counts as context.
///
/// # Errors
/// What `tell` makes of it.
pub fn scan<E>(rules: &Rules, text: &str, before: &str, tell: impl FnMut(Told) -> Result<(), E>) -> Result<(), E> {
    let folding = Folding::of(text);
    if before.is_empty() {
        return scan_folded(rules, &folding.text, 0, &folding, tell);
    }
    let mut joined = context_of(before);
    let from = joined.len();
    joined.extend_from_slice(&folding.text);
    scan_folded(rules, &joined, from, &folding, tell)
}

/// The end of an earlier text, as a later one has it for context.
pub fn context_of(before: &str) -> Vec<u8> {
    let skipped = before.len().saturating_sub(super::context::REACH * 2);
    let from = (skipped..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or_default();
    let mut past = Folding::of(before.get(from..).unwrap_or_default()).text.into_owned();
    if !past.is_empty() {
        past.push(b'\n');
    }
    past
}

fn scan_folded<E>(
    rules: &Rules,
    text: &[u8],
    from: usize,
    folding: &Folding<'_>,
    mut tell: impl FnMut(Told) -> Result<(), E>,
) -> Result<(), E> {
    let mut scout = Scout::default();
    let mut places = Places { rules, text, at: from, block: from, bits: 0, slow: from };
    let mut paused = from;
    while let Some(at) = places.next() {
        if at - paused > PAUSE {
            paused = at;
            tell(Told::Pause)?;
        }
        if let Decision::Found(hit) = rules.decide(text, at, Some(&mut scout)) {
            let end = at + hit.length + tail_of(rules, hit, text, at);
            let range = folding.original(at - from)..folding.original(end - from);
            tell(Told::Found(Finding { shape: hit.shape, range, score: hit.score }))?;
            places.go_on(end.max(at + 1));
        }
    }
    Ok(())
}

/// The places of a text where a finding may begin.
struct Places<'a> {
    rules: &'a Rules,
    text: &'a [u8],
    /// What comes before it has been looked at.
    at: usize,
    /// Where the block begins whose places are left in `bits`.
    block: usize,
    bits: u64,
    /// Up to there places are looked at one by one, since there is an escape.
    slow: usize,
}

impl Places<'_> {
    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            if self.at >= self.slow {
                if let Some(bits) = self.rules.marks.next_block(self.text, self.at) {
                    (self.block, self.bits) = (self.at, bits);
                    self.at += BLOCK;
                    continue;
                }
                self.slow = self.at + BLOCK;
            }
            let place = self.rules.marks.next(self.text, self.at);
            self.at = place + 1;
            return (place < self.text.len()).then_some(place);
        }
        let place = self.block + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(place)
    }

    /// Passes by what comes before `at`.
    fn go_on(&mut self, at: usize) {
        (self.at, self.bits) = (at, 0);
    }
}

/// How many bytes a scan goes on without a word: a fraction of a millisecond.
const PAUSE: usize = 64 << 10;

fn tail_of(rules: &Rules, hit: Hit, text: &[u8], at: usize) -> usize {
    let Some(tail) = rules.tail(hit.shape) else { return 0 };
    let rest = text.get(at + hit.length..).unwrap_or_default();
    tail.walk(&mut tail.begin(), rest, true).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::redact::{Detector, Settings};

    #[test]
    fn places_in_blocks_are_the_places_one_by_one() {
        let detector = Detector::compile(&Settings { find: vec!["all".into()], ..Settings::default() }).unwrap();
        let rules = detector.rules();
        let pieces =
            ["a", "Z9", " ", "\\n", "\\u00e9", "\\", "-", "4111", "\u{e9}", "words in prose, ", "x@y.org ", "key: "];
        let texts = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..80);
        proptest!(|(text in texts, skips in prop::collection::vec(0_usize..40, 0..9))| {
            let text = text.concat().into_bytes();
            let mut places = Places { rules, text: &text, at: 0, block: 0, bits: 0, slow: 0 };
            let (mut at, mut skips) = (0, skips.into_iter());
            while let Some(place) = places.next() {
                prop_assert_eq!(place, rules.marks.next(&text, at));
                at = place + 1;
                if let Some(skip) = skips.next() {
                    at += skip;
                    places.go_on(at);
                }
            }
            prop_assert!(rules.marks.next(&text, at) >= text.len());
        });
    }
}
