//! A stream hook: it sees an answer piece by piece, and decides on each batch before the batch leaves.
//!
//! What has been pushed and not decided is held here, in order. A verdict is about all of it. The end of the answer stays here
//! until the plugin has had its last word.

use std::collections::{BTreeMap, VecDeque};

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::pieces::{kind, lane, pieces, reword_whole, size, text_of};
use super::{Follow, Frames, is_whole};
use crate::base::stop::{Refusal, Stop};
use crate::chat::{Event, Frame, Lane, Usage};
use crate::pipeline::Burst;
use crate::steps::plugin::book::Outcome;
use crate::steps::plugin::config::Mode;
use crate::steps::plugin::lanes::{self, Said};
use crate::steps::plugin::verdict::{self, Found};
use crate::steps::plugin::view::{self, Sight};
use crate::steps::plugin::ward::Loan;
use crate::wasm::types::{self, StreamOutcome, StreamVerdict};
use crate::wasm::{Hook, Report, Session, Trouble};

pub struct Piecewise {
    follow: Box<Follow>,
    /// `None` once the answer is over, so that the upstream is let go.
    frames: Option<Frames>,
    /// The instance that follows this answer.
    session: Option<(Loan, Session)>,
    /// The plugin has come to nothing, and the policy lets the rest pass.
    is_let_pass: bool,
    /// Pieces that it has not seen yet, how many bytes they are, and since when they wait.
    batch: Vec<types::Delta>,
    batch_bytes: usize,
    since: Option<Instant>,
    /// What is not decided, and its bytes.
    held: Vec<Burst>,
    held_bytes: usize,
    /// The end of the answer, and whole answers that have been decided.
    tail: Vec<Burst>,
    usage: Option<Usage>,
    out: VecDeque<Burst>,
    stop: Option<Stop>,
}

impl Piecewise {
    pub fn new(follow: Box<Follow>, frames: Frames) -> Self {
        Self {
            follow,
            frames: Some(frames),
            session: None,
            is_let_pass: false,
            batch: Vec::new(),
            batch_bytes: 0,
            since: None,
            held: Vec::new(),
            held_bytes: 0,
            tail: Vec::new(),
            usage: None,
            out: VecDeque::new(),
            stop: None,
        }
    }

    /// The next frames that may leave.
    pub async fn next(&mut self) -> Option<Result<Burst, Stop>> {
        loop {
            if let Some(burst) = self.out.pop_front() {
                return Some(Ok(burst));
            }
            let Some(frames) = &mut self.frames else { return self.stop.take().map(Err) };
            let due = self.since.zip(self.follow.gather.within).and_then(|(since, within)| since.checked_add(within.0));
            let read = match due.filter(|_| !self.batch.is_empty()) {
                Some(due) => timeout_at(due, frames.next()).await,
                None => Ok(frames.next().await),
            };
            match read {
                Err(_) => self.push().await,
                Ok(Some(Ok(burst))) => self.take_in(burst).await,
                Ok(Some(Err(stop))) => self.end(Some(stop)).await,
                Ok(None) => self.end(None).await,
            }
        }
    }

    async fn take_in(&mut self, mut burst: Burst) {
        self.note_usage(&burst);
        if self.is_let_pass {
            self.out.push_back(burst);
            return;
        }
        for event in burst.iter().flat_map(|frame| frame.iter()) {
            let before = self.batch.len();
            pieces(event, self.follow.ward.answer_sight, &mut self.batch);
            self.batch_bytes += self.batch.iter().skip(before).map(size).sum::<usize>();
        }
        let said = burst.iter().rposition(says_something).map_or(0, |last| last + 1);
        let rest = burst.split_off(said);
        if !burst.is_empty() {
            // With several answers at once, one may have ended while another goes on.
            self.held.append(&mut self.tail);
            self.held_bytes += bytes_of(&burst);
            self.held.push(burst);
        }
        if !self.tail.is_empty() || rest.iter().any(ends_something) {
            self.tail.push(rest);
        } else if self.held.is_empty() {
            self.out.extend(Some(rest).filter(|rest| !rest.is_empty()));
        } else {
            self.held.push(rest);
        }
        if self.is_time_to_push() {
            self.push().await;
        }
    }

    fn is_time_to_push(&mut self) -> bool {
        if self.batch.is_empty() {
            return false;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let gather = self.follow.gather;
        let is_large = gather.bytes.is_some_and(|bytes| self.batch_bytes as u64 >= bytes.0);
        let has_waited = gather.within.is_some_and(|within| since.elapsed() >= within.0);
        let never_waits = gather.bytes.is_none() && gather.within.is_none();
        never_waits || is_large || has_waited || !self.tail.is_empty()
    }

    fn note_usage(&mut self, burst: &Burst) {
        for said in burst.iter().flat_map(|frame| frame.iter()).filter_map(Event::usage) {
            self.usage.get_or_insert_default().update(said);
        }
    }

    /// Shows the plugin what has gathered.
    async fn push(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        (self.batch_bytes, self.since) = (0, None);
        if batch.is_empty() || self.is_let_pass {
            return;
        }
        if !self.open().await {
            return;
        }
        let call = self.follow.call();
        let Some((loan, session)) = &mut self.session else { return };
        let pushed = match loan.taken.instance() {
            Ok(instance) => instance.push(call, session, &batch).await,
            Err(trouble) => Err(trouble),
        };
        self.follow.ward.settle(&pushed);
        let report = loan.taken.report();
        self.decide(pushed, report, Turn::Push);
    }

    /// Has an instance begin to follow the answer, if none does. False if none could.
    async fn open(&mut self) -> bool {
        if self.session.is_some() {
            return true;
        }
        let Follow { ward, context, request, attached, beside, .. } = &mut *self.follow;
        let call = ward.call(Some(std::mem::take(attached)), beside.as_ref());
        let mut report = Report::default();
        let opened = async {
            let mut loan = ward.take(&call).await?;
            let session = loan.taken.instance()?.open(call.clone(), context, request).await;
            ward.settle(&session);
            report = loan.taken.report();
            Ok((loan, session?))
        };
        match opened.await {
            Ok(session) => {
                self.session = Some(session);
                true
            }
            Err(trouble) => {
                self.came_to_nothing(&trouble, report);
                false
            }
        }
    }

    fn came_to_nothing(&mut self, trouble: &Trouble, report: Report) {
        // Never to be called again.
        self.session = None;
        match self.follow.ward.failed(Hook::Stream, trouble, report) {
            Some(refusal) => self.give_up(refusal),
            None => {
                self.is_let_pass = true;
                self.let_go();
                self.out.extend(self.tail.drain(..).filter(|burst| !burst.is_empty()));
            }
        }
    }

    /// Nothing more of the answer leaves, what is held least of all.
    fn give_up(&mut self, refusal: Refusal) {
        let mut rest = std::mem::take(&mut self.held);
        rest.append(&mut self.tail);
        let usage = lanes::usage_frames(&rest);
        if !usage.is_empty() {
            self.out.push_back(usage);
        }
        self.batch.clear();
        self.frames = None;
        self.stop = Some(refusal.into());
    }

    /// What is held leaves as it is now. A whole answer waits for the last word.
    fn let_go(&mut self) {
        self.held_bytes = 0;
        let is_one = self.held.iter().flatten().any(is_whole);
        if is_one && !self.is_let_pass {
            self.tail.append(&mut self.held);
        } else {
            self.out.extend(self.held.drain(..).filter(|burst| !burst.is_empty()));
        }
    }

    fn decide(&mut self, said: Result<StreamOutcome, Trouble>, report: Report, turn: Turn) {
        let ruled = said.and_then(|outcome| {
            let weighed = self.weigh(outcome, turn).map_err(Trouble::Nonsense);
            self.follow.ward.settle(&weighed);
            weighed
        });
        let (ruling, found) = match ruled {
            Ok(ruled) => ruled,
            Err(trouble) => return self.came_to_nothing(&trouble, report),
        };
        let outcome = match &ruling {
            Ruling::Pass => Outcome::Pass,
            Ruling::Reword(_) => Outcome::Edit,
            Ruling::Hold => Outcome::Hold,
            Ruling::Stop(_) => Outcome::Deny,
        };
        self.follow.ward.went_well(Hook::Stream, outcome, report);
        found.kinds.iter().for_each(|(kind, count)| self.follow.counts.add(kind, *count));
        match ruling {
            _ if self.follow.ward.mode == Mode::Observe => self.let_go(),
            Ruling::Pass => self.let_go(),
            Ruling::Hold => {}
            Ruling::Stop(refusal) => {
                self.session = None;
                self.give_up(refusal);
            }
            Ruling::Reword(wordings) => match self.reword(wordings) {
                Ok(()) => self.let_go(),
                Err(nonsense) => self.came_to_nothing(&Trouble::Nonsense(nonsense), report),
            },
        }
    }

    fn weigh(&self, outcome: StreamOutcome, turn: Turn) -> Result<(Ruling, Found), String> {
        let found = Found::of(&outcome.findings)?;
        let ruling = match outcome.verdict {
            StreamVerdict::Pass => Ruling::Pass,
            StreamVerdict::Stop(denial) => Ruling::Stop(verdict::refusal(denial, &self.follow.ward.name)?),
            StreamVerdict::Hold if turn == Turn::Finish && !self.held.is_empty() => {
                return Err("it holds what has to be decided, since the answer is over".into());
            }
            StreamVerdict::Hold if turn == Turn::Finish => Ruling::Pass,
            StreamVerdict::Hold if self.held_bytes > self.follow.hold.pieces => {
                return Err("it holds more than it may".into());
            }
            StreamVerdict::Hold => Ruling::Hold,
            StreamVerdict::Replace(_) if self.follow.ward.answer_sight == Sight::Outline => {
                return Err("it changes what `answer.text` does not grant it".into());
            }
            StreamVerdict::Replace(deltas) => Ruling::Reword(self.wordings(deltas)?),
        };
        Ok((ruling, found))
    }

    /// What each part that is held shall say: what the plugin sends for it, and nothing if it sends nothing.
    fn wordings(&self, deltas: Vec<types::Delta>) -> Result<BTreeMap<Lane, String>, String> {
        let mut before = Vec::new();
        for event in self.held.iter().flatten().flat_map(|frame| frame.iter()) {
            pieces(event, Sight::Outline, &mut before);
        }
        let texts = before.iter().filter_map(|delta| Some((lane(delta), kind(&delta.piece)?)));
        let mut wordings: BTreeMap<Lane, (Said, String)> =
            texts.map(|(lane, kind)| (lane, (kind, String::new()))).collect();
        for delta in deltas {
            let (lane, Some(kind)) = (lane(&delta), kind(&delta.piece)) else { continue };
            let place = wordings.get_mut(&lane).filter(|(known, _)| *known == kind);
            let (_, text) = place.ok_or("it puts a piece where the answer has none of its kind")?;
            text.push_str(text_of(&delta.piece));
        }
        Ok(wordings.into_iter().map(|(lane, (_, text))| (lane, text)).collect())
    }

    /// Gives what is held its new wording.
    fn reword(&mut self, wordings: BTreeMap<Lane, String>) -> Result<(), String> {
        if !self.held.iter().flatten().any(is_whole) {
            return lanes::reword(&mut self.held, wordings).map_err(|_| "it puts a piece where there is none".into());
        }
        for frame in self.held.iter_mut().flatten() {
            frame.edit_texts(|events, edits| reword_whole(events.iter_mut(), &wordings, edits));
        }
        Ok(())
    }

    /// The answer is over, in whatever way: the plugin has its last word.
    async fn end(&mut self, stop: Option<Stop>) {
        self.push().await;
        // It may have been refused meanwhile.
        if self.frames.is_some() && !self.is_let_pass && self.open().await {
            let usage = self.usage.as_ref().map(view::usage);
            let call = self.follow.call();
            if let Some((loan, session)) = &mut self.session {
                let finished = match loan.taken.instance() {
                    Ok(instance) => instance.finish(call, session, usage).await,
                    Err(trouble) => Err(trouble),
                };
                self.follow.ward.settle(&finished);
                let report = loan.taken.report();
                self.decide(finished, report, Turn::Finish);
            }
        }
        if self.frames.take().is_none() {
            return;
        }
        self.stop = stop;
        self.let_go();
        self.out.extend(self.tail.drain(..).filter(|burst| !burst.is_empty()));
        self.close().await;
    }

    /// The instance is free for others.
    async fn close(&mut self) {
        let Some((mut loan, session)) = self.session.take() else { return };
        let call = self.follow.call();
        let closed = match loan.taken.instance() {
            Ok(instance) => instance.close(call, session).await,
            Err(trouble) => Err(trouble),
        };
        if closed.is_ok() {
            loan.taken.give_back();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Push,
    Finish,
}

enum Ruling {
    Pass,
    Reword(BTreeMap<Lane, String>),
    Hold,
    Stop(Refusal),
}

/// The bytes of text in a burst.
fn bytes_of(burst: &Burst) -> usize {
    let bytes = burst.iter().flat_map(|frame| frame.iter()).map(|event| match event {
        Event::Delta { delta, .. } => delta.text().map_or(0, crate::base::text::Text::len),
        _ => 0,
    });
    bytes.sum()
}

/// Whether there is something in a frame that must not leave before it is decided.
fn says_something(frame: &Frame) -> bool {
    frame.iter().any(|event| match event {
        Event::Delta { .. } | Event::Open { .. } | Event::Whole(_) => true,
        Event::Close { .. } => !ends_something(frame),
        _ => false,
    })
}

fn ends_something(frame: &Frame) -> bool {
    frame.iter().any(|event| matches!(event, Event::Finish { .. } | Event::End))
}
