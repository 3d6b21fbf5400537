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

/// Every finding of a text, in order. `before` is what was said just before it, and counts as context.
pub fn scan(rules: &Rules, text: &str, before: &str) -> Vec<Finding> {
    let folding = Folding::of(text);
    if before.is_empty() {
        return scan_folded(rules, &folding.text, 0, &folding);
    }
    let mut joined = context_of(before);
    let from = joined.len();
    joined.extend_from_slice(&folding.text);
    scan_folded(rules, &joined, from, &folding)
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

fn scan_folded(rules: &Rules, text: &[u8], from: usize, folding: &Folding<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut scout = Scout::default();
    let mut at = rules.next(text, from);
    while at < text.len() {
        match rules.decide(text, at, Some(&mut scout)) {
            Decision::Found(hit) => {
                let end = at + hit.length + tail_of(rules, hit, text, at);
                let range = folding.original(at - from)..folding.original(end - from);
                findings.push(Finding { shape: hit.shape, range, score: hit.score });
                at = end.max(at + 1);
            }
            Decision::Nothing | Decision::Hold => at += 1,
        }
        at = rules.next(text, at);
    }
    findings
}

fn tail_of(rules: &Rules, hit: Hit, text: &[u8], at: usize) -> usize {
    let Some(tail) = rules.tail(hit.shape) else { return 0 };
    let rest = text.get(at + hit.length..).unwrap_or_default();
    tail.walk(&mut tail.begin(), rest, true).unwrap_or_default()
}
