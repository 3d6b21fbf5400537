//! The kinds a policy looks for, compiled, and the one definition of what a finding is.
//!
//! At a place of a text, over all shapes, the longest match that begins there and passes its check, its
//! neighbours and its context is a finding; among equally long ones the surest, then the first of the table.
//! [`Rules::decide`] answers for one place, and says [`Decision::Hold`] when the answer depends on text that has
//! not come yet. Whole texts and streams both ask it and nothing else, so they cannot disagree.

use super::bank::{Bank, Scout};
use super::context::{self, Before, Lexicon, Phrases};
use super::edges::{LOOK_AHEAD, is_clear_before, is_clear_behind, joins_before};
use super::escape;
use super::heads::Heads;
use super::kind::{Check, Edge};
use super::machine::{Matches, Prospect, Tail, Unfit, Walk};
use super::marks::{Beginning, Marks};
use super::words::Words;

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
    lexicon: Lexicon,
    /// Shapes that are looked for everywhere, and the bytes they begin with.
    open: Vec<Bank>,
    heads: Heads,
    /// Shapes that are looked for where a byte is near which they need.
    needing: Option<Bank>,
    /// Shapes that are looked for behind a name.
    keyed: Option<Bank>,
    /// Lists of terms, each of them a shape.
    words: Option<Words>,
    /// Where a finding may begin: a cheap look before [`Rules::decide`].
    pub marks: Marks,
    /// The least score that counts, in percent.
    threshold: u8,
    longest: usize,
}

/// Makes the banks, side by side: that is nearly all that a start takes.
fn build(rules: &[Rule], banks: &[(Vec<usize>, usize)]) -> Result<Vec<Bank>, Trouble> {
    std::thread::scope(|scope| {
        let start = |(shapes, limit): &(Vec<usize>, usize)| {
            let (shapes, limit) = (shapes.clone(), *limit);
            scope.spawn(move || Bank::new(rules, &shapes, limit))
        };
        let building: Vec<_> = banks.iter().filter(|(shapes, _)| !shapes.is_empty()).map(start).collect();
        let broken = |_| Err(Trouble { shape: None, unfit: Unfit::TooLarge });
        building.into_iter().map(|bank| bank.join().unwrap_or_else(broken)).collect()
    })
}

/// What may begin at a place.
struct Candidates<'a> {
    first: u8,
    /// One of the shapes that are looked for everywhere.
    has_head: bool,
    needing: Option<&'a Bank>,
    keyed: Option<&'a Bank>,
    words: Option<&'a Words>,
}

/// A place that is being decided, with what is read of it at most once.
struct Place<'a> {
    past: &'a [u8],
    here: &'a [u8],
    first: u8,
    ended: bool,
    /// The name that a value at this place is given to, for the shapes that are looked for behind one.
    name: Option<&'a Before>,
    before: Option<Before>,
}

impl Place<'_> {
    fn before(&mut self, lexicon: &Lexicon) -> &Before {
        self.before.get_or_insert_with(|| Before::read(lexicon, self.past))
    }
}

/// What is to be said of one match.
enum Judged {
    Nothing,
    /// It counts, with this score, if what follows lets it.
    Hold(u8),
    Found(u8),
}

/// A group of shapes does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unfit}")]
pub struct Trouble {
    /// The shape, if it is one alone.
    pub shape: Option<usize>,
    pub unfit: Unfit,
}

impl Rules {
    /// Compiles shapes in banks: each of `banks` is run by a machine of its own, with its size limit.
    ///
    /// # Errors
    /// When the shapes do not make a machine.
    pub fn new(
        kinds: Vec<Group>,
        rules: Vec<Rule>,
        lexicon: Lexicon,
        banks: &[(Vec<usize>, usize)],
        words: Option<Words>,
        threshold: u8,
    ) -> Result<Self, Trouble> {
        let mut built = build(&rules, banks)?;
        let mut tails = Vec::new();
        for (shape, rule) in rules.iter().enumerate() {
            let tail = rule.tail.as_deref().map(Tail::new).transpose();
            tails.push(tail.map_err(|unfit| Trouble { shape: Some(shape), unfit })?);
        }
        let longest = built.iter().map(|bank| bank.longest).chain(words.as_ref().map(Words::longest)).max();
        let longest = longest.unwrap_or_default();
        let mut take = |is: fn(&Bank) -> bool| built.iter().position(is).map(|at| built.remove(at));
        let (keyed, needing) = (take(|bank| bank.keyed), take(|bank| !bank.needs.is_empty()));
        let open = built;
        let heads = Heads::of(&open.iter().map(|bank| &bank.machine).collect::<Vec<_>>());
        let inside_words = rules.iter().any(|rule| rule.edge == Edge::Free && !rule.keyed);
        let marks = Marks::of(|byte| {
            let begins = |bank: &Bank| bank.machine.may_begin_with(byte);
            let is_first = open.iter().chain(&needing).any(begins)
                || words.as_ref().is_some_and(|words| words.may_begin_with(byte));
            Beginning {
                behind_letter: is_first && (inside_words || !byte.is_ascii_alphanumeric()),
                behind_other: is_first || keyed.as_ref().is_some_and(begins),
            }
        });
        Ok(Self { kinds, rules, tails, lexicon, open, heads, needing, keyed, words, marks, threshold, longest })
    }

    /// The most that is ever held back of a stream, in folded bytes.
    pub fn hold_back(&self) -> usize {
        self.longest + LOOK_AHEAD
    }

    /// The memory of the automata, in bytes.
    pub fn memory(&self) -> usize {
        let banks: usize =
            self.open.iter().chain(&self.needing).chain(&self.keyed).map(|bank| bank.machine.memory()).sum();
        banks
            + self.words.as_ref().map_or(0, Words::memory)
            + self.heads.memory()
            + self.tails.iter().flatten().map(Tail::memory).sum::<usize>()
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

    /// What begins at a place of a folded text of which everything before it is known. A text that has ended
    /// may be scouted. Most places end at once, without a call.
    #[inline(always)]
    pub fn decide(&self, text: &[u8], at: usize, scout: Option<&mut Scout>) -> Decision {
        let ended = scout.is_some();
        let (past, here) = text.split_at_checked(at).unwrap_or((text, &[]));
        self.candidates(text, at, scout)
            .map_or(Decision::Nothing, |candidates| self.judge_place(past, here, ended, candidates))
    }

    /// What may begin at a place, by a few of its bytes; `None` at most places.
    #[inline(always)]
    fn candidates(&self, text: &[u8], at: usize, scout: Option<&mut Scout>) -> Option<Candidates<'_>> {
        let (past, here) = text.split_at_checked(at)?;
        let first = here.first().copied()?;
        let has_head = self.heads.may_begin(here);
        let needing = self.needing.as_ref().filter(|bank| {
            bank.machine.may_begin_with(first)
                && scout.is_none_or(|scout| !scout.lacks(&bank.needs, text, at, bank.longest))
        });
        let keyed = self.keyed.as_ref().filter(|_| context::may_be_assigned(past));
        let words = self.words.as_ref().filter(|words| words.may_begin_with(first) && !joins_before(past, here));
        let is_any = has_head || needing.is_some() || keyed.is_some() || words.is_some();
        is_any.then_some(Candidates { first, has_head, needing, keyed, words })
    }

    #[inline(never)]
    fn judge_place(&self, past: &[u8], here: &[u8], ended: bool, candidates: Candidates<'_>) -> Decision {
        let Candidates { first, has_head, needing, keyed, words } = candidates;
        let open = if has_head { self.open.as_slice() } else { &[] };
        let mut place = Place { past, here, first, ended, name: None, before: None };
        let mut decision = self.decide_by(open.iter().chain(needing), words, &mut place);
        if let (Decision::Nothing, Some(keyed)) = (decision, keyed) {
            decision = self.decide_keyed(keyed, &place);
        }
        if decision != Decision::Nothing && !ended && escape::is_unfinished(past, here) {
            return Decision::Hold;
        }
        decision
    }

    fn decide_by<'a>(
        &self,
        banks: impl Iterator<Item = &'a Bank>,
        words: Option<&Words>,
        place: &mut Place<'_>,
    ) -> Decision {
        let mut found = Matches::new();
        if words.is_some_and(|words| words.walk(place.here, &mut found)) && !place.ended {
            return Decision::Hold;
        }
        for bank in banks {
            if !bank.is_clear(place.past, place.first) {
                continue;
            }
            if let Walk::Alive(prospect) = bank.walk(place.past, place.here, place.ended, &mut found)
                && self.is_worth_waiting(bank, prospect, place)
            {
                return Decision::Hold;
            }
        }
        if found.is_empty() { Decision::Nothing } else { self.choose(&mut found, place) }
    }

    /// The shapes that are looked for behind a name only, where no other shape matches.
    fn decide_keyed(&self, bank: &Bank, place: &Place<'_>) -> Decision {
        let Some(name) = context::assigned(&self.lexicon, place.past) else { return Decision::Nothing };
        if !bank.shapes.iter().any(|shape| self.group(*shape).is_some_and(|group| name.has_next(&group.near))) {
            return Decision::Nothing;
        }
        self.decide_by([bank].into_iter(), None, &mut Place { name: Some(&name), before: None, ..*place })
    }

    /// Whether a match of one of these shapes would count here, if it came and passed its check.
    fn is_worth_waiting(&self, bank: &Bank, prospect: Prospect, place: &mut Place<'_>) -> bool {
        let (past, first) = (place.past, place.first);
        let shapes = bank.machine.prospect(prospect).iter().filter_map(|at| bank.shapes.get(*at));
        let mut rules =
            shapes.filter_map(|shape| self.rules.get(*shape)).filter(|rule| is_clear_before(rule.edge, past, first));
        // Most often one of them is sure whatever the words before it, which then need not be read.
        rules.clone().any(|rule| place.name.is_none() && self.is_sure(rule))
            || rules.any(|rule| self.score(rule, place).is_some())
    }

    /// Whether a match counts with any words before it.
    fn is_sure(&self, rule: &Rule) -> bool {
        rule.alone.min(rule.near) >= self.threshold
            && self.kinds.get(rule.kind).is_some_and(|group| group.unless.is_empty() || rule.alone == rule.near)
    }

    /// The longest match that counts; among equally long ones the surest, then the first of the table.
    fn choose(&self, found: &mut Matches, place: &mut Place<'_>) -> Decision {
        found.sort_unstable_by_key(|(length, shape)| (std::cmp::Reverse(*length), *shape));
        let mut best: Option<Hit> = None;
        // What would be the best if only its neighbours were known.
        let mut open: Option<Hit> = None;
        for (length, shape) in found.iter().copied() {
            if open.or(best).is_some_and(|hit| hit.length > length) {
                break;
            }
            match self.judge(length, shape, place) {
                Judged::Hold(score) if open.is_none_or(|open| open.score < score) => {
                    open = Some(Hit { length, shape, score });
                }
                Judged::Found(score) if best.is_none_or(|best| best.score < score) => {
                    best = Some(Hit { length, shape, score });
                }
                Judged::Hold(_) | Judged::Found(_) | Judged::Nothing => {}
            }
        }
        let rank = |hit: Hit| (hit.score, std::cmp::Reverse(hit.shape));
        match (open, best) {
            (Some(open), Some(best)) if rank(best) > rank(open) => Decision::Found(best),
            (Some(_), _) => Decision::Hold,
            (None, Some(best)) => Decision::Found(best),
            (None, None) => Decision::Nothing,
        }
    }

    /// Whether one match counts.
    fn judge(&self, length: usize, shape: usize, place: &mut Place<'_>) -> Judged {
        let Some(rule) = self.rules.get(shape) else { return Judged::Nothing };
        let Some(text) = place.here.get(..length).and_then(|text| std::str::from_utf8(text).ok()) else {
            return Judged::Nothing;
        };
        if text.is_empty() || !is_clear_before(rule.edge, place.past, place.first) {
            return Judged::Nothing;
        }
        let is_open = self.tail(shape).is_some();
        let behind = if is_open { Some(true) } else { is_clear_behind(rule.edge, text, place.here, place.ended) };
        if behind == Some(false) || !(rule.check)(text) {
            return Judged::Nothing;
        }
        match (self.score(rule, place), behind) {
            (None, _) => Judged::Nothing,
            (Some(score), Some(_)) => Judged::Found(score),
            (Some(score), None) => Judged::Hold(score),
        }
    }

    /// How sure a match at a place is, by what stands before it, if that is sure enough.
    fn score(&self, rule: &Rule, place: &mut Place<'_>) -> Option<u8> {
        let group = self.kinds.get(rule.kind)?;
        if rule.alone.max(rule.near) < self.threshold {
            return None;
        }
        let is_near = match place.name {
            Some(name) => name.has_next(&group.near),
            None if rule.alone == rule.near => true,
            None if group.near.is_empty() => false,
            None => place.before(&self.lexicon).has(&group.near),
        };
        let score = if is_near { rule.near } else { rule.alone };
        let is_against = !is_near && !group.unless.is_empty() && place.before(&self.lexicon).has_next(&group.unless);
        (score >= self.threshold && !is_against).then_some(score)
    }
}
