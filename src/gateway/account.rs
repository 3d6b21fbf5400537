//! Accounting for a request exactly once: at its end, on a fault, or when the caller hangs up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use http_body::{Body, Frame as BodyFrame};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::base::ids::{RequestId, TargetName};
use crate::base::money::Nanos;
use crate::base::stop::{Failed, Fault, Stop};
use crate::chat::{Completion, Event, FinishReason, Frame, Usage};
use crate::dialect::is_semantic;
use crate::gateway::bill::{Bill, Payee, Tab};
use crate::gateway::settle;
use crate::gateway::witness::Decision;
use crate::gateway::world::World;
use crate::pipeline::Burst;
use crate::pipeline::charge::{Asked, Basis, Charge, Held};
use crate::pipeline::cx::Cx;
use crate::pipeline::opaque::Watched;
use crate::pipeline::retry::OnDisconnect;
use crate::pipeline::trail::Trail;
use crate::telemetry::{Line, metrics};

/// What is known of a request so far. Dropped unclosed, it says that the caller hung up.
pub struct Account {
    world: Arc<World>,
    line: Line,
    started: Instant,
    bill: Bill,
    /// Attempts that failed, and cost something.
    failed: Vec<settle::Failed>,
    /// What the ledger holds for it until it is over.
    held: Option<Held>,
    /// What was decided, once it is.
    trail: Trail,
    /// The caller has hung up, and its request goes on.
    has_left: bool,
    is_closed: bool,
}

impl Account {
    pub fn open(world: Arc<World>, cx: &Cx, now: Timestamp) -> Box<Self> {
        world.metrics.request_began();
        let line = Line {
            time: now,
            request_id: cx.id,
            endpoint: cx.endpoint.name(),
            dialect: cx.dialect.map(|dialect| dialect.0),
            key: cx.caller.key.clone(),
            team: cx.caller.team.clone(),
            user: cx.caller.user.clone(),
            ..Line::default()
        };
        Box::new(Self {
            world,
            line,
            started: cx.started,
            bill: Bill::default(),
            failed: Vec::new(),
            held: None,
            trail: Trail::default(),
            has_left: false,
            is_closed: false,
        })
    }

    /// The account of a request that is for no endpoint.
    pub fn stray(world: Arc<World>, id: RequestId, started: Instant, now: Timestamp) -> Box<Self> {
        world.metrics.request_began();
        let line = Line { time: now, request_id: id, endpoint: "none", ..Line::default() };
        Box::new(Self {
            world,
            line,
            started,
            bill: Bill::default(),
            failed: Vec::new(),
            held: None,
            trail: Trail::default(),
            has_left: false,
            is_closed: false,
        })
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
        self.charge(cx);
        let line = &mut self.line;
        line.attempts = cx.trail.asked();
        line.overhead = Some(overhead);
        for attempt in &cx.trail.attempts {
            self.world.metrics.attempt(&attempt.target, attempt.outcome);
            let losses = attempt.losses.iter().map(|loss| format!("{}: {}", loss.what, loss.instead));
            line.losses.extend(losses);
        }
    }

    /// Takes over who charges for what, and what is set aside for it.
    fn charge(&mut self, cx: &mut Cx) {
        let (Basis { service, unknown }, input, now) = (cx.basis, cx.input, cx.clock.now());
        let bill = |asked: &Asked, usage| Bill::of(Payee::of(asked, unknown, now), input, service, usage);
        let failed = |charge: Charge| {
            let bill = bill(&charge.asked, charge.usage);
            settle::Failed { attempt: charge.attempt, hold: charge.hold, bill }
        };
        self.failed = cx.charges.drain(..).map(failed).collect();
        self.bill = cx.asked.take().map(|asked| bill(&asked, Usage::default())).unwrap_or_default();
        self.held = cx.held.take();
    }

    /// How the request's cost is reckoned once its usage is known.
    pub fn tab(&self) -> Tab {
        let wasted = self.failed.iter().filter_map(|failed| failed.bill.cost());
        let wasted = wasted.fold(Nanos::ZERO, |sum, cost| sum.plus(cost.nanos));
        Tab { quote: self.bill.quote().cloned(), service: self.bill.service, wasted }
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
        self.line.code = Some(stop.code().to_owned().into());
        match stop {
            Stop::Refused(_) => self.close("refused"),
            Stop::Failed(failed) if matches!(failed.fault, Fault::Cut { .. }) => self.close("cut"),
            Stop::Failed(_) => self.close("failed"),
        }
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
        let line = &mut self.line;
        let outcome = if self.has_left && outcome == "ok" { "hang_up" } else { outcome };
        line.outcome = outcome;
        line.took = self.started.elapsed();
        line.input_tokens = self.bill.usage.input_said();
        line.output_tokens = self.bill.usage.output_said();
        let cost = self.bill.cost();
        line.cost = cost.as_ref().map(|cost| cost.nanos);
        line.is_cost_estimated = cost.as_ref().is_some_and(|cost| cost.is_estimate);
        for wasted in self.failed.iter().filter_map(|failed| failed.bill.cost()) {
            line.cost = Some(line.cost.unwrap_or_default().plus(wasted.nanos));
            line.is_cost_estimated |= wasted.is_estimate;
        }
        self.world.metrics.request_ended(&metrics::Counted {
            policy: line.policy.as_ref(),
            status: line.status,
            decision: outcome,
            target: line.target.as_ref(),
            took: line.took,
            first_token: line.first_token,
            overhead: line.overhead,
            input_tokens: line.input_tokens,
            output_tokens: line.output_tokens,
            cost: line.cost,
            is_unpriced: self.bill.is_unpriced(),
        });
        if let Some(ledger) = &self.world.stores.ledger {
            if let Some(tokens) = line.output_tokens {
                self.world.stores.outputs.note(&line.model, tokens);
            }
            let (bill, cost, held) = (&self.bill, cost.as_ref(), self.held.as_ref());
            let at = self.world.clock.now();
            settle::Over { line, at, failed: &self.failed, bill, cost, held }.settle(&**ledger);
        }
        self.world.access.write(line);
        if let Some(witness) = self.world.witness() {
            let (line, trail) = (std::mem::take(line), std::mem::take(&mut self.trail));
            witness.saw(Decision { line, trail, usage: self.bill.usage.clone() });
        }
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

/// Frames on their way to the caller, accounted for as they pass.
pub struct Accounted {
    frames: BoxStream<'static, Result<Burst, Stop>>,
    /// `None` once somebody else has it.
    account: Option<Box<Account>>,
    on_disconnect: OnDisconnect,
}

impl Accounted {
    pub fn new(
        frames: BoxStream<'static, Result<Burst, Stop>>,
        account: Box<Account>,
        on_disconnect: OnDisconnect,
    ) -> Self {
        Self { frames, account: Some(account), on_disconnect }
    }

    /// Frames that nobody reads are not read to their end, either.
    pub fn cancelled(frames: BoxStream<'static, Result<Burst, Stop>>, account: Box<Account>) -> Self {
        Self::new(frames, account, OnDisconnect::Cancel)
    }
}

impl Drop for Accounted {
    fn drop(&mut self) {
        if self.on_disconnect == OnDisconnect::Drain
            && let Some(account) = self.account.take_if(|account| !account.is_closed)
        {
            let frames = std::mem::replace(&mut self.frames, futures_util::stream::empty().boxed());
            Arc::clone(account.world()).afterlife.drain(frames, account);
        }
    }
}

impl Stream for Accounted {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let burst = ready!(self.frames.as_mut().poll_next(cx));
        let Some(account) = &mut self.account else { return Poll::Ready(burst) };
        match &burst {
            Some(Ok(frames)) => {
                account.observe(frames);
                // Many callers hang up as soon as they have seen the end.
                if frames.iter().any(|frame| frame.iter().any(|event| matches!(event, Event::End))) {
                    account.close("ok");
                }
            }
            Some(Err(stop)) => account.fail(stop),
            None => account.close("ok"),
        }
        Poll::Ready(burst)
    }
}

/// A forwarded body on its way to the caller, accounted for when it ends.
pub struct AccountedBody {
    body: Watched,
    account: Box<Account>,
}

impl AccountedBody {
    pub fn new(body: Watched, mut account: Box<Account>) -> Self {
        if body.is_end_stream() {
            account.close("ok");
        }
        Self { body, account }
    }
}

impl Body for AccountedBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Fault>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Err(fault)) => {
                let failed = Failed { fault: fault.clone(), tried: Vec::new() };
                self.account.fail(&Stop::Failed(failed));
            }
            // A body whose length is known is not asked again after its last byte.
            Some(Ok(_)) if !self.body.is_end_stream() => {}
            Some(Ok(_)) | None => self.account.close("ok"),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
