//! Lists of words and phrases, however many, looked for in one walk.
//!
//! A term is found as a whole, in upper or lower case, and a space of it is any one white space of the text. What
//! it does not do: forms of a word (`gun` does not find `guns`), spellings, letters of another script that look alike.
//!
//! The terms are one tree of their bytes in lower case. A node with a single term below it keeps the rest of that
//! term instead of nodes, so that a list of tens of thousands takes a few megabytes.

use std::collections::VecDeque;
use std::ops::Range;

use super::machine::Matches;

/// Terms of several lists.
pub struct Words {
    nodes: Vec<Node>,
    /// The branches of all nodes, those of one node side by side.
    branches: Vec<(u8, u32)>,
    /// The lists that have a term, those of one node side by side.
    lists: Vec<usize>,
    terms: Vec<Box<[u8]>>,
    first: [bool; 256],
    longest: usize,
}

/// What the terms with one beginning have in common.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// The lists of the term that ends here.
    lists: (u32, u32),
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Branches(u32, u32),
    /// The rest of a term, from a place of it on; then a node that has no branches.
    Rest {
        term: u32,
        from: u32,
        end: u32,
    },
}

impl Default for Next {
    fn default() -> Self {
        Self::Branches(0, 0)
    }
}

/// A term in lower case, and its list.
type Term = (Box<[u8]>, usize);

impl Words {
    /// Terms, each with the number of its list.
    pub fn new<'a>(terms: impl IntoIterator<Item = (&'a str, usize)>) -> Self {
        let mut terms: Vec<Term> = terms.into_iter().map(|(term, list)| (lower_all(term), list)).collect();
        terms.retain(|(term, _)| !term.is_empty());
        terms.sort_unstable();
        terms.dedup();
        let longest = terms.iter().map(|(term, _)| term.len()).max().unwrap_or_default();
        let first = std::array::from_fn(|byte| {
            let Ok(byte) = u8::try_from(byte) else { return false };
            let begins = |(term, _): &Term| term.first().is_some_and(|first| may_become(byte, *first));
            terms.iter().any(begins)
        });
        let mut words =
            Self { nodes: Vec::new(), branches: Vec::new(), lists: Vec::new(), terms: Vec::new(), first, longest };
        words.grow(&terms);
        words.terms = terms.into_iter().map(|(term, _)| term).collect();
        words
    }

    /// Makes the tree of terms in order.
    fn grow(&mut self, terms: &[Term]) {
        self.nodes.push(Node::default());
        // Nodes whose terms, in this range, agree in so many bytes. No recursion, since terms may be long.
        let mut open = VecDeque::from([(0, 0..terms.len(), 0)]);
        while let Some((node, range, depth)) = open.pop_front() {
            let here = terms.get(range.clone()).unwrap_or_default();
            let ending = here.iter().take_while(|(term, _)| term.len() == depth).count();
            let lists = self.add_lists(here.iter().take(ending).map(|(_, list)| *list));
            let rest = range.start + ending..range.end;
            let next = self.next(terms, rest, depth, &mut open);
            if let Some(node) = self.nodes.get_mut(node) {
                *node = Node { lists, next };
            }
        }
    }

    fn add_lists(&mut self, lists: impl Iterator<Item = usize>) -> (u32, u32) {
        let from = self.lists.len();
        self.lists.extend(lists);
        (number(from), number(self.lists.len()))
    }

    fn next(
        &mut self,
        terms: &[Term],
        rest: Range<usize>,
        depth: usize,
        open: &mut VecDeque<(usize, Range<usize>, usize)>,
    ) -> Next {
        let below = terms.get(rest.clone()).unwrap_or_default();
        let is_one = below.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        if is_one && !below.is_empty() {
            let end = self.nodes.len();
            let lists = self.add_lists(below.iter().map(|(_, list)| *list));
            self.nodes.push(Node { lists, next: Next::default() });
            return Next::Rest { term: number(rest.start), from: number(depth), end: number(end) };
        }
        let from = self.branches.len();
        let mut at = rest.start;
        for chunk in below.chunk_by(|(a, _), (b, _)| a.get(depth) == b.get(depth)) {
            let Some(byte) = chunk.first().and_then(|(term, _)| term.get(depth)) else { continue };
            self.branches.push((*byte, number(self.nodes.len())));
            open.push_back((self.nodes.len(), at..at + chunk.len(), depth + 1));
            self.nodes.push(Node::default());
            at += chunk.len();
        }
        Next::Branches(number(from), number(self.branches.len()))
    }

    /// Whether a term may begin with this byte.
    #[inline]
    pub fn may_begin_with(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// The longest text that a term may be found as, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// What the tree takes, in bytes.
    pub fn memory(&self) -> usize {
        let terms: usize = self.terms.iter().map(|term| term.len() + size_of::<Box<[u8]>>()).sum();
        self.nodes.len() * size_of::<Node>() + self.branches.len() * 8 + self.lists.len() * 8 + terms
    }

    /// Notes every term that `text` begins with, under the number of its list. Tells whether what follows may add one.
    pub fn walk(&self, text: &[u8], found: &mut Matches) -> bool {
        let mut place = Place { node: 0, walked: 0 };
        let mut at = 0;
        loop {
            self.note(place, at, found);
            let Some((character, length)) = text.get(at..).and_then(lower_first) else {
                return at >= text.len() && self.goes_on(place);
            };
            for byte in character.as_bytes() {
                let Some(next) = self.step(place, *byte) else { return false };
                place = next;
            }
            at += length;
        }
    }

    fn node(&self, place: Place) -> Node {
        self.nodes.get(place.node as usize).copied().unwrap_or_default()
    }

    fn note(&self, place: Place, length: usize, found: &mut Matches) {
        if place.walked > 0 {
            return;
        }
        let (from, to) = self.node(place).lists;
        let lists = self.lists.get(from as usize..to as usize).unwrap_or_default();
        found.extend(lists.iter().map(|list| (length, *list)));
    }

    fn goes_on(&self, place: Place) -> bool {
        !matches!(self.node(place).next, Next::Branches(from, to) if from == to)
    }

    fn step(&self, place: Place, byte: u8) -> Option<Place> {
        match self.node(place).next {
            Next::Branches(from, to) => {
                let branches = self.branches.get(from as usize..to as usize)?;
                let at = branches.binary_search_by_key(&byte, |(byte, _)| *byte).ok()?;
                branches.get(at).map(|(_, node)| Place { node: *node, walked: 0 })
            }
            Next::Rest { term, from, end } => {
                let rest = self.terms.get(term as usize)?.get(from as usize..)?;
                let walked = place.walked as usize;
                if rest.get(walked) != Some(&byte) {
                    return None;
                }
                let is_done = walked + 1 == rest.len();
                Some(if is_done { Place { node: end, walked: 0 } } else { Place { walked: place.walked + 1, ..place } })
            }
        }
    }
}

/// Where a walk has come to: a node, and how far along the rest it keeps.
#[derive(Clone, Copy)]
struct Place {
    node: u32,
    walked: u32,
}

/// Lists hold far fewer terms than four billion bytes.
fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// Whether a byte of a text may be the first of a term that begins with `first`.
fn may_become(byte: u8, first: u8) -> bool {
    if byte.is_ascii() { lower_ascii(byte) == first } else { !first.is_ascii() }
}

fn lower_ascii(byte: u8) -> u8 {
    if matches!(byte, b'\t' | b'\n' | b'\r') { b' ' } else { byte.to_ascii_lowercase() }
}

fn lower_all(term: &str) -> Box<[u8]> {
    let mut lowered = Vec::with_capacity(term.len());
    let mut rest = term.trim().as_bytes();
    while let Some((character, length)) = lower_first(rest) {
        lowered.extend_from_slice(character.as_bytes());
        rest = rest.get(length..).unwrap_or_default();
    }
    lowered.into()
}

/// A character in lower case.
enum Lower {
    Ascii([u8; 1]),
    Other([u8; 4], usize),
}

impl Lower {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ascii(byte) => byte,
            Self::Other(bytes, length) => bytes.get(..*length).unwrap_or_default(),
        }
    }
}

/// The first character of a text in lower case, and how many bytes it takes there. One that gets shorter, or
/// becomes several, stays as it is: no text is longer than the term it is found as.
fn lower_first(text: &[u8]) -> Option<(Lower, usize)> {
    let first = *text.first()?;
    if first.is_ascii() {
        return Some((Lower::Ascii([lower_ascii(first)]), 1));
    }
    let c = super::context::character_at(text, 0).map(|(c, _)| c)?;
    let mut lowered = c.to_lowercase();
    let lower = match (lowered.next(), lowered.next()) {
        (Some(lower), None) if lower.len_utf8() >= c.len_utf8() => lower,
        _ => c,
    };
    let mut bytes = [0; 4];
    let length = lower.encode_utf8(&mut bytes).len();
    Some((Lower::Other(bytes, length), c.len_utf8()))
}

/// The terms of a file: one a line, without empty lines and lines that begin with `#`.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(terms: &[&str], text: &str) -> (Vec<(usize, usize)>, bool) {
        let words = Words::new(terms.iter().copied().zip(0..));
        let mut found = Matches::new();
        let goes_on = words.walk(text.as_bytes(), &mut found);
        (found.to_vec(), goes_on)
    }

    #[test]
    fn every_term_that_a_text_begins_with_is_noted() {
        let terms = ["gun", "Gun Shop", "gunpowder", "gun"];
        assert_eq!(walked(&terms, "GUN\nshop here").0, [(3, 0), (3, 3), (8, 1)]);
        assert_eq!(walked(&terms, "gunpowders").0, [(3, 0), (3, 3), (9, 2)]);
        assert_eq!(walked(&terms, "shotgun"), (vec![], false));
    }

    #[test]
    fn a_walk_goes_on_only_where_a_longer_term_may_come() {
        assert_eq!(walked(&["gun shop"], "gun sh"), (vec![], true));
        assert_eq!(walked(&["gun shop"], "gun shop"), (vec![(8, 0)], false));
        assert_eq!(walked(&["gun", "gun shop"], "gun"), (vec![(3, 0)], true));
        assert_eq!(walked(&["gun shop"], "gun shy"), (vec![], false));
    }

    #[test]
    fn letters_with_accents_and_of_other_scripts_have_cases_too() {
        assert_eq!(walked(&["Öl"], "öl").0, [(3, 0)]);
        assert_eq!(walked(&["бомба"], "БОМБА!").0, [(10, 0)]);
        assert_eq!(walked(&["爆弾"], "爆弾を").0, [(6, 0)]);
    }

    #[test]
    fn a_long_list_is_small_and_each_of_its_terms_is_found() {
        let terms: Vec<String> = (0..50_000u32).map(|n| format!("term {:x}", n.wrapping_mul(2_654_435_761))).collect();
        let words = Words::new(terms.iter().map(|term| (term.as_str(), 7)));
        assert!(words.memory() < 8 << 20, "{}", words.memory());
        for term in &terms {
            let mut found = Matches::new();
            words.walk(term.as_bytes(), &mut found);
            assert!(found.contains(&(term.len(), 7)), "{term}");
        }
    }

    #[test]
    fn a_file_has_a_term_a_line() {
        assert_eq!(lines("\u{feff}# weapons\n gun \r\n\nrifle\n").collect::<Vec<_>>(), ["gun", "rifle"]);
    }
}
