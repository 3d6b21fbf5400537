//! Waiting for the word of a guard, on a request or on an answer.
//!
//! A step that asks somebody outside does not wait itself. It returns what is to be found out, as a [`Hold`], and the
//! line waits: before anything else happens, or while the target is asked. Either way nothing of an answer goes on
//! before every word on it, or on a [`Window`] of it, has been heard, and a word that stops the request lets go of the
//! target at once.
//!
//! Who only observes keeps nobody waiting: see [`observed`](super::examine::observed).

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::future::BoxFuture;

use crate::base::stop::Stop;
use crate::pipeline::run::Mode;
use crate::pipeline::step::Burst;
use crate::pipeline::trail::Trail;

/// What must be known before an answer may be passed on.
pub struct Hold {
    /// A word on the request, and when it is waited for.
    pub request: Option<(Patience, Inquiry)>,
    /// Who must have seen the whole answer.
    pub answer: Option<Arc<dyn Examiner>>,
}

/// Resolves to what a guard says. It ends by itself, whatever the guard does, and dropping it ends it at once.
pub type Inquiry = BoxFuture<'static, Ruling>;

/// What goes on while a word on the request is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Nothing.
    First,
    /// Further steps run, and the target is asked.
    Meanwhile,
}

/// Somebody who has answers looked at.
pub trait Examiner: Send + Sync {
    /// Has an answer or a part of it looked at, which came in these bursts.
    fn examine(&self, answer: &[Burst]) -> Inquiry;

    /// How much of a stream it is shown at a time; `None` if it must have seen all of it.
    fn window(&self) -> Option<Window> {
        None
    }
}

/// A part of a stream's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How much is gathered before it is looked at.
    pub size: usize,
    /// How much of what has been looked at is shown again with what follows, at least.
    pub overlap: usize,
}

/// What a guard has said: names and counts, never a text.
#[derive(Debug, Default)]
pub struct Ruling {
    pub guard: Arc<str>,
    /// `pass`, `refuse`, `unavailable`.
    pub verdict: &'static str,
    /// The rule by which it refuses, as the guard calls it; empty if it does not.
    pub rule: String,
    pub notes: Vec<(Cow<'static, str>, String)>,
    pub took: Duration,
    /// Why the request shall not go on, if it shall not.
    pub stop: Option<Stop>,
    /// Nothing comes of it.
    pub is_observed: bool,
}

/// Rulings that come after a trail has been handed on.
#[derive(Debug, Clone, Default)]
pub struct Late(Arc<Mutex<Vec<Ruling>>>);

impl Late {
    pub fn add(&self, ruling: Ruling) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(ruling);
    }

    pub fn take(&self) -> Vec<Ruling> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Words on a request that are still to come, each for an entry of the trail.
#[derive(Default)]
pub struct Awaited {
    waiting: Vec<(usize, Inquiry)>,
    heard: Vec<(usize, Ruling)>,
}

impl Awaited {
    pub fn add(&mut self, entry: usize, inquiry: Inquiry) {
        self.waiting.push((entry, inquiry));
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.heard.is_empty()
    }

    /// Asks, and listens meanwhile. In `enforce` mode there is no answer before all has been heard, and none at all
    /// if a word stops the request; then `asking` is dropped in the middle of whatever it does.
    ///
    /// # Errors
    /// When a guard stops the request, or the asking comes to nothing.
    pub async fn listen_while<T>(
        &mut self,
        mode: Mode,
        asking: impl Future<Output = Result<T, Stop>>,
    ) -> Result<T, Stop> {
        let mut asking = pin!(asking);
        let mut answer = None;
        poll_fn(|cx| {
            let stop = self.listen(cx);
            if let (Mode::Enforce, Some(stop)) = (mode, stop) {
                return Poll::Ready(Err(stop));
            }
            if answer.is_none() {
                match asking.as_mut().poll(cx) {
                    Poll::Ready(Ok(asked)) => answer = Some(asked),
                    Poll::Ready(Err(stop)) => return Poll::Ready(Err(stop)),
                    Poll::Pending => {}
                }
            }
            let is_heard = self.waiting.is_empty() || mode == Mode::Observe;
            match answer.take_if(|_| is_heard) {
                Some(answer) => Poll::Ready(Ok(answer)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Takes what has come in. The first reason to stop, if there is one.
    fn listen(&mut self, cx: &mut Context<'_>) -> Option<Stop> {
        let mut stop = None;
        let heard = &mut self.heard;
        self.waiting.retain_mut(|(entry, inquiry)| match inquiry.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(ruling) => {
                stop = stop.take().or_else(|| ruling.stop.clone());
                heard.push((*entry, ruling));
                false
            }
        });
        stop
    }

    /// Puts what was heard on the trail, and that the rest was not, unless it is still to be.
    pub fn note(&mut self, mode: Mode, trail: &mut Trail) {
        for (entry, _) in self.waiting.iter().filter(|_| mode == Mode::Enforce) {
            if let Some(step) = trail.steps.get_mut(*entry).filter(|step| step.verdict == "pass") {
                step.verdict = "unheard".into();
            }
        }
        for (entry, mut ruling) in self.heard.drain(..) {
            ruling.is_observed = mode == Mode::Observe;
            trail.rule(entry, ruling);
        }
    }

    /// What has not been heard yet.
    pub fn left(self) -> Vec<(usize, Inquiry)> {
        self.waiting
    }
}
