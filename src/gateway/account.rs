//! Accounting for a request exactly once: at its end, on a fault, or when the caller hangs up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::base::ids::RequestId;
use crate::base::stop::{Fault, Stop};
use crate::chat::{Completion, Event, FinishReason, Frame, Usage};
use crate::dialect::is_semantic;
use crate::gateway::world::World;
use crate::pipeline::Burst;
use crate::pipeline::cx::Cx;
use crate::telemetry::{Line, metrics};

/// What is known of a request so far. Dropped unclosed, it says that the caller hung up.
pub struct Account {
    world: Arc<World>,
    line: Line,
    started: Instant,
    usage: Usage,
    is_closed: bool,
}

impl Account {
    pub fn open(world: Arc<World>, cx: &Cx, now: Timestamp) -> Self {
        world.metrics.request_began();
        let line = Line {
            time: now.to_string(),
            request_id: cx.id.to_string(),
            endpoint: cx.endpoint.name(),
            dialect: cx.dialect.map(|dialect| dialect.0),
            key: cx.caller.key.as_ref().map(ToString::to_string),
            team: cx.caller.team.as_deref().map(ToOwned::to_owned),
            user: cx.caller.user.as_deref().map(ToOwned::to_owned),
            ..Line::default()
        };
        Self { world, line, started: cx.started, usage: Usage::default(), is_closed: false }
    }

    /// The account of a request that is for no endpoint.
    pub fn stray(world: Arc<World>, id: RequestId, started: Instant, now: Timestamp) -> Self {
        world.metrics.request_began();
        let line = Line { time: now.to_string(), request_id: id.to_string(), endpoint: "none", ..Line::default() };
        Self { world, line, started, usage: Usage::default(), is_closed: false }
    }

    /// Notes what the steps and attempts have settled.
    pub fn note(&mut self, cx: &Cx) {
        let line = &mut self.line;
        line.model.clone_from(&cx.model);
        line.policy = cx.policy.as_ref().map(ToString::to_string);
        line.user = cx.caller.user.as_deref().map(ToOwned::to_owned);
        line.attempts = cx.trail.asked();
        let waited = cx.trail.attempts.iter().map(|attempt| attempt.took).sum();
        line.overhead = Some(self.started.elapsed().saturating_sub(waited));
        for attempt in &cx.trail.attempts {
            self.world.metrics.attempt(attempt.target.as_str(), attempt.outcome);
            let losses = attempt.losses.iter().map(|loss| format!("{}: {}", loss.what, loss.instead));
            line.losses.extend(losses);
        }
    }

    pub fn answered_by(&mut self, target: Option<&str>, is_stream: bool) {
        self.line.status = 200;
        self.line.stream = is_stream;
        self.line.target = target.map(ToOwned::to_owned);
    }

    /// The request ends here, without an answer.
    pub fn refuse(mut self, stop: &Stop) {
        self.line.status = stop.status();
        self.fail(stop);
    }

    /// The request ends here, with an answer that is not a stream of frames.
    pub fn finish(mut self, status: u16) {
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
                match event {
                    Event::Usage(usage) => self.usage.update(usage),
                    Event::Finish { finish, .. } => self.line.finish = Some(finish.reason.name()),
                    Event::Whole(completion) => self.observe_whole(completion),
                    _ => {}
                }
            }
        }
    }

    fn observe_whole(&mut self, completion: &Completion) {
        if let Some(usage) = &completion.usage {
            self.usage.update(usage);
        }
        let finish = completion.choices.iter().find_map(|choice| choice.finish.as_ref());
        self.line.finish = finish.map(|finish| FinishReason::name(finish.reason));
    }

    fn close(&mut self, outcome: &'static str) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.outcome = outcome;
        line.took = self.started.elapsed();
        if self.usage != Usage::default() {
            line.input_tokens = Some(self.usage.input());
            line.output_tokens = Some(self.usage.output());
        }
        self.world.metrics.request_ended(&metrics::Counted {
            policy: line.policy.as_deref().unwrap_or_default(),
            status: line.status,
            decision: outcome,
            target: line.target.as_deref(),
            took: line.took,
            first_token: line.first_token,
            overhead: line.overhead,
            input_tokens: line.input_tokens,
            output_tokens: line.output_tokens,
        });
        self.world.access.write(line);
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
    pub account: Account,
}

impl Stream for Accounted {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let burst = ready!(self.frames.as_mut().poll_next(cx));
        match &burst {
            Some(Ok(frames)) => self.account.observe(frames),
            Some(Err(stop)) => self.account.fail(stop),
            None => self.account.close("ok"),
        }
        Poll::Ready(burst)
    }
}
