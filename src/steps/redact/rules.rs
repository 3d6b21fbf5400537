//! The kinds a policy looks for, compiled, and the one definition of what a finding is.
//!
//! At a place of a text, over all shapes, the longest match that begins there and passes its check, its
//! neighbours and its context is a finding; among equally long ones the surest, then the first of the table.
//! [`Rules::decide`] answers for one place, and says [`Decision::Hold`] when the answer depends on text that has
//! not come yet. Whole texts and streams both ask it and nothing else, so they cannot disagree.

use super::context::{self, Before, Phrases};
use super::kind::{Check, Edge};
use super::machine::{Machine, Matches, Tail, Unfit, Walk};

/// What is to be said of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// No finding begins here.
    Nothing,
    /// It depends on what follows.
    Hold,
    /// This one does.
    Found(Hit),
}

/// A finding at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Its length in folded bytes, without its tail.
    pub length: usize,
    pub shape: usize,
    /// How sure it is, in percent.
    pub score: u8,
}

/// A shape as it is run.
pub struct Rule {
    /// The index of its kind in [`Rules::kinds`].
    pub kind: usize,
    pub regex: String,
    pub tail: Option<String>,
    pub edge: Edge,
    pub check: Check,
    pub alone: u8,
    pub near: u8,
    pub keyed: bool,
    pub needs: Option<u8>,
}

/// What all shapes of a kind share.
pub struct Group {
    pub name: String,
    pub label: String,
    pub near: Phrases,
    pub unless: Phrases,
}

/// Kinds compiled together.
pub struct Rules {
    pub kinds: Vec<Group>,
    rules: Vec<Rule>,
    tails: Vec<Option<Tail>>,
    banks: Vec<Bank>,
    /// Whether a finding may begin with this byte.
    first: [bool; 256],
    /// The least score that counts, in percent.
    threshold: u8,
    longest: usize,
    /// Whether some shape may begin inside a word.
    inside_words: bool,
}

/// Shapes that share a machine.
struct Bank {
    machine: Machine,
    /// By the index of the expression.
    shapes: Vec<usize>,
    keyed: bool,
    /// A byte that all its matches have.
    needs: Option<u8>,
}

/// What is known of the bytes ahead in a whole text.
#[derive(Debug, Default)]
pub struct Scout {
    /// Where a needed byte comes next, for places up to there.
    next: Option<(u8, usize)>,
}

impl Scout {
    /// Whether none of these bytes comes at `at` or later.
    fn lacks(&mut self, byte: u8, text: &[u8], at: usize, most: usize) -> bool {
        let next = match self.next {
            Some((known, next)) if known == byte && next >= at => next,
            _ => {
                let rest = text.get(at..).unwrap_or_default();
                let next = memchr::memchr(byte, rest).map_or(usize::MAX, |found| at + found);
                self.next = Some((byte, next));
                next
            }
        };
        next.saturating_sub(at) > most
    }
}

impl Bank {
    #[inline]
    fn walk(&self, past: &[u8], here: &[u8], ended: bool, found: &mut Matches) -> Walk {
        let known = found.len();
        let walk = self.machine.walk(past.last().copied(), here, ended, found);
        for (_, shape) in found.iter_mut().skip(known) {
            *shape = self.shapes.get(*shape).copied().unwrap_or(usize::MAX);
        }
        walk
    }
}

/// A group of shapes does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unfit}")]
pub struct Trouble {
    /// The shape, if it is one alone.
    pub shape: Option<usize>,
    pub unfit: Unfit,
}

/// The bytes behind a match that its neighbours may be judged by.
pub const LOOK_AHEAD: usize = 2;

/// Decimal digits, letters and the underscore.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Rules {
    /// Compiles shapes in banks: each of `banks` is run by a machine of its own, with its size limit.
    ///
    /// # Errors
    /// When the shapes do not make a machine.
    pub fn new(
        kinds: Vec<Group>,
        rules: Vec<Rule>,
        banks: &[(Vec<usize>, usize)],
        threshold: u8,
    ) -> Result<Self, Trouble> {
        let mut built = Vec::new();
        for (shapes, limit) in banks.iter().filter(|(shapes, _)| !shapes.is_empty()) {
            let chosen: Vec<&Rule> = shapes.iter().filter_map(|shape| rules.get(*shape)).collect();
            let expressions: Vec<&str> = chosen.iter().map(|rule| rule.regex.as_str()).collect();
            let only = if let [shape] = shapes.as_slice() { Some(*shape) } else { None };
            let machine = Machine::new(&expressions, *limit).map_err(|unfit| Trouble { shape: only, unfit })?;
            let keyed = chosen.iter().all(|rule| rule.keyed);
            let needs = chosen
                .first()
                .and_then(|first| first.needs)
                .filter(|byte| chosen.iter().all(|rule| rule.needs == Some(*byte)));
            built.push(Bank { machine, shapes: shapes.clone(), keyed, needs });
        }
        let mut tails = Vec::new();
        for (shape, rule) in rules.iter().enumerate() {
            let tail = rule.tail.as_deref().map(Tail::new).transpose();
            tails.push(tail.map_err(|unfit| Trouble { shape: Some(shape), unfit })?);
        }
        let may_begin = |byte: usize| {
            u8::try_from(byte).is_ok_and(|byte| built.iter().any(|bank: &Bank| bank.machine.may_begin_with(byte)))
        };
        let first = std::array::from_fn(may_begin);
        let longest = rules.iter().filter_map(|rule| longest(&rule.regex)).max().unwrap_or_default();
        let inside_words = rules.iter().any(|rule| rule.edge == Edge::Free && !rule.keyed);
        Ok(Self { kinds, rules, tails, banks: built, first, threshold, longest, inside_words })
    }

    /// The most that is ever held back of a stream, in folded bytes.
    pub fn hold_back(&self) -> usize {
        self.longest + LOOK_AHEAD
    }

    /// The memory of the automata, in bytes.
    pub fn memory(&self) -> usize {
        let banks: usize = self.banks.iter().map(|bank| bank.machine.memory()).sum();
        banks + self.tails.iter().flatten().map(Tail::memory).sum::<usize>()
    }

    pub fn rule(&self, shape: usize) -> Option<&Rule> {
        self.rules.get(shape)
    }

    pub fn group(&self, shape: usize) -> Option<&Group> {
        self.rules.get(shape).and_then(|rule| self.kinds.get(rule.kind))
    }

    pub fn tail(&self, shape: usize) -> Option<&Tail> {
        self.tails.get(shape).and_then(Option::as_ref)
    }

    /// Whether a finding may begin at a place: a cheap look before [`Rules::decide`].
    #[inline]
    pub fn may_begin(&self, text: &[u8], at: usize) -> bool {
        text.get(at).is_some_and(|byte| self.first.get(usize::from(*byte)).copied().unwrap_or(false))
            && !(at > 0
                && !self.inside_words
                && text.get(at - 1).is_some_and(|byte| byte.is_ascii_alphanumeric())
                && text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric()))
    }

    /// What begins at a place of a folded text of which everything before it is known. A text that has ended
    /// may be scouted.
    pub fn decide(&self, text: &[u8], at: usize, mut scout: Option<&mut Scout>) -> Decision {
        let ended = scout.is_some();
        let (past, here) = text.split_at_checked(at).unwrap_or((text, &[]));
        let Some(first) = here.first().copied() else { return Decision::Nothing };
        let mut found = Matches::new();
        for bank in self.banks.iter().filter(|bank| !bank.keyed && bank.machine.may_begin_with(first)) {
            let lacks = |byte| scout.as_mut().is_some_and(|scout| scout.lacks(byte, text, at, self.longest));
            if !bank.needs.is_some_and(lacks) && bank.walk(past, here, ended, &mut found) == Walk::Alive {
                return Decision::Hold;
            }
        }
        if !found.is_empty() {
            match self.choose(found, past, here, ended, None) {
                Decision::Nothing => {}
                decided => return decided,
            }
        }
        self.decide_keyed(past, here, ended)
    }

    /// The shapes that are looked for behind a name only, where no other shape matches.
    fn decide_keyed(&self, past: &[u8], here: &[u8], ended: bool) -> Decision {
        let Some(bank) = self.banks.iter().find(|bank| bank.keyed) else { return Decision::Nothing };
        let Some(name) = context::assigned(past) else { return Decision::Nothing };
        if !bank.shapes.iter().any(|shape| self.group(*shape).is_some_and(|group| name.has_next(&group.near))) {
            return Decision::Nothing;
        }
        let mut found = Matches::new();
        if bank.walk(past, here, ended, &mut found) == Walk::Alive {
            return Decision::Hold;
        }
        self.choose(found, past, here, ended, Some(&name))
    }

    fn choose(&self, mut found: Matches, past: &[u8], here: &[u8], ended: bool, name: Option<&Before>) -> Decision {
        if found.is_empty() {
            return Decision::Nothing;
        }
        found.sort_unstable_by_key(|(length, shape)| (std::cmp::Reverse(*length), *shape));
        let mut before = None;
        let mut best: Option<Hit> = None;
        for (length, shape) in found {
            if best.is_some_and(|best| best.length > length) {
                break;
            }
            match self.judge(length, shape, (past, here), ended, name, &mut before) {
                Decision::Hold => return Decision::Hold,
                Decision::Found(hit) if best.is_none_or(|best| best.score < hit.score) => best = Some(hit),
                Decision::Found(_) | Decision::Nothing => {}
            }
        }
        best.map_or(Decision::Nothing, Decision::Found)
    }

    /// Whether one match counts.
    fn judge(
        &self,
        length: usize,
        shape: usize,
        (past, here): (&[u8], &[u8]),
        ended: bool,
        name: Option<&Before>,
        before: &mut Option<Before>,
    ) -> Decision {
        let Some(rule) = self.rules.get(shape) else { return Decision::Nothing };
        let Some(text) = here.get(..length).and_then(|text| std::str::from_utf8(text).ok()) else {
            return Decision::Nothing;
        };
        if text.is_empty() || !is_clear_before(rule.edge, past, text) || !(rule.check)(text) {
            return Decision::Nothing;
        }
        let Some(group) = self.kinds.get(rule.kind) else { return Decision::Nothing };
        let is_near = match name {
            Some(name) => name.has_next(&group.near),
            None if rule.alone == rule.near && rule.alone >= self.threshold => true,
            None if group.near.is_empty() => false,
            None => before.get_or_insert_with(|| Before::read(past)).has(&group.near),
        };
        let score = if is_near { rule.near } else { rule.alone };
        if score < self.threshold {
            return Decision::Nothing;
        }
        if !is_near
            && !group.unless.is_empty()
            && before.get_or_insert_with(|| Before::read(past)).has_next(&group.unless)
        {
            return Decision::Nothing;
        }
        if self.tail(shape).is_some() {
            return Decision::Found(Hit { length, shape, score });
        }
        match is_clear_behind(rule.edge, text, here, ended) {
            Some(true) => Decision::Found(Hit { length, shape, score }),
            Some(false) => Decision::Nothing,
            None => Decision::Hold,
        }
    }
}

/// Whether what stands before a match lets it be one.
fn is_clear_before(edge: Edge, past: &[u8], text: &str) -> bool {
    let (last, first) = (past.last().copied(), text.bytes().next());
    let Some(last) = last else { return true };
    if edge == Edge::Free {
        return true;
    }
    let begins_with_word = first.is_some_and(is_word) || first == Some(b'+');
    if begins_with_word && is_word(last) && !(edge == Edge::Address && last == b'_') {
        return false;
    }
    let second = past.len().checked_sub(2).and_then(|at| past.get(at)).copied();
    if let Edge::Apart(signs) = edge {
        return !(signs.as_bytes().contains(&last) && second.is_some_and(is_word));
    }
    if edge != Edge::Number {
        return true;
    }
    match last {
        b'.' | b'-' | b'/' => !second.is_some_and(is_word),
        b':' | b'#' => !second.is_some_and(|byte| byte.is_ascii_digit()),
        b'\\' | b'%' | b'&' => false,
        _ => true,
    }
}

/// Whether what stands behind a match lets it be one; `None` if that has not come yet.
fn is_clear_behind(edge: Edge, text: &str, here: &[u8], ended: bool) -> Option<bool> {
    if matches!(edge, Edge::Free | Edge::Begin) {
        return Some(true);
    }
    let ends_with_word = text.bytes().next_back().is_some_and(is_word);
    let Some(next) = here.get(text.len()).copied() else { return ended.then_some(true) };
    if ends_with_word && is_word(next) && !(edge == Edge::Address && next == b'_') {
        return Some(false);
    }
    let joins = match edge {
        Edge::Number => matches!(next, b'.' | b'-' | b'/' | b':' | b'#' | b'@'),
        Edge::Apart(signs) => signs.as_bytes().contains(&next),
        Edge::Address => matches!(next, b':'),
        Edge::Word | Edge::Begin | Edge::Free => false,
    };
    if !joins {
        return Some(true);
    }
    match here.get(text.len() + 1).copied() {
        Some(second) => Some(!is_word(second)),
        None => ended.then_some(true),
    }
}

/// The longest text an expression matches, in bytes, if that is bounded.
pub fn longest(regex: &str) -> Option<usize> {
    regex_syntax::parse(regex).ok().and_then(|hir| hir.properties().maximum_len())
}
