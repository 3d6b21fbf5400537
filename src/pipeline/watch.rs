//! What an attempt holds while it lasts, and how its end is told to the target's health.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::base::stop::{Fault, FaultClass};
use crate::pipeline::health::{InFlight, Outcome};
use crate::pipeline::target::Target;
use crate::provider::KeyUse;

/// Held from before an attempt is sent until its answer has ended.
///
/// At most one report reaches the breaker: good or bad. A probe that is dropped before either (the caller
/// hung up) gives its turn back.
pub struct Watch {
    target: Arc<Target>,
    errand: Errand,
    place: Option<InFlight>,
    key: Option<KeyUse>,
    reported: bool,
}

/// Why a request is at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    Service,
    /// The breaker waits for its outcome.
    Probe,
}

impl Watch {
    pub fn new(target: Arc<Target>, errand: Errand) -> Self {
        Self { target, errand, place: None, key: None, reported: false }
    }

    #[must_use]
    pub fn holding(mut self, place: InFlight) -> Self {
        self.place = Some(place);
        self
    }

    pub fn hold_key(&mut self, key: KeyUse) {
        self.key = Some(key);
    }

    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// The answer came to its proper end.
    pub fn good(&mut self) {
        if !std::mem::replace(&mut self.reported, true) {
            self.target.health.breaker.succeeded();
            self.target.health.note_outcome(Outcome::Good);
        }
        self.release();
    }

    /// The attempt failed. Gives the fault back.
    pub fn lost(&mut self, fault: Fault) -> Fault {
        if std::mem::replace(&mut self.reported, true) {
            return fault;
        }
        let health = &self.target.health;
        if let Some(asked) = fault.retry_after() {
            health.rest(asked);
        }
        match judge(fault.class()) {
            Verdict::Healthy => health.breaker.succeeded(),
            Verdict::Neither => self.give_turn_back(),
            Verdict::Ill => {
                health.note_outcome(Outcome::Bad);
                if health.breaker.failed(&self.target.breaker) {
                    warn!(target_name = %self.target.name, %fault, "the breaker is open");
                }
            }
        }
        if fault.class() == FaultClass::Credential
            && let Some(key) = &self.key
        {
            key.rejected();
        }
        self.release();
        fault
    }

    pub fn first_token_after(&mut self, took: Duration) {
        self.target.health.note_first_token(took);
        // A probe has found out what it was to find out; others need not wait for the end of its stream.
        if std::mem::replace(&mut self.errand, Errand::Service) == Errand::Probe {
            self.target.health.breaker.succeeded();
        }
    }

    fn release(&mut self) {
        self.place = None;
        self.key = None;
    }

    fn give_turn_back(&self) {
        // Of two requests that were let in, only the probe may make room for the next one.
        if self.errand == Errand::Probe {
            self.target.health.breaker.abandoned();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.reported {
            self.give_turn_back();
        }
    }
}

/// What a fault says about the target's health.
enum Verdict {
    /// It answered as it should; the request was at fault.
    Healthy,
    Ill,
    Neither,
}

fn judge(class: FaultClass) -> Verdict {
    match class {
        FaultClass::Connect
        | FaultClass::Timeout
        | FaultClass::ServerError
        | FaultClass::CutBeforeFirstToken
        | FaultClass::Garbled => Verdict::Ill,
        FaultClass::ContextTooLong | FaultClass::ContentFiltered | FaultClass::Rejected => Verdict::Healthy,
        // Busy, or one key of several refused: neither well nor ill.
        FaultClass::RateLimited | FaultClass::Credential | FaultClass::PassedOver => Verdict::Neither,
    }
}
