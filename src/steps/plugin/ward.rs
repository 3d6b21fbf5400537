//! A plugin at its place in a policy: what it may see, how it is called, and what becomes of a request when a call comes to
//! nothing.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::book::{Outcome, Record};
use super::config::{Mode, Otherwise};
use super::edits::Leave;
use super::outside::model::{Asker, Models};
use super::view::{Attached, Sight};
use crate::base::stop::Refusal;
use crate::pipeline::breaker::{Admission, Breaker, Settings};
use crate::pipeline::charge::Beside;
use crate::wasm::{Call, Hook, Instance, Kind, Plugin, Report, Taken, Trouble};

/// A plugin, and the rules for it.
pub struct Ward {
    pub name: Arc<str>,
    pub plugin: Plugin,
    pub rules: Rules,
    pub mode: Mode,
    pub request_sight: Sight,
    pub answer_sight: Sight,
    pub leave: Leave,
    pub models: Option<Arc<Models>>,
    pub breaker: Arc<Breaker>,
    pub record: Arc<Record>,
}

/// An instance, and the way it was come by.
pub struct Loan {
    pub taken: Taken,
    _probe: Option<Probe>,
}

/// A call that finds out whether the plugin works again. One that nobody waits for any more has not found out.
struct Probe(Arc<Breaker>);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.abandoned();
    }
}

/// What becomes of a request when the plugin comes to nothing on it, by what happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    pub trap: Otherwise,
    pub timeout: Otherwise,
    pub error: Otherwise,
    pub unavailable: Otherwise,
}

impl Rules {
    fn on(&self, kind: Kind) -> Otherwise {
        match kind {
            Kind::Trap => self.trap,
            Kind::Timeout => self.timeout,
            Kind::Error => self.error,
            Kind::Unavailable => self.unavailable,
        }
    }
}

/// Five failures in a row within ten seconds, and the plugin is left alone for a second, then for longer.
const BREAKER: Settings = Settings { failures: 5, window: Duration::from_secs(10), open_for: Duration::from_secs(1) };

impl Ward {
    /// A call that begins now, with what came along with what is shown, and with whoever pays for models.
    pub fn call(&self, attached: Option<Attached>, beside: Option<&Beside>) -> Call {
        let mut call = Call::within(self.plugin.limits().wall);
        if let Some(attached) = attached {
            call = call.with(Arc::new(attached));
        }
        match (&self.models, beside) {
            (Some(models), Some(beside)) => {
                call.asking(Arc::new(Asker { models: Arc::clone(models), beside: beside.clone() }))
            }
            _ => call,
        }
    }

    /// Takes an instance, unless the plugin has failed too often of late.
    ///
    /// # Errors
    /// When there is none.
    pub async fn take(&self, call: &Call) -> Result<Loan, Trouble> {
        let probe = match self.breaker.admit() {
            Admission::Wait(_) => return Err(Trouble::Unavailable("it has failed too often of late")),
            Admission::Probe => Some(Probe(Arc::clone(&self.breaker))),
            Admission::Pass => None,
        };
        let taken = self.plugin.take(call).await.inspect_err(|trouble| self.settle::<()>(&Err(trouble)));
        Ok(Loan { taken: taken?, _probe: probe })
    }

    /// Tells the breaker how something went that the plugin was asked. To be said while the loan is there.
    pub fn settle<T>(&self, done: &Result<T, impl Borrow<Trouble>>) {
        match done {
            Ok(_) => self.breaker.succeeded(),
            // What is not even called does not fail once more.
            Err(trouble) if trouble.borrow().kind() == Kind::Unavailable => {}
            Err(_) if self.breaker.failed(&BREAKER) => {
                warn!(plugin = %self.name, "a plugin has failed too often, and is left alone for a while");
            }
            Err(_) => {}
        }
    }

    /// Calls a hook on an instance of its own for the call.
    ///
    /// # Errors
    /// When the call comes to nothing.
    pub async fn once<T>(
        &self,
        call: Call,
        hook: impl AsyncFnOnce(&mut Instance, Call) -> Result<T, Trouble>,
    ) -> (Result<T, Trouble>, Report) {
        let begun = Instant::now();
        let mut loan = match self.take(&call).await {
            Ok(loan) => loan,
            Err(trouble) => return (Err(trouble), Report { took: begun.elapsed(), ..Report::default() }),
        };
        let done = match loan.taken.instance() {
            Ok(instance) => hook(instance, call).await,
            Err(trouble) => Err(trouble),
        };
        self.settle(&done);
        let report = loan.taken.report();
        if done.is_ok() {
            loan.taken.give_back();
        }
        (done, report)
    }

    /// Notes how a call went.
    pub fn went_well(&self, hook: Hook, outcome: Outcome, report: Report) {
        self.record.add(hook, outcome, report.took, report.log_dropped);
    }

    /// Notes a call that came to nothing, and says what becomes of the request: `None` if it goes on.
    pub fn failed(&self, hook: Hook, trouble: &Trouble, report: Report) -> Option<Refusal> {
        let kind = trouble.kind();
        self.record.add(hook, kind.into(), report.took, report.log_dropped);
        warn!(plugin = %self.name, hook = hook.name(), kind = kind.name(), "a plugin came to nothing: {trouble}");
        if let Some(said) = trouble.own_words() {
            debug!(plugin = %self.name, said = %said.escape_debug(), "what the plugin says of it");
        }
        let is_let_pass = self.rules.on(kind) == Otherwise::Allow || self.mode == Mode::Observe;
        (!is_let_pass).then(|| {
            let message = format!("the plugin `{}` {}", self.name, said_of(kind));
            Refusal::new(503, "plugin_failed", message)
        })
    }
}

/// Callers learn that a plugin failed, and nothing that is said of it.
fn said_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Trap => "broke off",
        Kind::Timeout => "took too long",
        Kind::Error => "failed",
        Kind::Unavailable => "is not available",
    }
}
