//! Findings of a whole text.

use std::ops::Range;

use super::bank::Scout;
use super::fold::Folding;
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
    let mut at = rules.next(text, from);
    let mut paused = at;
    while at < text.len() {
        if at - paused > PAUSE {
            paused = at;
            tell(Told::Pause)?;
        }
        match rules.decide(text, at, Some(&mut scout)) {
            Decision::Found(hit) => {
                let end = at + hit.length + tail_of(rules, hit, text, at);
                let range = folding.original(at - from)..folding.original(end - from);
                tell(Told::Found(Finding { shape: hit.shape, range, score: hit.score }))?;
                at = end.max(at + 1);
            }
            Decision::Nothing | Decision::Hold => at += 1,
        }
        at = rules.next(text, at);
    }
    Ok(())
}

/// How many bytes a scan goes on without a word: a fraction of a millisecond.
const PAUSE: usize = 64 << 10;

fn tail_of(rules: &Rules, hit: Hit, text: &[u8], at: usize) -> usize {
    let Some(tail) = rules.tail(hit.shape) else { return 0 };
    let rest = text.get(at + hit.length..).unwrap_or_default();
    tail.walk(&mut tail.begin(), rest, true).unwrap_or_default()
}
