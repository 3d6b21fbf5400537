//! What a tap would have made of an answer that leaves as it came.
//!
//! Where a policy only observes, a tap that has something to [learn](Tap::learns) is shown a copy of each burst. What it
//! makes of it goes nowhere; what it counts is counted, and that it would have refused is noted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use crate::base::stop::Stop;
use crate::pipeline::hold::{Late, Ruling};
use crate::pipeline::step::{Answer, Burst, Head, Tap};

type Item = Result<Burst, Stop>;

/// A tap before a mirror.
pub struct Mirror {
    shown: Shown,
    /// `None` once the tap has had enough.
    seen: Option<BoxStream<'static, Item>>,
    late: Late,
}

impl Mirror {
    pub fn new(head: Head, tap: Box<dyn Tap>, late: Late) -> Self {
        let shown = Shown::default();
        let answer = tap.wrap(Answer { head, frames: shown.clone().boxed() });
        Self { shown, seen: Some(answer.frames), late }
    }

    /// Shows the next burst, or the end.
    pub fn show(&mut self, item: Option<Item>, cx: &mut Context<'_>) {
        self.shown.lock().push_back(item);
        while let Some(seen) = &mut self.seen {
            match seen.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(stop @ Stop::Refused(_)))) => {
                    self.seen = None;
                    let ruling = Ruling { verdict: "refuse", stop: Some(stop), is_observed: true, ..Ruling::default() };
                    self.late.add(ruling);
                }
                Poll::Ready(Some(Err(Stop::Failed(_))) | None) => self.seen = None,
                Poll::Pending => return,
            }
        }
    }
}

/// What a mirror shows: bursts, and then the end.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<VecDeque<Option<Item>>>>);

impl Shown {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Option<Item>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Shown {
    type Item = Item;

    /// Whoever shows more looks again by itself.
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Item>> {
        self.lock().pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
