//! Accounting for a request exactly once: at its end, on a fault, or when the caller hangs up.

mod asides;
mod body;
mod frames;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::base::ids::{RequestId, TargetName};
use crate::base::money::Nanos;
use crate::base::stop::{Fault, Stop};
use crate::chat::{Completion, Event, FinishReason, Frame};
use crate::dialect::is_semantic;
use crate::gateway::bill::{Bill, Payee, Tab};
use crate::gateway::closing::Closing;
use crate::gateway::settle;
use crate::gateway::told::Traced;
use crate::gateway::world::World;
use crate::pipeline::charge::{Asked, Basis, Charge, Held};
use crate::pipeline::cx::{Cached, Cx};
use crate::pipeline::facts::Endpoint;
use crate::pipeline::trail::Trail;
use crate::policy::Snapshot;
use crate::telemetry::Line;

use asides::Asides;
pub use body::AccountedBody;
pub use frames::Accounted;

/// What is known of a request so far. Dropped unclosed, it says that the caller hung up.
pub struct Account {
    world: Arc<World>,
    line: Line,
    started: Instant,
    bill: Bill,
    /// Attempts that failed, and cost something.
    failed: Vec<settle::Failed>,
    /// What its steps ask of models while its answer passes, if one may.
    beside: Option<Asides>,
    /// What the ledger holds for it until it is over.
    held: Option<Held>,
    /// What came of looking for its answer among those that are kept.
    cached: Option<Cached>,
    /// What was decided, once it is.
    trail: Trail,
    /// What its trace says beside; `None` if nobody wants to know.
    traced: Option<Box<Traced>>,
    /// The caller has hung up, and its request goes on.
    has_left: bool,
    /// How it has ended for the caller, while it goes on for others.
    ended: Option<&'static str>,
    is_closed: bool,
}

impl Account {
    pub fn open(world: Arc<World>, cx: &Cx, now: Timestamp) -> Box<Self> {
        Self::of(world, cx, Line::default(), now)
    }

    /// The account of a copy of the request `original`. It is none of those that callers have made, and has a trace of
    /// its own.
    pub fn of_copy(world: Arc<World>, cx: &Cx, original: &Cx, now: Timestamp) -> Box<Self> {
        let line = Line { shadow_of: Some(original.id), ..Line::default() };
        Self::beside(world, cx, original, line, now)
    }

    /// The same of a request that renews the answer which `original` was given.
    pub fn of_renewal(world: Arc<World>, cx: &Cx, original: &Cx, now: Timestamp) -> Box<Self> {
        let line = Line { renewal_of: Some(original.id), ..Line::default() };
        Self::beside(world, cx, original, line, now)
    }

    fn beside(world: Arc<World>, cx: &Cx, original: &Cx, line: Line, now: Timestamp) -> Box<Self> {
        let mut account = Self::of(world, cx, line, now);
        if let Some(traced) = &mut account.traced {
            traced.link = Some(original.trace);
        }
        account
    }

    fn of(world: Arc<World>, cx: &Cx, line: Line, now: Timestamp) -> Box<Self> {
        let line = Line {
            time: now,
            request_id: cx.id,
            endpoint: cx.endpoint.name(),
            dialect: cx.dialect.map(|dialect| dialect.0),
            key: cx.caller.key.clone(),
            team: cx.caller.team.clone(),
            user: cx.caller.user.clone(),
            ..line
        };
        let mut account = Self::new(world, line, cx.started);
        account.traced = account.world.traces.is_on().then(|| Traced::of(cx));
        account
    }

    /// Notes how the request came, and under which revision.
    pub fn came_as(&mut self, method: &Method, path: &str, headers: &HeaderMap, snapshot: &Snapshot) {
        if let Some(traced) = &mut self.traced {
            (traced.method, traced.path) = (method.to_string(), path.to_owned());
            traced.arrive(headers, snapshot);
        }
    }

    /// Notes that the caller is not let in.
    pub fn turn_away(&mut self) {
        self.traced.iter_mut().for_each(|traced| traced.is_of_stranger = true);
    }

    /// The account of a request that is for no endpoint.
    pub fn stray(world: Arc<World>, id: RequestId, started: Instant, now: Timestamp) -> Box<Self> {
        let line = Line { time: now, request_id: id, endpoint: "none", ..Line::default() };
        Self::new(world, line, started)
    }

    fn new(world: Arc<World>, line: Line, started: Instant) -> Box<Self> {
        if !line.is_beside() {
            world.metrics.request_began();
        }
        Box::new(Self {
            world,
            line,
            started,
            bill: Bill::default(),
            failed: Vec::new(),
            beside: None,
            held: None,
            cached: None,
            trail: Trail::default(),
            traced: None,
            has_left: false,
            ended: None,
            is_closed: false,
        })
    }

    /// When the request came.
    pub fn opened(&self) -> Timestamp {
        self.line.time
    }

    /// Notes whose the request is and which policy decides on it.
    pub fn describe(&mut self, cx: &Cx) {
        let line = &mut self.line;
        line.model.clone_from(&cx.model);
        line.policy.clone_from(&cx.policy);
        line.user.clone_from(&cx.caller.user);
    }

    /// Notes what the steps and attempts have settled, and the time that took besides waiting for others.
    pub fn note(&mut self, cx: &mut Cx, overhead: Duration) {
        self.describe(cx);
        if let Some(traced) = &mut self.traced {
            traced.describe(cx);
        }
        self.charge(cx);
        let line = &mut self.line;
        line.attempts = cx.trail.asked();
        line.overhead = Some(overhead);
        self.cached.clone_from(&cx.cached);
        let cached = cx.cached.as_ref();
        line.cache = cached.map(|cached| cached.result);
        line.cache_tier = cached.and_then(|cached| cached.tier);
        line.saved = cached.and_then(|cached| cached.saved);
        line.charged = cached.and_then(|cached| cached.charged);
        for attempt in &cx.trail.attempts {
            self.world.metrics.attempt(&attempt.target, attempt.outcome);
            let losses = attempt.losses.iter().map(|loss| format!("{}: {}", loss.what, loss.instead));
            line.losses.extend(losses);
        }
    }

    /// Takes over who charges for what, and what is set aside for it.
    fn charge(&mut self, cx: &mut Cx) {
        let beside = Asides::of(cx);
        self.failed.extend(beside.iter().flat_map(Asides::take));
        self.beside = beside;
        let Some(question) = cx.question.take() else { return };
        self.held = cx.held.take();
        if cx.charges.is_empty() && cx.asked.is_none() {
            return;
        }
        let (Basis { service, unknown }, now) = (cx.basis, cx.clock.now());
        let factor = self.world.stores.tokens.factor(&cx.model);
        let bill = |asked: &Asked| Bill::of(Payee::of(asked, unknown, now), &question, factor, service);
        let failed = |charge: Charge| {
            let bill = bill(&charge.asked).using(charge.usage);
            settle::Failed { attempt: charge.attempt, hold: charge.hold, bill }
        };
        self.failed.extend(cx.charges.drain(..).map(failed));
        if let Some(asked) = cx.asked.take() {
            self.bill = match cx.endpoint {
                Endpoint::Chat => bill(&asked).keeping(question, &asked.model),
                _ => bill(&asked).unread(),
            };
        }
    }

    /// How the request's cost is reckoned once its usage is known.
    pub fn tab(&self) -> Tab {
        let wasted = self.failed.iter().filter_map(|failed| failed.bill.cost());
        let wasted = wasted.fold(Nanos::ZERO, |sum, cost| sum.plus(cost.nanos));
        Tab { quote: self.bill.quote().cloned(), service: self.bill.service, wasted, charged: self.line.charged }
    }

    /// Takes the trail over: nothing is decided from here on.
    pub fn keep(&mut self, trail: Trail) {
        self.trail = trail;
    }

    pub fn answered_by(&mut self, target: Option<TargetName>, status: u16) {
        self.line.status = status;
        self.line.target = target;
    }

    pub fn streams(&mut self) {
        self.line.stream = true;
    }

    /// The request ends here, without an answer.
    pub fn refuse(mut self: Box<Self>, stop: &Stop) {
        self.line.status = stop.status();
        self.fail(stop);
    }

    /// The request ends here, with an answer that is not a stream of frames.
    pub fn finish(mut self: Box<Self>, status: u16) {
        self.line.status = status;
        self.close(if status < 400 { "ok" } else { "refused" });
    }

    /// The answer broke off.
    pub fn fail(&mut self, stop: &Stop) {
        let outcome = self.end(stop);
        self.close(outcome);
    }

    /// The answer breaks off for its caller. What it took is noted until the account is closed.
    fn end(&mut self, stop: &Stop) -> &'static str {
        let outcome = match stop {
            Stop::Refused(_) => "refused",
            Stop::Failed(failed) if matches!(failed.fault, Fault::Cut { .. }) => "cut",
            Stop::Failed(_) => "failed",
        };
        self.line.code.get_or_insert_with(|| stop.code().to_owned().into());
        self.ended.get_or_insert(outcome)
    }

    /// The caller has hung up; what it has begun goes on.
    pub fn leave(&mut self) {
        self.has_left = true;
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    fn observe(&mut self, frames: &[Frame]) {
        for frame in frames {
            if self.line.first_token.is_none() && is_semantic(frame) {
                self.line.first_token = Some(self.started.elapsed());
            }
            if let Some(traced) = &mut self.traced {
                traced.observe(frame);
            }
            for event in frame.iter() {
                self.bill.observe(event);
                match event {
                    Event::Finish { finish, .. } => self.line.finish = Some(finish.reason.name()),
                    Event::Whole(completion) => self.observe_whole(completion),
                    _ => {}
                }
            }
        }
    }

    fn observe_whole(&mut self, completion: &Completion) {
        let finish = completion.choices.iter().find_map(|choice| choice.finish.as_ref());
        self.line.finish = finish.map(|finish| FinishReason::name(finish.reason));
    }

    fn close(&mut self, outcome: &'static str) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        self.line.outcome = match self.ended {
            Some(ended) => ended,
            None if self.has_left && outcome == "ok" => "hang_up",
            None => outcome,
        };
        self.line.took = self.started.elapsed();
        if !matches!(self.line.outcome, "ok" | "hang_up") {
            // What was kept did not come to its caller.
            (self.line.charged, self.line.saved, self.line.cache_tier) = (None, None, None);
        }
        self.failed.extend(self.beside.take().iter().flat_map(Asides::take));
        let closing = Closing {
            world: Arc::clone(&self.world),
            line: std::mem::take(&mut self.line),
            bill: std::mem::take(&mut self.bill),
            failed: std::mem::take(&mut self.failed),
            held: self.held.take(),
            cached: self.cached.take(),
            trail: std::mem::take(&mut self.trail),
            traced: self.traced.take(),
        };
        closing.begin();
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // 499, as nginx has it: the caller went away before the answer.
        if self.line.status == 0 {
            self.line.status = 499;
        }
        self.close("hang_up");
    }
}
