//! Answers under way that several callers wait for: who asks the same meanwhile hears the same answer.
//!
//! The first to ask goes on to the target; the others take a [`Seat`]. Once the answer begins, any of them draws the
//! next burst from its source when it wants one, and all hear it: nobody is held up by a slower one, nor does it matter
//! who leaves. When the last has left, the source is dropped. The first, whose request it is, hears what the others want
//! when its caller has left, but wants nothing more itself. If it comes to nothing before there is an answer, one of the
//! others is the first.
//!
//! Of an answer that grows beyond its room, only the latest part is held for those who are behind: nobody joins it
//! any more, who waits for it and has heard nothing goes on alone, and who is further behind than that is cut off.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use http::HeaderMap;

use crate::base::stop::{Refusal, Stop};
use crate::pipeline::retry::OnDisconnect;
use crate::pipeline::step::{Audience, Listeners};
use crate::pipeline::{Answer, Burst, Head};
use crate::state::answers::{Place, Question, Whose};
use crate::steps::cache::whence::Whence;
use crate::steps::cache::window::Window;

/// The answers that are under way. Clones are the same.
#[derive(Clone, Default)]
pub struct Flights(Arc<Mutex<HashMap<Key, Weak<Flight>>>>);

/// A question, and whether its answer is to come as a stream.
type Key = (Place, bool);

/// What became of joining.
pub enum Joined {
    /// Nobody else asks this.
    First(Lead),
    Later(Seat),
}

impl Flights {
    /// Joins those who ask for what lies in a place. Who goes first says in what words.
    pub fn join(&self, place: &Place, is_stream: bool, wording: Option<Question>) -> Joined {
        let key = (place.clone(), is_stream);
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&key).and_then(Weak::upgrade) {
            return Joined::Later(Seat(Present::at(flight)));
        }
        let flight = Arc::new(Flight {
            key: key.clone(),
            wording,
            flights: self.clone(),
            stage: Mutex::new(Stage::Awaited),
            bell: Arc::default(),
            present: AtomicUsize::new(0),
            heard: AtomicUsize::new(0),
            left: OnceLock::new(),
            is_hurried: AtomicBool::new(false),
        });
        flights.insert(key, Arc::downgrade(&flight));
        Joined::First(Lead { present: Some(Present::at(flight)) })
    }

    /// Nobody joins these callers' answers under way any more.
    pub fn forget(&self, whose: &Whose) {
        self.lock().retain(|(place, _), _| !place.is_of(whose));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever comes from now on is the first again.
    fn close(&self, flight: &Flight) {
        let mut flights = self.lock();
        if flights.get(&flight.key).is_some_and(|known| std::ptr::eq(known.as_ptr(), flight)) {
            flights.remove(&flight.key);
        }
    }
}

struct Flight {
    key: Key,
    wording: Option<Question>,
    flights: Flights,
    stage: Mutex<Stage>,
    bell: Arc<Bell>,
    /// How many wait for it or hear it.
    present: AtomicUsize,
    /// How many bursts who was first has heard.
    heard: AtomicUsize,
    /// What becomes of the request of who was first, once its caller has left.
    left: OnceLock<OnDisconnect>,
    /// The others have taken nothing for so long that they are not waited for.
    is_hurried: AtomicBool,
}

enum Stage {
    /// The target is being asked.
    Awaited,
    Begun(Box<Begun>),
    /// There will be no answer.
    Lost,
}

struct Begun {
    head: Head,
    whence: Whence,
    /// `None` once it is over.
    source: Option<BoxStream<'static, Result<Burst, Stop>>>,
    heard: Window,
    /// Why it broke off, if it did.
    broken: Option<Stop>,
}

impl Flight {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The burst of this number, or if that is gone and nobody waits for it, the first that is not.
    fn burst(&self, number: &mut usize, role: Role, cx: &Context<'_>) -> Poll<Option<Result<Burst, Stop>>> {
        let left = self.left.get().filter(|_| role == Role::First);
        if role == Role::Later {
            self.is_hurried.store(false, Ordering::Relaxed);
        }
        let mut stage = self.stage();
        let Stage::Begun(begun) = &mut *stage else { return Poll::Ready(None) };
        if left.is_some() && begun.heard.is_gone(*number) {
            // Nobody reads it, but what the answer takes is to be known.
            *number = begun.heard.first() - 1;
            return Poll::Ready(Some(Ok(begun.heard.taken_before())));
        }
        if let Some(burst) = begun.heard.get(*number) {
            return Poll::Ready(Some(Ok(burst.clone())));
        }
        if begun.heard.is_gone(*number) {
            return Poll::Ready(Some(Err(behind())));
        }
        let Some(source) = &mut begun.source else {
            // The end, and the reason for it before that.
            let is_next = *number == begun.heard.end();
            return Poll::Ready(begun.broken.clone().filter(|_| is_next).map(Err));
        };
        // Before the source is asked, which may call at any time from then on, and before looking who is there.
        self.bell.tell(cx.waker());
        if left.is_some_and(|rule| self.waits(*rule)) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        let drawn = match source.as_mut().poll_next(&mut Context::from_waker(&waker)) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(drawn) => drawn,
        };
        if let Some(Ok(burst)) = &drawn {
            begun.heard.push(burst.clone(), begun.head.dialect);
        } else {
            begun.broken = drawn.as_ref().and_then(|broken| broken.as_ref().err().cloned());
            begun.source = None;
        }
        // Whoever came now might not hear its beginning.
        let is_closed = begun.source.is_none() || begun.heard.has_overflowed();
        drop(stage);
        if is_closed {
            self.flights.close(self);
        }
        self.bell.ring();
        Poll::Ready(drawn)
    }

    /// Whether who was first, and has left, leaves it to others to want more.
    fn waits(&self, rule: OnDisconnect) -> bool {
        if self.others() > 0 { !self.is_hurried.load(Ordering::Relaxed) } else { rule == OnDisconnect::Cancel }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.close(self);
    }
}

impl Listeners for Flight {
    fn others(&self) -> usize {
        self.present.load(Ordering::Acquire).saturating_sub(1)
    }

    fn is_drawn(&self) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        matches!(&*self.stage(), Stage::Begun(begun) if begun.source.is_none() || begun.heard.end() > heard)
    }

    fn leave(&self, rule: OnDisconnect) {
        let _ = self.left.set(rule);
    }

    fn hurry(&self) {
        self.is_hurried.store(true, Ordering::Relaxed);
    }

    fn poll_left_by_all(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.bell.tell(cx.waker());
        if self.others() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Calls everybody who waits for the next burst, whoever has asked the source for it last.
#[derive(Default)]
struct Bell(Mutex<Vec<Waker>>);

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, waker: &Waker) {
        let mut waiting = self.lock();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    fn ring(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// Somebody who waits for an answer or hears it.
struct Present(Arc<Flight>);

impl Present {
    fn at(flight: Arc<Flight>) -> Self {
        flight.present.fetch_add(1, Ordering::AcqRel);
        Self(flight)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        // Whose caller has left may wait for the last of the others to leave.
        if self.0.present.fetch_sub(1, Ordering::AcqRel) == 2 {
            self.0.bell.ring();
        }
    }
}

/// The first to ask. Dropped before there is an answer, it has come to nothing.
pub struct Lead {
    present: Option<Present>,
}

impl Lead {
    /// Who waits for the answer beside whoever has asked for it.
    pub fn audience(&self) -> Weak<dyn Listeners> {
        self.present.as_ref().map_or_else(|| Weak::<Flight>::new() as _, |present| Arc::downgrade(&present.0) as _)
    }

    /// There is an answer, for all who wait. Of what has been heard, no more than `room` bytes are held.
    pub fn begin(mut self, answer: Answer, whence: Whence, room: u64) -> Answer {
        let Some(present) = self.present.take() else { return answer };
        let Answer { head, frames } = answer;
        let headers = match whence {
            // What a target says beside its answer is for who has asked it.
            Whence::Target(_) => HeaderMap::new(),
            Whence::Kept { .. } => head.headers.clone(),
        };
        let told = Head { target: None, headers, audience: None, ..head.clone() };
        let begun = Begun { head: told, whence, source: Some(frames), heard: Window::with_room(room), broken: None };
        *present.0.stage() = Stage::Begun(Box::new(begun));
        present.0.bell.ring();
        let audience = Some(Audience(Arc::clone(&present.0) as _));
        Answer { head: Head { audience, ..head }, frames: Hearing { present, role: Role::First, next: 0 }.boxed() }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let Some(Present(flight)) = self.present.as_ref() else { return };
        *flight.stage() = Stage::Lost;
        flight.flights.close(flight);
        flight.bell.ring();
    }
}

/// Somebody who asks the same as somebody else.
pub struct Seat(Present);

impl Seat {
    /// The words of who is first, where others are given the same answer.
    pub fn wording(&self) -> Option<Question> {
        self.0.0.wording
    }

    /// Waits for the answer to begin. `None` if there will be none.
    pub async fn hear(self) -> Option<(Answer, Whence)> {
        let flight = &self.0.0;
        let (head, whence) = poll_fn(|cx| {
            // Before looking, so that nothing is missed in between.
            flight.bell.tell(cx.waker());
            match &*flight.stage() {
                Stage::Awaited => Poll::Pending,
                Stage::Begun(begun) if begun.heard.is_gone(0) => Poll::Ready(None),
                Stage::Begun(begun) => Poll::Ready(Some((begun.head.clone(), begun.whence.clone()))),
                Stage::Lost => Poll::Ready(None),
            }
        })
        .await?;
        let frames = Hearing { present: self.0, role: Role::Later, next: 0 }.boxed();
        Some((Answer { head, frames }, whence))
    }
}

/// An answer as one of several hears it.
struct Hearing {
    present: Present,
    role: Role,
    next: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is its request that was put to the target.
    First,
    Later,
}

impl Stream for Hearing {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { present, role, next } = &mut *self;
        let burst = present.0.burst(next, *role, cx);
        if burst.is_ready() {
            *next += 1;
            if *role == Role::First {
                present.0.heard.store(*next, Ordering::Relaxed);
            }
        }
        burst
    }
}

/// Who listens more slowly than can be waited for.
fn behind() -> Stop {
    let message = "the answer went on faster than it was read; ask again";
    Refusal::new(503, "too_slow", message).into()
}
