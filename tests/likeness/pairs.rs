//! All pairs that the score of similar questions is trained on or tried with, in one order.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::data::TEMPLATES;

/// Where a pair comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Of two thirds of the blocks in `clusters.txt`; trained on.
    Trained,
    /// Of the others.
    HeldOut,
    /// Made by templates, which the lists of openings were made with in view.
    Generated,
    /// Of `by_hand.jsonl` and `held_out.jsonl`, which were written to try the canonical form, and were in view, too.
    Adversarial,
    /// Of `blind.jsonl`, written after the score's lists of words and openings, which it changed nothing about.
    Blind,
}

impl Set {
    pub const ALL: [Self; 5] = [Self::Trained, Self::HeldOut, Self::Generated, Self::Adversarial, Self::Blind];
}

#[derive(Debug, Clone)]
pub struct Pair {
    pub set: Set,
    pub a: String,
    pub b: String,
    pub same: bool,
}

pub fn all() -> Vec<Pair> {
    let mut pairs = blocks();
    let generated = TEMPLATES.pairs().into_iter();
    pairs.extend(generated.map(|pair| Pair { set: Set::Generated, a: pair.a, b: pair.b, same: pair.same }));
    for (name, set) in
        [("by_hand.jsonl", Set::Adversarial), ("held_out.jsonl", Set::Adversarial), ("blind.jsonl", Set::Blind)]
    {
        pairs.extend(written(name).into_iter().map(|(a, b, same)| Pair { set, a, b, same }));
    }
    pairs
}

/// What tells these pairs from any others.
pub fn hash(pairs: &[Pair]) -> String {
    let mut hasher = Sha256::new();
    for Pair { a, b, same, .. } in pairs {
        hasher.update(format!("{a}\t{b}\t{same}\n"));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/likeness").join(name)
}

pub fn written(name: &str) -> Vec<(String, String, bool)> {
    let text = std::fs::read_to_string(file(name)).unwrap();
    let pair = |line: &str| {
        let pair: Value = serde_json::from_str(line).unwrap();
        let said = |key: &str| pair[key].as_str().unwrap().to_owned();
        (said("a"), said("b"), pair["same"].as_bool().unwrap())
    };
    text.lines().map(pair).collect()
}

/// Of each block any two ways to ask are the same, and any other two lines are not.
fn blocks() -> Vec<Pair> {
    let text = std::fs::read_to_string(file("clusters.txt")).unwrap();
    let mut pairs = Vec::new();
    let blocks = text.split("\n\n").filter(|block| block.starts_with("= "));
    for (number, block) in blocks.enumerate() {
        let set = if number % 3 == 0 { Set::HeldOut } else { Set::Trained };
        let lines: Vec<_> = block.lines().filter_map(|line| line.split_once(' ')).collect();
        for (at, (sign, a)) in lines.iter().enumerate() {
            for (other, b) in lines.iter().skip(at + 1) {
                let same = (*sign, *other) == ("=", "=");
                pairs.push(Pair { set, a: (*a).to_owned(), b: (*b).to_owned(), same });
            }
        }
    }
    pairs
}
