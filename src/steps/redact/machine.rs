//! Many expressions run as one automaton, from a fixed place on.
//!
//! A [`Machine`] is a dense DFA over all its expressions with all their matches, not only the first or the
//! longest: whether a match counts is for checks and neighbours to say, so none may be lost. It is run from a
//! place until no longer match is possible ([`Walk::Dead`]) or the text ends before that is known
//! ([`Walk::Alive`]), which is what makes the same definition hold for whole texts and for streams.

use std::ops::Range;

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind, nfa::thompson};
use smallvec::SmallVec;

/// Expressions compiled together.
pub struct Machine {
    dfa: dense::DFA<Vec<u32>>,
    /// Whether a match may begin with this byte.
    first: [bool; 256],
    /// By the index of a state: whether every byte that follows ends the walk.
    doomed: Vec<bool>,
    start: Option<StateID>,
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
    /// What follows may add a match.
    Alive,
}

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
        let mut machine = Self { dfa, first: [false; 256], doomed: Vec::new(), start };
        machine.first = machine.first_bytes();
        machine.doomed = machine.doomed_states();
        Ok(machine)
    }

    /// The bytes the automaton takes.
    pub fn memory(&self) -> usize {
        self.dfa.memory_usage() + self.doomed.len()
    }

    /// Whether a match may begin with this byte.
    #[inline]
    pub fn may_begin_with(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte)).copied().unwrap_or(false)
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
                    if self.is_doomed(state) {
                        return Walk::Dead;
                    }
                }
            }
        }
        if !ended {
            return Walk::Alive;
        }
        let last = self.dfa.next_eoi_state(state);
        if self.dfa.is_match_state(last) {
            self.note(last, text.len(), found);
        }
        Walk::Dead
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

    fn is_doomed(&self, state: StateID) -> bool {
        self.doomed.get(state.as_usize() >> self.dfa.stride2()).copied().unwrap_or(false)
    }

    fn first_bytes(&self) -> [bool; 256] {
        let befores = [None, Some(b'a'), Some(b' '), Some(b'\n'), Some(b'\r')];
        let starts: Vec<_> = befores.into_iter().filter_map(|before| self.start_after(before)).collect();
        let may_begin = |byte: u8| {
            starts.iter().any(|start| {
                let next = self.dfa.next_state(*start, byte);
                !self.dfa.is_dead_state(next) && !self.dfa.is_quit_state(next)
            })
        };
        std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(may_begin))
    }

    /// Match states are entered one byte late, so the byte that ends the walk does not show as a dead state.
    fn doomed_states(&self) -> Vec<bool> {
        let mut doomed = Vec::new();
        let mut seen: std::collections::HashSet<usize> = std::collections::HashSet::new();
        let mut open: Vec<StateID> = Vec::new();
        for before in [None, Some(b'a'), Some(b' '), Some(b'\n'), Some(b'\r')] {
            open.extend(self.start_after(before));
        }
        while let Some(state) = open.pop() {
            let index = state.as_usize() >> self.dfa.stride2();
            if !seen.insert(index) {
                continue;
            }
            let mut is_doomed = true;
            for byte in 0..=u8::MAX {
                let next = self.dfa.next_state(state, byte);
                if !self.dfa.is_dead_state(next) && !self.dfa.is_quit_state(next) {
                    is_doomed = false;
                    open.push(next);
                }
            }
            if doomed.len() <= index {
                doomed.resize(index + 1, false);
            }
            if let Some(slot) = doomed.get_mut(index) {
                *slot = is_doomed && self.dfa.is_match_state(state);
            }
        }
        doomed
    }
}

fn unfit(error: &dense::BuildError) -> Unfit {
    use std::error::Error as _;
    if error.is_size_limit_exceeded() {
        return Unfit::TooLarge;
    }
    let cause = error.source().map_or_else(|| error.to_string(), |source| source.to_string());
    if cause.contains("size limit") || cause.contains("exceeds") { Unfit::TooLarge } else { Unfit::Syntax(cause) }
}

/// What follows a match and belongs to it: the longest run that its expression takes, bounded by [`Tail::MOST`].
pub struct Tail {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

/// Where a walk along a tail stands.
#[derive(Debug, Clone, Copy)]
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
