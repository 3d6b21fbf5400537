//! Working a plan off: one loop for every kind of request.
//!
//! The targets of the plan are tried in order until one answers. An attempt that fails before its answer
//! has begun may be followed by another, at the same target or the next, as the [`Rules`] say; once an
//! answer has begun there is no going back. Each attempt leaves an entry on the trail.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::base::clock::Clock;
use crate::base::ids::{ModelName, TargetName};
use crate::base::stop::{Failed, Fault, Phase, Refusal, Stop};
use crate::chat::{Losses, Usage};
use crate::pipeline::breaker::Admission;
use crate::pipeline::charge::Asked;
use crate::pipeline::cx::Cx;
use crate::pipeline::retry::{self, OnLoss, Rules};
use crate::pipeline::route::{Candidate, Plan};
use crate::pipeline::target::Target;
use crate::pipeline::trail::AttemptEntry;
use crate::pipeline::watch::{Errand, Watch};
use crate::provider::{Call, Hop, ReplyBody, Sent, TransportError};
use crate::state::HoldId;

/// A kind of request: how it is put to a target, and what counts as an answer.
pub trait Exchange: Send {
    type Answer;

    /// The model that an answer is asked of, and charged for; `None` if that is not known.
    fn model(&self) -> Option<&ModelName> {
        None
    }

    /// What an attempt that failed so has likely cost all the same, as far as the provider has said; `None` if nothing.
    fn wasted(&mut self, _fault: &Fault) -> Option<Usage> {
        None
    }

    /// Prefixes that were marked for the provider's own cache when it was last composed.
    fn marked(&self) -> usize {
        0
    }

    /// Whether it can be sent more than once.
    fn is_repeatable(&self) -> bool;

    /// What the caller itself did wrong while the request was being sent.
    fn spoilt(&self) -> Option<Refusal> {
        None
    }

    /// The longest wait for the head of the answer, and what to call it.
    fn head_limit(&self, rules: &Rules) -> Duration;

    /// Writes the request for a target. `is_last` is true if no other attempt can follow.
    ///
    /// # Errors
    /// When the request cannot be put to this target.
    fn compose(&mut self, target: &Target, is_last: bool, losses: &mut Losses) -> Result<Call, Fault>;

    /// Judges the reply: an answer that has begun, or a fault that may yet be mended elsewhere.
    fn judge(
        &mut self,
        response: http::Response<ReplyBody>,
        sent: &Sending<'_>,
        watch: Watch,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// The circumstances of one attempt.
pub struct Sending<'a> {
    pub rules: &'a Rules,
    pub clock: Clock,
    pub started: Instant,
    /// When everything must be over.
    pub deadline: Instant,
    /// The targets asked so far, this one included.
    pub tried: &'a [TargetName],
}

/// Tries the plan's targets until one answers.
///
/// # Errors
/// When a candidate denies, none is left, or the time is up.
pub async fn execute<X: Exchange>(
    cx: &mut Cx,
    plan: &Plan,
    rules: &Rules,
    exchange: &mut X,
) -> Result<X::Answer, Stop> {
    let begun = Instant::now();
    let (tried, deadline) = (SmallVec::new(), begun + rules.timeouts.total);
    let mut run = Run { cx, rules, begun, deadline, tried, last: None, broke: None };
    for (i, candidate) in plan.candidates.iter().enumerate() {
        let target = match candidate {
            Candidate::Target(target) => target,
            Candidate::Deny(refusal) => return Err(refusal.clone().into()),
        };
        let others_left = i + 1 < plan.candidates.len();
        match run.target(target, others_left, exchange, Entry::Admitted).await {
            Ok(answer) => return Ok(answer),
            Err(Next::Target) if !run.tried.is_empty() && !exchange.is_repeatable() => break,
            Err(Next::Target) => {}
            Err(Next::GiveUp) => break,
        }
    }
    if run.tried.is_empty()
        && let Some(answer) = run.probe(plan, exchange).await
    {
        return Ok(answer);
    }
    match exchange.spoilt() {
        Some(refusal) => Err(refusal.into()),
        None => Err(run.outcome()),
    }
}

/// One pass over a plan.
struct Run<'a> {
    cx: &'a mut Cx,
    rules: &'a Rules,
    /// When the attempt under way began.
    begun: Instant,
    deadline: Instant,
    /// Nearly always one.
    tried: SmallVec<[TargetName; 1]>,
    last: Option<Fault>,
    /// There is no money for another attempt.
    broke: Option<Refusal>,
}

/// What to do after a target has failed.
enum Next {
    Target,
    GiveUp,
}

/// How a request gets past a target's breaker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Admitted,
    /// Every breaker is open, and this request has been chosen to find out whether that still holds.
    Probe,
}

impl Run<'_> {
    /// Tries one target as often as the rules allow.
    async fn target<X: Exchange>(
        &mut self,
        target: &Arc<Target>,
        others_left: bool,
        exchange: &mut X,
        entry: Entry,
    ) -> Result<X::Answer, Next> {
        for number in 1..=self.rules.attempts_per_target.max(1) {
            if self.cx.presence.as_ref().is_some_and(|presence| presence.is_forsaken()) {
                return Err(Next::GiveUp);
            }
            if let Err(refusal) = self.afford().await {
                self.broke = Some(refusal);
                return Err(Next::GiveUp);
            }
            // The first attempt begins with the run.
            if self.last.is_some() {
                self.begun = Instant::now();
            }
            let is_last = !others_left && number >= self.rules.attempts_per_target;
            let mut losses = Losses::default();
            self.cx.trail.attempts.push(AttemptEntry::begun(target.name.clone(), self.begun));
            let outcome = self.attempt(target, is_last, exchange, entry, &mut losses).await;
            self.note(target, &losses, outcome.as_ref().err());
            let fault = match outcome {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            self.charge(exchange.wasted(&fault));
            let (class, asked) = (fault.class(), fault.retry_after());
            self.last = Some(fault);
            if !self.rules.allow_another(class) {
                return Err(Next::GiveUp);
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Next::GiveUp);
            }
            if number == self.rules.attempts_per_target || !retry::may_pass(class) || !exchange.is_repeatable() {
                return Err(Next::Target);
            }
            match retry::wait(number, asked, others_left, left) {
                Some(wait) => {
                    self.cx.trail.pauses += wait;
                    sleep(wait).await;
                }
                None => return Err(Next::Target),
            }
        }
        Err(Next::Target)
    }

    /// An attempt that has cost something keeps what was set aside; the next needs as much of its own.
    async fn afford(&mut self) -> Result<(), Refusal> {
        let Some(held) = self.cx.held.as_mut().filter(|held| held.is_spent) else { return Ok(()) };
        let attempt = u16::try_from(self.cx.trail.asked()).unwrap_or(u16::MAX);
        let hold = HoldId { attempt, ..held.hold };
        held.purse.again(hold).await?;
        (held.hold, held.is_spent) = (hold, false);
        Ok(())
    }

    /// Charges for an attempt that has failed, if it has cost something.
    fn charge(&mut self, wasted: Option<Usage>) {
        match wasted {
            Some(usage) => self.cx.waste(usage),
            None => self.cx.asked = None,
        }
    }

    /// Asks a target once.
    async fn attempt<X: Exchange>(
        &mut self,
        target: &Arc<Target>,
        is_last: bool,
        exchange: &mut X,
        entry: Entry,
        losses: &mut Losses,
    ) -> Result<X::Answer, Fault> {
        let mut watch = enter(target, entry)?;
        // One that is refused for its losses may still be wanted for a probe.
        let is_last = is_last && self.rules.losses == OnLoss::Allow;
        let call = match exchange.compose(target, is_last, losses) {
            Ok(_) if self.rules.losses == OnLoss::Refuse && !losses.is_empty() => {
                return Err(passed_over(target, "its dialect cannot express the whole request", None));
            }
            composed => composed?,
        };
        if let Some(entry) = self.cx.trail.attempts.last_mut() {
            entry.marked = exchange.marked();
        }
        let call = self.continuing_the_trace(target, exchange.model(), call);
        self.tried.push(target.name.clone());
        let asked = |model: &ModelName| Asked { target: Arc::clone(target), model: target.model_for(model).clone() };
        self.cx.asked = exchange.model().map(asked);
        let limit = exchange.head_limit(self.rules);
        let due = (self.begun + limit).min(self.deadline);
        let connect = self.rules.timeouts.connect;
        let hop = Hop { target: &target.name, connect };
        let Sent { response, key } = match timeout_at(due, target.provider.send(call, hop)).await {
            Ok(Ok(sent)) => sent,
            // Not the target's doing, so nothing is reported of it.
            Ok(Err(error)) if exchange.spoilt().is_some() => return Err(unsent(target, error, connect)),
            Ok(Err(error)) => return Err(watch.lost(unsent(target, error, connect))),
            Err(_) => {
                let phase = if Instant::now() >= self.deadline { Phase::Whole } else { Phase::Headers };
                let limit = if phase == Phase::Whole { self.rules.timeouts.total } else { limit };
                return Err(watch.lost(Fault::Silent { target: target.name.clone(), phase, limit }));
            }
        };
        watch.hold_key(key);
        if let Some(entry) = self.cx.trail.attempts.last_mut() {
            entry.status = Some(response.status().as_u16());
        }
        let sending = Sending {
            rules: self.rules,
            clock: self.cx.clock,
            started: self.begun,
            deadline: self.deadline,
            tried: &self.tried,
        };
        // Boxed, since it is large: the futures around it are moved, and each would have to make room for it.
        Box::pin(exchange.judge(response, &sending, watch)).await
    }

    /// Notes whom a call goes to. A target that may know the trace is told which span of it has made the call.
    fn continuing_the_trace(&mut self, target: &Arc<Target>, model: Option<&ModelName>, mut call: Call) -> Call {
        let Some(entry) = self.cx.trail.attempts.last_mut() else { return call };
        let model = model.map(|model| target.model_for(model).clone()).unwrap_or_default();
        entry.asked = Some(Asked { target: Arc::clone(target), model });
        if target.provider.propagates() {
            self.cx.trace.pass_on(entry.span, &mut call.headers);
        }
        call
    }

    /// No target could be asked: rather than refuse everybody until the first open breaker's time is up, or
    /// ignore breakers, one request at a time goes and looks at each target in turn.
    async fn probe<X: Exchange>(&mut self, plan: &Plan, exchange: &mut X) -> Option<X::Answer> {
        for (i, candidate) in plan.candidates.iter().enumerate() {
            if let Candidate::Target(target) = candidate
                && target.health.breaker.admit_early()
            {
                let others_left = i + 1 < plan.candidates.len();
                match self.target(target, others_left, exchange, Entry::Probe).await {
                    Ok(answer) => return Some(answer),
                    Err(Next::Target) if self.tried.is_empty() || exchange.is_repeatable() => {}
                    Err(_) => return None,
                }
            }
        }
        None
    }

    fn note(&mut self, target: &Target, losses: &Losses, fault: Option<&Fault>) {
        if let Some(fault) = fault {
            warn!(request = %self.cx.id, target_name = %target.name, class = fault.class().name(), "{fault}");
        }
        if let Some(entry) = self.cx.trail.attempts.last_mut() {
            entry.outcome = fault.map_or("ok", |fault| fault.class().name());
            entry.reason = fault.map(Fault::to_string).unwrap_or_default();
            entry.took = self.begun.elapsed();
            entry.losses = losses.iter().cloned().collect();
        }
    }

    fn outcome(self) -> Stop {
        if let Some(refusal) = self.broke {
            return refusal.into();
        }
        match self.last {
            Some(fault) => Stop::Failed(Failed { fault, tried: self.tried.into_vec() }),
            None => Refusal::new(503, "no_target", "the route of this policy leads to no target").into(),
        }
    }
}

/// Passes a target's breaker and takes a place there.
fn enter(target: &Arc<Target>, entry: Entry) -> Result<Watch, Fault> {
    let errand = match entry {
        Entry::Probe => Errand::Probe,
        Entry::Admitted => match target.health.breaker.admit() {
            Admission::Pass => Errand::Service,
            Admission::Probe => Errand::Probe,
            Admission::Wait(wait) => return Err(passed_over(target, "its breaker is open", Some(wait))),
        },
    };
    let watch = Watch::new(Arc::clone(target), errand);
    match target.health.enter(target.max_concurrent) {
        Some(place) => Ok(watch.holding(place)),
        None => Err(passed_over(target, "all its places are taken", Some(Duration::from_secs(1)))),
    }
}

fn passed_over(target: &Target, reason: &str, retry_after: Option<Duration>) -> Fault {
    Fault::PassedOver { target: target.name.clone(), reason: reason.into(), retry_after }
}

fn unsent(target: &Target, error: TransportError, connect: Duration) -> Fault {
    let target = target.name.clone();
    match error {
        TransportError::ConnectTimeout => Fault::Silent { target, phase: Phase::Connection, limit: connect },
        TransportError::Connect(reason) | TransportError::Broken(reason) => Fault::Unreachable { target, reason },
    }
}
