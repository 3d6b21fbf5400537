//! Shapes that are run by one machine, and what lets most places pass without a run.

use super::edges::is_clear_before;
use super::kind::Edge;
use super::machine::{Machine, Matches, Walk};
use super::rules::{Rule, Trouble};

/// Shapes that share a machine.
pub struct Bank {
    pub machine: Machine,
    /// By the index of the expression.
    pub shapes: Vec<usize>,
    /// Whether they are looked for behind a name only.
    pub keyed: bool,
    /// Bytes of which every match has one; none if that is not so.
    pub needs: Vec<u8>,
    /// The longest match, in folded bytes.
    pub longest: usize,
    /// The neighbours that all its shapes may have, if they agree.
    edge: Option<Edge>,
}

impl Bank {
    /// # Errors
    /// When the shapes do not make a machine.
    pub fn new(rules: &[Rule], shapes: &[usize], limit: usize) -> Result<Self, Trouble> {
        let chosen: Vec<&Rule> = shapes.iter().filter_map(|shape| rules.get(*shape)).collect();
        let expressions: Vec<&str> = chosen.iter().map(|rule| rule.regex.as_str()).collect();
        let only = if let [shape] = shapes { Some(*shape) } else { None };
        let machine = Machine::new(&expressions, limit).map_err(|unfit| Trouble { shape: only, unfit })?;
        let first = chosen.first();
        let mut needs: Vec<u8> = chosen.iter().filter_map(|rule| rule.needs).collect();
        if needs.len() < chosen.len() {
            needs.clear();
        }
        needs.sort_unstable();
        needs.dedup();
        // What lets no number begin lets no lone one begin either.
        let loose = |rule: &Rule| if rule.edge == Edge::Lone { Edge::Number } else { rule.edge };
        let edge = first.map(|first| loose(first)).filter(|edge| chosen.iter().all(|rule| loose(rule) == *edge));
        Ok(Self {
            machine,
            shapes: shapes.to_vec(),
            keyed: chosen.iter().all(|rule| rule.keyed),
            needs,
            longest: chosen.iter().filter_map(|rule| longest(&rule.regex)).max().unwrap_or_default(),
            edge,
        })
    }

    /// Whether what stands before a place lets some shape begin there with `first`.
    #[inline]
    pub fn is_clear(&self, past: &[u8], first: u8) -> bool {
        self.edge.is_none_or(|edge| is_clear_before(edge, past, first))
    }

    #[inline]
    pub fn walk(&self, past: &[u8], here: &[u8], ended: bool, found: &mut Matches) -> Walk {
        let known = found.len();
        let walk = self.machine.walk(past.last().copied(), here, ended, found);
        for (_, shape) in found.iter_mut().skip(known) {
            *shape = self.shapes.get(*shape).copied().unwrap_or(usize::MAX);
        }
        walk
    }
}

/// What is known of the bytes ahead in a whole text.
#[derive(Debug, Default)]
pub struct Scout {
    /// Where a needed byte comes next, for places up to there.
    next: Option<usize>,
}

impl Scout {
    /// Whether none of these bytes, which are always the same, comes within `most` bytes.
    #[inline]
    pub fn lacks(&mut self, needs: &[u8], text: &[u8], at: usize, most: usize) -> bool {
        let next = self.next.filter(|next| *next >= at).unwrap_or_else(|| find(needs, text, at));
        self.next = Some(next);
        next.saturating_sub(at) > most
    }
}

fn find(needs: &[u8], text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let found = match needs {
        [a] => memchr::memchr(*a, rest),
        [a, b] => memchr::memchr2(*a, *b, rest),
        [a, b, c] => memchr::memchr3(*a, *b, *c, rest),
        _ => rest.iter().position(|byte| needs.contains(byte)),
    };
    found.map_or(usize::MAX, |found| at + found)
}

/// The longest text an expression matches, in bytes, if that is bounded.
pub fn longest(regex: &str) -> Option<usize> {
    regex_syntax::parse(regex).ok().and_then(|hir| hir.properties().maximum_len())
}
