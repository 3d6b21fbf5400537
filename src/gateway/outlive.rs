//! Requests that go on when their caller has hung up.
//!
//! Where a policy says `on_disconnect: drain`, an answer is read to its end for nobody, so that its provider's word on
//! what it used is known. No further attempt is made. Only so many requests do this at a time; any more are
//! cancelled like those of other policies.
//!
//! An answer that others wait for or hear as well goes on for as long as they do, and is paid for by its caller; elsewhere
//! it ends with the last of them. It goes on as fast as they take it, but who takes nothing for a while is not waited for,
//! so that each request has its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::base::stop::Stop;
use crate::gateway::account::{Account, Accounted};
use crate::pipeline::Burst;
use crate::pipeline::presence::Presence;
use crate::pipeline::retry::OnDisconnect;
use crate::pipeline::step::Audience;

/// Room for requests that nobody waits for.
pub struct Afterlife(Arc<Semaphore>);

impl Default for Afterlife {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Afterlife {
    /// Reads an answer on that its caller does not wait for any more.
    pub fn drain(&self, rest: Rest, mut account: Box<Account>) {
        let Rest { frames, audience, on_disconnect } = rest;
        let places = Arc::clone(&self.0);
        // There are never more answers that others hear than there are others.
        let place = match &audience {
            Some(_) => None,
            None => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return,
            },
        };
        let Ok(runtime) = Handle::try_current() else { return };
        account.leave();
        audience.iter().for_each(|audience| audience.0.leave(on_disconnect));
        let frames = Accounted::cancelled(frames, account);
        runtime.spawn(Draining { frames, audience, on_disconnect, places, place }.run());
    }
}

/// What is left of an answer whose caller has hung up.
pub struct Rest {
    pub frames: BoxStream<'static, Result<Burst, Stop>>,
    /// Others who hear it, if there are any.
    pub audience: Option<Audience>,
    pub on_disconnect: OnDisconnect,
}

struct Draining {
    frames: Accounted,
    audience: Option<Audience>,
    on_disconnect: OnDisconnect,
    places: Arc<Semaphore>,
    place: Option<OwnedSemaphorePermit>,
}

impl Draining {
    async fn run(mut self) {
        loop {
            match timeout(PATIENCE, poll_fn(|cx| self.poll_next(cx))).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => self.audience.iter().for_each(|audience| audience.0.hurry()),
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Burst, Stop>>> {
        // Before hearing what there is: the last to leave may have drawn it.
        let is_left = self.audience.as_ref().is_some_and(|audience| audience.0.poll_left_by_all(cx).is_ready());
        if is_left && self.place.is_none() && self.on_disconnect == OnDisconnect::Drain {
            self.place = Arc::clone(&self.places).try_acquire_owned().ok();
        }
        match self.frames.poll_next_unpin(cx) {
            Poll::Pending if is_left && self.place.is_none() => Poll::Ready(None),
            next => next,
        }
    }
}

/// A request while it is served. When its caller hangs up, what was begun goes on if it is to.
pub struct Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    serving: Option<Pin<Box<F>>>,
    presence: Arc<Presence>,
}

impl<F> Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub fn new(serving: F, presence: Arc<Presence>) -> Self {
        Self { serving: Some(Box::pin(serving)), presence }
    }
}

impl<F> Future for Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // It is not asked again once it is served.
        let Some(serving) = &mut self.serving else { return Poll::Pending };
        let served = ready!(serving.as_mut().poll(cx));
        self.serving = None;
        Poll::Ready(served)
    }
}

impl<F> Drop for Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        let Some(mut serving) = self.serving.take() else { return };
        self.presence.leave();
        if let Ok(runtime) = Handle::try_current()
            && self.presence.is_outlived()
        {
            let presence = Arc::clone(&self.presence);
            runtime.spawn(poll_fn(move |cx| match serving.as_mut().poll(cx) {
                Poll::Pending => presence.poll_over(cx),
                Poll::Ready(_) => Poll::Ready(()),
            }));
        }
    }
}

const MOST: usize = 1_024;
/// For so long others may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);
