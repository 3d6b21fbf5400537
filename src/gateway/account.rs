//! Accounting for a request exactly once: at its end, on a fault, or when the caller hangs up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use http_body::{Body, Frame as BodyFrame};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::base::ids::{ProviderName, RequestId, TargetName};
use crate::base::stop::{Failed, Fault, Stop};
use crate::chat::{Completion, Event, FinishReason, Frame};
use crate::dialect::is_semantic;
use crate::gateway::bill::Bill;
use crate::gateway::settle;
use crate::gateway::witness::Decision;
use crate::gateway::world::World;
use crate::pipeline::Burst;
use crate::pipeline::cx::{Cx, Held};
use crate::pipeline::opaque::Watched;
use crate::pipeline::tariff::Quote;
use crate::pipeline::trail::Trail;
use crate::state::Settlement;
use crate::telemetry::{Line, metrics};

/// What is known of a request so far. Dropped unclosed, it says that the caller hung up.
pub struct Account {
    world: Arc<World>,
    line: Line,
    started: Instant,
    bill: Bill,
    /// What the ledger holds for it until it is over.
    held: Option<Held>,
    /// What was decided, once it is.
    trail: Trail,
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
            held: None,
            trail: Trail::default(),
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
            held: None,
            trail: Trail::default(),
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
    pub fn note(&mut self, cx: &Cx, overhead: Duration) {
        self.describe(cx);
        let line = &mut self.line;
        self.held = cx.held;
        line.attempts = cx.trail.asked();
        line.overhead = Some(overhead);
        for attempt in &cx.trail.attempts {
            self.world.metrics.attempt(&attempt.target, attempt.outcome);
            let losses = attempt.losses.iter().map(|loss| format!("{}: {}", loss.what, loss.instead));
            line.losses.extend(losses);
        }
    }

    /// Takes the trail over: nothing is decided from here on.
    pub fn keep(&mut self, trail: Trail) {
        self.trail = trail;
    }

    pub fn answered_by(&mut self, target: Option<TargetName>, status: u16) {
        self.line.status = status;
        self.line.target = target;
    }

    /// What the request takes by our count, and what the model that answered charges.
    pub fn priced(&mut self, input: u64, provider: Option<ProviderName>, quote: Option<Quote>) {
        (self.bill.input, self.bill.quote, self.bill.provider) = (input, quote, provider);
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
        line.outcome = outcome;
        line.took = self.started.elapsed();
        line.input_tokens = self.bill.usage.input_said();
        line.output_tokens = self.bill.usage.output_said();
        let cost = self.bill.cost();
        line.cost = cost.as_ref().map(|cost| cost.nanos);
        line.is_cost_estimated = cost.as_ref().is_some_and(|cost| cost.is_estimate);
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
        });
        if let Some(ledger) = &self.world.stores.ledger {
            if let Some(tokens) = line.output_tokens {
                self.world.stores.outputs.note(&line.model, tokens);
            }
            let settlement = settle::settlement(line, &self.bill, cost, self.held);
            settlement.into_iter().for_each(|(hold, lines)| {
                ledger.settle(Settlement { hold, at: self.world.clock.now(), lines });
            });
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
    pub frames: BoxStream<'static, Result<Burst, Stop>>,
    pub account: Box<Account>,
}

impl Stream for Accounted {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let burst = ready!(self.frames.as_mut().poll_next(cx));
        match &burst {
            Some(Ok(frames)) => {
                self.account.observe(frames);
                // Many callers hang up as soon as they have seen the end.
                if frames.iter().any(|frame| frame.iter().any(|event| matches!(event, Event::End))) {
                    self.account.close("ok");
                }
            }
            Some(Err(stop)) => self.account.fail(stop),
            None => self.account.close("ok"),
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
