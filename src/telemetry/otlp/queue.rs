//! A bounded queue that lets go of the oldest first.
//!
//! Whoever puts something in never waits, and wakes the one who takes only if that one sleeps: while things come, the
//! taker looks by itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Between those who put things in and the one task that takes them out.
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    most: usize,
    /// The taker need not wait any longer.
    due: Notify,
    /// Something that was taken is done with.
    over: Notify,
    /// Spans that were lost.
    dropped: Arc<AtomicU64>,
}

struct Inner<T> {
    /// Each with the spans it makes.
    items: VecDeque<(T, usize)>,
    /// Ever put in, and ever let go of or done with.
    put: u64,
    done: u64,
    is_idle: bool,
    is_urgent: bool,
    is_closed: bool,
}

/// How long things may gather before they are taken.
const GATHER: Duration = Duration::from_millis(200);

impl<T> Queue<T> {
    /// At most so many things wait. Spans that are lost are counted in `dropped`.
    pub fn of(most: usize, dropped: Arc<AtomicU64>) -> Self {
        let inner =
            Inner { items: VecDeque::new(), put: 0, done: 0, is_idle: false, is_urgent: false, is_closed: false };
        Self { inner: Mutex::new(inner), most, due: Notify::new(), over: Notify::new(), dropped }
    }

    /// Puts something in that makes so many spans.
    pub fn put(&self, item: T, spans: usize) {
        let mut inner = self.lock();
        inner.items.push_back((item, spans));
        inner.put += 1;
        let oldest = if inner.items.len() > self.most { inner.items.pop_front() } else { None };
        inner.done += u64::from(oldest.is_some());
        let is_due = std::mem::take(&mut inner.is_idle) || inner.items.len() == self.most / 2;
        drop(inner);
        if is_due {
            self.due.notify_one();
        }
        if let Some((_, spans)) = oldest {
            self.drop(spans);
            self.over.notify_waiters();
        }
    }

    /// Waits for things, lets them gather a little, and takes the oldest. `None` once it is closed and empty.
    /// [`are_done`](Self::are_done) must follow.
    pub async fn take(&self, most: usize) -> Option<Vec<T>> {
        while !self.is_due()? {
            self.due.notified().await;
        }
        if self.may_gather() {
            // Whoever is in a hurry says so, and so does a queue that is half full.
            let _ = timeout(GATHER, self.due.notified()).await;
        }
        let mut inner = self.lock();
        let count = inner.items.len().min(most);
        Some(inner.items.drain(..count).map(|(item, _)| item).collect())
    }

    /// So many of those that were taken are done with, well or not.
    pub fn are_done(&self, count: usize) {
        self.lock().done += count as u64;
        self.over.notify_waiters();
    }

    /// Resolves when everything that was put in so far is done with.
    pub async fn flushed(&self) {
        let last = {
            let mut inner = self.lock();
            inner.is_urgent = true;
            inner.put
        };
        self.due.notify_one();
        loop {
            let over = self.over.notified();
            if self.lock().done >= last {
                break;
            }
            over.await;
        }
        self.lock().is_urgent = false;
    }

    /// Nothing more is put in. What is there is still taken.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.due.notify_one();
    }

    /// Counts spans as lost.
    pub fn drop(&self, spans: usize) {
        self.dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// Whether there is something to take; `None` if there never will be.
    fn is_due(&self) -> Option<bool> {
        let mut inner = self.lock();
        if !inner.items.is_empty() {
            return Some(true);
        }
        inner.is_idle = true;
        (!inner.is_closed).then_some(false)
    }

    fn may_gather(&self) -> bool {
        let inner = self.lock();
        !inner.is_urgent && !inner.is_closed && inner.items.len() < self.most / 2
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(most: usize) -> Queue<u32> {
        Queue::of(most, Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_is_let_go_of_oldest_first_and_counted_in_spans() {
        let queue = queue(2);
        for (item, spans) in [(1, 3), (2, 1), (3, 1), (4, 1)] {
            queue.put(item, spans);
        }
        assert_eq!(queue.take(9).await, Some(vec![3, 4]));
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_put_in_before_the_end_is_still_taken() {
        let queue = queue(9);
        queue.put(1, 1);
        queue.close();
        assert_eq!((queue.take(9).await, queue.take(9).await), (Some(vec![1]), None));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_flush_waits_until_all_is_done_and_no_longer() {
        let queue = Arc::new(queue(9));
        queue.flushed().await;
        (0..5).for_each(|item| queue.put(item, 1));
        let taker = Arc::clone(&queue);
        let taking = tokio::spawn(async move {
            let mut taken = 0;
            while let Some(items) = taker.take(2).await {
                tokio::time::sleep(Duration::from_secs(1)).await;
                taken += items.len();
                taker.are_done(items.len());
            }
            taken
        });
        queue.flushed().await;
        queue.close();
        assert_eq!(taking.await.unwrap(), 5);
    }
}
