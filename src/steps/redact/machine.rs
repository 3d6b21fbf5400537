//! Many expressions run as one automaton, from a fixed place on.
//!
//! A [`Machine`] is a dense DFA over all its expressions with all their matches, not only the first or the
//! longest: whether a match counts is for checks and neighbours to say, so none may be lost. It is run from a
//! place until no longer match is possible ([`Walk::Dead`]) or the text ends before that is known
//! ([`Walk::Alive`]), which is what makes the same definition hold for whole texts and for streams.

use std::collections::HashMap;
use std::ops::Range;

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind, nfa::thompson};
use smallvec::SmallVec;

/// Expressions compiled together.
pub struct Machine {
    dfa: dense::DFA<Vec<u32>>,
    start: Option<StateID>,
    /// Whether a match may begin with this byte.
    first: [bool; 256],
    starts: Vec<StateID>,
    prospects: Prospects,
    /// Whether no expression looks around.
    is_plain: bool,
}

/// A match that the automaton saw: its length in bytes and the index of its expression.
pub type Match = (usize, usize);

/// All matches that begin at one place, the longest last.
pub type Matches = SmallVec<[Match; 16]>;

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// All matches are known, whatever follows.
    Dead,
    /// What follows may add a match of these expressions.
    Alive(Prospect),
}

/// Which expressions may still match, as [`Machine::prospect`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prospect(u32);

/// Why expressions do not make a machine.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    #[error("{0}")]
    Syntax(String),
    /// The automaton would take more memory than it may.
    #[error("it is too large to be run on streams")]
    TooLarge,
}

/// What the automata of one policy may weigh, in bytes.
const SIZE_LIMIT: usize = 96 << 20;

impl Machine {
    /// # Errors
    /// When an expression is not understood or the automaton gets too large.
    pub fn new(expressions: &[&str], size_limit: usize) -> Result<Self, Unfit> {
        let limit = size_limit.min(SIZE_LIMIT);
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(regex_automata::dfa::StartKind::Anchored)
            .dfa_size_limit(Some(limit))
            .determinize_size_limit(Some(limit * 2));
        let dfa = dense::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().unicode(true).utf8(true))
            .thompson(thompson::Config::new().which_captures(thompson::WhichCaptures::None).nfa_size_limit(Some(limit)))
            .build_many(expressions)
            .map_err(|error| unfit(&error))?;
        let start = dfa.universal_start_state(Anchored::Yes);
        let starts = starts_of(&dfa);
        let prospects = Prospects::of(&dfa, &starts);
        let may_begin = |byte: u8| starts.iter().any(|start| !is_end(&dfa, dfa.next_state(*start, byte)));
        let first = std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(may_begin));
        let is_plain = expressions.iter().all(|expression| !looks_around(expression));
        Ok(Self { dfa, start, starts, first, prospects, is_plain })
    }

    /// The bytes the automaton takes.
    pub fn memory(&self) -> usize {
        self.dfa.memory_usage() + self.prospects.memory()
    }

    /// Whether a match may begin with this byte.
    #[inline]
    pub fn may_begin_with(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// The class of a byte: the automaton does not tell bytes of a class apart.
    pub fn class(&self, byte: u8) -> u8 {
        self.dfa.byte_classes().get(byte)
    }

    /// Whether a text with this beginning may begin with a match, whatever stands before.
    pub fn lives(&self, head: &[u8]) -> bool {
        self.starts.iter().any(|start| {
            let mut state = *start;
            head.iter().all(|byte| {
                let was_match = self.dfa.is_match_state(state);
                state = self.dfa.next_state(state, *byte);
                was_match || !is_end(&self.dfa, state)
            })
        })
    }

    /// The expressions of a prospect.
    pub fn prospect(&self, prospect: Prospect) -> &[usize] {
        self.prospects.sets.get(prospect.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Walks from the start of `text`, which `before` precedes, and notes every match.
    #[inline]
    pub fn walk(&self, before: Option<u8>, text: &[u8], ended: bool, found: &mut Matches) -> Walk {
        let Some(mut state) = self.start_after(before) else { return Walk::Dead };
        for (at, &byte) in text.iter().enumerate() {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_dead_state(state) || self.dfa.is_quit_state(state) {
                    return Walk::Dead;
                }
                if self.dfa.is_match_state(state) {
                    self.note(state, at, found);
                    if self.prospects.from(&self.dfa, state) == NONE {
                        return Walk::Dead;
                    }
                }
            }
        }
        if !ended && !self.is_plain {
            return Walk::Alive(self.prospects.from(&self.dfa, state));
        }
        // An expression that does not look around matches here whatever follows.
        let last = self.dfa.next_eoi_state(state);
        if self.dfa.is_match_state(last) {
            self.note(last, text.len(), found);
        }
        match self.prospects.beyond(&self.dfa, state) {
            beyond if !ended && beyond != NONE => Walk::Alive(beyond),
            _ => Walk::Dead,
        }
    }

    fn start_after(&self, before: Option<u8>) -> Option<StateID> {
        self.start.or_else(|| {
            let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
            self.dfa.start_state(&config).ok()
        })
    }

    fn note(&self, state: StateID, length: usize, found: &mut Matches) {
        for index in 0..self.dfa.match_len(state) {
            found.push((length, self.dfa.match_pattern(state, index).as_usize()));
        }
    }
}

type Dfa = dense::DFA<Vec<u32>>;

/// Where a walk may begin, for every kind of byte that may stand before.
fn starts_of(dfa: &Dfa) -> Vec<StateID> {
    let befores = [None, Some(b'a'), Some(b' '), Some(b'\n'), Some(b'\r')];
    let start = |before| {
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        dfa.start_state(&config).ok()
    };
    let mut starts: Vec<StateID> = befores.into_iter().filter_map(start).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// One byte for each class of bytes that the automaton does not tell apart.
fn classes_of(dfa: &Dfa) -> Vec<u8> {
    dfa.byte_classes().representatives(0..=255).filter_map(|unit| unit.as_u8()).collect()
}

fn looks_around(expression: &str) -> bool {
    regex_syntax::parse(expression).map_or(true, |hir| !hir.properties().look_set().is_empty())
}

fn is_end(dfa: &Dfa, state: StateID) -> bool {
    dfa.is_dead_state(state) || dfa.is_quit_state(state)
}

/// The set of no expressions.
const NONE: Prospect = Prospect(0);

/// By state, which expressions may still match, or match longer.
///
/// The automaton has no cycles, since every expression has a longest match.
struct Prospects {
    by_state: Vec<u32>,
    /// The same without those that match where the walk is.
    beyond: Vec<u32>,
    sets: Vec<Vec<usize>>,
}

impl Prospects {
    fn of(dfa: &Dfa, starts: &[StateID]) -> Self {
        let bytes = classes_of(dfa);
        let words = dfa.pattern_len().div_ceil(64);
        let mut known: HashMap<Vec<u64>, u32> = HashMap::from([(vec![0; words], 0)]);
        let mut bits: Vec<Vec<u64>> = vec![vec![0; words]];
        let (mut by_state, mut beyond) = (Vec::new(), Vec::new());
        for state in outermost_last(dfa, starts, &bytes) {
            let nexts = bytes.iter().map(|byte| dfa.next_state(state, *byte));
            let (mut here, mut behind) = (vec![0; words], vec![0; words]);
            let mut last = None;
            for next in nexts.chain([dfa.next_eoi_state(state)]).filter(|next| !is_end(dfa, *next)) {
                if last.replace(next) != Some(next) {
                    add_matches(dfa, next, &mut here);
                    let more = by_state.get(index_of(dfa, next)).and_then(|id: &u32| bits.get(*id as usize));
                    add(&mut behind, more.map_or(&[], Vec::as_slice));
                }
            }
            add(&mut here, &behind);
            for (slots, set) in [(&mut beyond, behind), (&mut by_state, here)] {
                let next_id = u32::try_from(bits.len()).unwrap_or_default();
                let id = *known.entry(set).or_insert_with_key(|set| {
                    bits.push(set.clone());
                    next_id
                });
                put(slots, index_of(dfa, state), id);
            }
        }
        let members = |bits: &Vec<u64>| {
            (0..dfa.pattern_len())
                .filter(|at| bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1))
                .collect()
        };
        Self { by_state, beyond, sets: bits.iter().map(members).collect() }
    }

    fn from(&self, dfa: &Dfa, state: StateID) -> Prospect {
        self.by_state.get(index_of(dfa, state)).map_or(NONE, |id| Prospect(*id))
    }

    fn beyond(&self, dfa: &Dfa, state: StateID) -> Prospect {
        self.beyond.get(index_of(dfa, state)).map_or(NONE, |id| Prospect(*id))
    }

    fn memory(&self) -> usize {
        self.by_state.len() * 8 + self.sets.iter().map(|set| set.len() * 8).sum::<usize>()
    }
}

fn index_of(dfa: &Dfa, state: StateID) -> usize {
    state.as_usize() >> dfa.stride2()
}

fn put(slots: &mut Vec<u32>, index: usize, id: u32) {
    if slots.len() <= index {
        slots.resize(index + 1, 0);
    }
    if let Some(slot) = slots.get_mut(index) {
        *slot = id;
    }
}

fn add(set: &mut [u64], more: &[u64]) {
    for (word, more) in set.iter_mut().zip(more) {
        *word |= more;
    }
}

/// Adds the expressions that match in a state.
fn add_matches(dfa: &Dfa, state: StateID, set: &mut [u64]) {
    let count = if dfa.is_match_state(state) { dfa.match_len(state) } else { 0 };
    for index in 0..count {
        let expression = dfa.match_pattern(state, index).as_usize();
        if let Some(word) = set.get_mut(expression / 64) {
            *word |= 1 << (expression % 64);
        }
    }
}

/// All states, each behind those that follow it.
fn outermost_last(dfa: &Dfa, starts: &[StateID], bytes: &[u8]) -> Vec<StateID> {
    let mut order = Vec::new();
    let mut seen: Vec<bool> = Vec::new();
    let mut is_new = |state: StateID| {
        let index = index_of(dfa, state);
        seen.resize(seen.len().max(index + 1), false);
        seen.get_mut(index).is_some_and(|seen| !std::mem::replace(seen, true))
    };
    let mut open: Vec<(StateID, bool)> = starts.iter().map(|start| (*start, false)).collect();
    while let Some((state, is_done)) = open.pop() {
        if is_done {
            order.push(state);
        } else if is_new(state) {
            open.push((state, true));
            let mut nexts: Vec<_> = bytes.iter().map(|byte| dfa.next_state(state, *byte)).collect();
            nexts.push(dfa.next_eoi_state(state));
            nexts.dedup();
            open.extend(nexts.into_iter().filter(|next| !is_end(dfa, *next)).map(|next| (next, false)));
        }
    }
    order
}

fn unfit(error: &dense::BuildError) -> Unfit {
    use std::error::Error as _;
    if error.is_size_limit_exceeded() {
        return Unfit::TooLarge;
    }
    let causes = std::iter::successors(error.source(), |cause: &&(dyn std::error::Error + 'static)| (*cause).source());
    let cause = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
    if cause.contains("size limit") || cause.contains("exceeds") { Unfit::TooLarge } else { Unfit::Syntax(cause) }
}

/// What follows a match and belongs to it: the longest run that its expression takes, bounded by [`Tail::MOST`].
pub struct Tail {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

/// Where a walk along a tail stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct TailWalk {
    state: StateID,
    walked: usize,
    longest: usize,
}

impl Tail {
    /// The longest tail, in bytes. What comes behind it is text of its own.
    pub const MOST: usize = 64 << 10;

    /// # Errors
    /// When the expression is not understood.
    pub fn new(expression: &str) -> Result<Self, Unfit> {
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(regex_automata::dfa::StartKind::Anchored)
            .dfa_size_limit(Some(4 << 20));
        let dfa = dense::Builder::new().configure(config).build(expression).map_err(|error| unfit(&error))?;
        let start = dfa
            .universal_start_state(Anchored::Yes)
            .ok_or_else(|| Unfit::Syntax("a tail may not look around".into()))?;
        Ok(Self { dfa, start })
    }

    pub fn memory(&self) -> usize {
        self.dfa.memory_usage()
    }

    pub fn begin(&self) -> TailWalk {
        TailWalk { state: self.start, walked: 0, longest: 0 }
    }

    /// Walks on along `text`, which begins where the tail begins. `Some` is the length of the tail.
    pub fn walk(&self, walk: &mut TailWalk, text: &[u8], ended: bool) -> Option<usize> {
        let rest: Range<usize> = walk.walked..text.len().min(Self::MOST);
        for byte in text.get(rest).unwrap_or_default() {
            walk.state = self.dfa.next_state(walk.state, *byte);
            if self.dfa.is_match_state(walk.state) {
                walk.longest = walk.walked;
            }
            if self.dfa.is_dead_state(walk.state) {
                return Some(walk.longest);
            }
            walk.walked += 1;
        }
        if !ended && walk.walked < Self::MOST {
            return None;
        }
        if self.dfa.is_match_state(self.dfa.next_eoi_state(walk.state)) {
            walk.longest = walk.walked;
        }
        Some(walk.longest)
    }
}
