//! One lane of a stream: text goes in as it comes, and comes out when it has been judged.
//!
//! A lane is one text of an answer: a choice's text, its reasoning, the arguments of one tool call. It holds
//! back what may still become a finding and lets go of the rest, so that what left is always the beginning
//! of what the whole text would have become. What is swallowed by a finding that has been decided is not
//! held back: it never leaves.
//!
//! A lane knows characters and the source they were written in, not how sources are written: in JSON
//! arguments `\u0034` is one character and six bytes of source.

use std::ops::Range;

use super::bank::Scout;
use super::context::REACH;
use super::fold::Run;
use super::machine::{Tail, TailWalk};
use super::rules::{Decision, Hit, Rules};

/// What a judge sees of a finding.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub shape: usize,
    pub score: u8,
    /// The source it was written in.
    pub source: &'a str,
    /// The end of the text before it.
    pub past: &'a [u8],
}

/// Writes what is to leave in place of a finding.
pub trait Judge {
    type Stop;

    /// # Errors
    /// When nothing more may leave.
    fn judge(&mut self, found: Found<'_>, out: &mut String) -> Result<(), Self::Stop>;

    /// Asked now and then while a long text has nothing to be judged.
    ///
    /// # Errors
    /// When it need not be gone through any further.
    fn pause(&mut self) -> Result<(), Self::Stop> {
        Ok(())
    }
}

/// The text that has not left yet, with the folded text before it for context.
#[derive(Debug, Clone, Default)]
pub struct Lane {
    /// Folded text: what is past, then what is held.
    folded: Vec<u8>,
    /// For each byte held: the bytes of source of its character, on the first byte of the character. Empty while
    /// every byte held is its own source, as it is in most texts.
    spans: Vec<u8>,
    /// Where the held text begins in `folded`.
    head: usize,
    source: String,
    /// The source of invisible characters, which go with the character that follows.
    unseen: usize,
    run: Run,
    swallowing: Option<(Hit, TailWalk)>,
}

impl Lane {
    /// A lane that knows what was said before.
    pub fn after(before: &str) -> Self {
        let folded = super::scan::context_of(before);
        Self { head: folded.len(), folded, ..Self::default() }
    }

    /// Takes a character and the source it was written in. `None` is what no finding may contain.
    pub fn take(&mut self, c: Option<char>, source: &str) {
        let mut utf8 = [0; 4];
        let bytes = c.map_or(&[0xFF][..], |c| self.run.read(c, &mut utf8));
        self.source.push_str(source);
        let span = self.unseen + source.len();
        let Some((_, rest)) = bytes.split_first() else {
            self.unseen = span;
            return;
        };
        let is_own = bytes.len() == 1 && span == 1 && self.spans.is_empty();
        if !is_own {
            self.spans.resize(self.spans.len().max(self.folded.len() - self.head), 1);
            self.spans.push(u8::try_from(span).unwrap_or(u8::MAX));
            self.spans.extend(rest.iter().map(|_| 0));
        }
        self.unseen = 0;
        self.folded.extend_from_slice(bytes);
    }

    /// Takes text that is its own source.
    pub fn take_text(&mut self, text: &str) {
        if text.is_ascii() && self.unseen == 0 {
            self.run = Run::default();
            self.source.push_str(text);
            self.folded.extend_from_slice(text.as_bytes());
            if !self.spans.is_empty() {
                self.spans.resize(self.spans.len() + text.len(), 1);
            }
            return;
        }
        let mut utf8 = [0; 4];
        for c in text.chars() {
            self.take(Some(c), c.encode_utf8(&mut utf8));
        }
    }

    /// Lets go of what is decided.
    ///
    /// # Errors
    /// When the judge stops.
    pub fn release<J: Judge>(&mut self, rules: &Rules, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        let result = self.advance(rules, judge, out, false);
        self.unless_stopped(result)
    }

    /// The text ends here: everything is decided and leaves. What follows is another text, with this one for context.
    ///
    /// # Errors
    /// When the judge stops.
    pub fn finish<J: Judge>(&mut self, rules: &Rules, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        let result = self.advance(rules, judge, out, true);
        self.unless_stopped(result)?;
        out.push_str(&self.source);
        self.source.clear();
        self.unseen = 0;
        self.run = Run::default();
        Ok(())
    }

    /// Notes what stands between texts, for the context of the next.
    pub fn pass(&mut self, between: &str) {
        self.folded.extend_from_slice(between.as_bytes());
        self.head = self.folded.len();
        self.spans.clear();
        self.forget();
    }

    /// How much is held, in folded bytes. What a decided finding swallows is not held.
    pub fn held(&self) -> usize {
        if self.swallowing.is_some() { 0 } else { self.folded.len() - self.head }
    }

    /// After a stop nothing is left that could leave by mistake.
    fn unless_stopped<E>(&mut self, result: Result<(), E>) -> Result<(), E> {
        if result.is_err() {
            *self = Self::default();
        }
        result
    }

    fn advance<J: Judge>(
        &mut self,
        rules: &Rules,
        judge: &mut J,
        out: &mut String,
        ended: bool,
    ) -> Result<(), J::Stop> {
        let mut at = self.head;
        // What of the source is decided, and what of that has left.
        let (mut decided, mut left) = (0, 0);
        let result = loop {
            if let Some((hit, mut walk)) = self.swallowing.take() {
                let rest = self.folded.get(at + hit.length..).unwrap_or_default();
                let tail = rules.tail(hit.shape).map_or(Some(0), |tail| tail.walk(&mut walk, rest, ended));
                let Some(tail) = tail else {
                    self.swallowing = Some((hit, walk));
                    break Ok(());
                };
                let span = self.span(at, hit.length + tail);
                if let Err(stop) = self.replace(hit, at, decided..decided + span, judge, out) {
                    break Err(stop);
                }
                at += hit.length + tail;
                decided += span;
                left = decided;
                continue;
            }
            let next = rules.marks.next(&self.folded, at);
            decided += self.span(at, next - at);
            at = next;
            if at >= self.folded.len() {
                break Ok(());
            }
            match rules.decide(&self.folded, at, ended.then(Scout::default).as_mut()) {
                Decision::Nothing => {
                    decided += self.span(at, 1);
                    at += 1;
                }
                Decision::Hold => break Ok(()),
                Decision::Found(hit) => {
                    out.push_str(self.source.get(left..decided).unwrap_or_default());
                    left = decided;
                    // A finding without a tail is one whose tail is over at once.
                    let walk = rules.tail(hit.shape).map_or_else(TailWalk::default, Tail::begin);
                    self.swallowing = Some((hit, walk));
                }
            }
        };
        out.push_str(self.source.get(left..decided).unwrap_or_default());
        self.source.drain(..decided);
        if !self.spans.is_empty() {
            self.spans.drain(..at - self.head);
        }
        self.head = at;
        self.forget();
        result
    }

    /// The bytes of source of so many bytes held.
    fn span(&self, at: usize, length: usize) -> usize {
        if self.spans.is_empty() {
            return length;
        }
        let from = at - self.head;
        self.spans.get(from..from + length).unwrap_or_default().iter().copied().map(usize::from).sum()
    }

    fn replace<J: Judge>(
        &self,
        hit: Hit,
        at: usize,
        source: Range<usize>,
        judge: &mut J,
        out: &mut String,
    ) -> Result<(), J::Stop> {
        let source = self.source.get(source).unwrap_or_default();
        let past = self.folded.get(..at).unwrap_or_default();
        judge.judge(Found { shape: hit.shape, score: hit.score, source, past }, out)
    }

    /// Drops the past that no context reaches.
    fn forget(&mut self) {
        const KEPT: usize = REACH + 8;
        if self.head > 8 * KEPT {
            self.folded.drain(..self.head - KEPT);
            self.head = KEPT;
        }
    }
}
