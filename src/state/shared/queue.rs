//! What is to be told to the store and nobody waits for, in order.
//!
//! It is bounded: while the store is away for long, what finds no room is lost, loudly. The hold of a settlement that
//! is lost lapses in full.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::script::Call;

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    bell: Notify,
    /// So many have been told, or given up.
    done: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    pushed: u64,
    is_closed: bool,
}

#[derive(Debug)]
pub(super) struct Job {
    pub call: Call,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Money. May be told twice.
    Money,
    /// May be told twice, and is made up for if it is lost.
    Chore,
    /// Told at most once, since twice would be wrong.
    Once,
}

impl Queue {
    /// Whether there was room.
    pub fn push(&self, call: Call, kind: Kind) -> bool {
        let mut inner = self.lock();
        let room = if kind == Kind::Money { ROOM } else { ROOM / 2 };
        if inner.is_closed || inner.jobs.len() >= room {
            return false;
        }
        inner.jobs.push_back(Job { call, kind });
        inner.pushed += 1;
        drop(inner);
        self.bell.notify_one();
        true
    }

    /// Whether a promise can be made that will need room here.
    pub fn has_room(&self) -> bool {
        self.lock().jobs.len() < ROOM / 2
    }

    /// What comes next; it is to be [`finished`](Self::finish) or [put back](Self::put_back).
    pub fn take(&self) -> Vec<Job> {
        let mut inner = self.lock();
        let most = inner.jobs.len().min(BATCH);
        inner.jobs.drain(..most).collect()
    }

    pub fn finish(&self, jobs: usize) {
        self.done.send_modify(|done| *done += jobs as u64);
    }

    /// For another try, but for what must not be told twice.
    pub fn put_back(&self, jobs: Vec<Job>) {
        let mut inner = self.lock();
        let before = jobs.len();
        let kept: Vec<Job> = jobs.into_iter().filter(|job| job.kind != Kind::Once).collect();
        let given_up = before - kept.len();
        kept.into_iter().rev().for_each(|job| inner.jobs.push_front(job));
        drop(inner);
        self.finish(given_up);
    }

    /// How many were pushed so far.
    pub fn mark(&self) -> u64 {
        self.lock().pushed
    }

    /// Waits until all up to a mark are told.
    pub async fn told(&self, mark: u64) {
        if *self.done.borrow() < mark {
            // The sender is ours.
            let _ = self.done.subscribe().wait_for(|done| *done >= mark).await;
        }
    }

    /// Waits until there may be something to tell.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    pub fn close(&self) {
        self.lock().is_closed = true;
        self.bell.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some tens of megabytes.
const ROOM: usize = 1 << 16;
/// So many are told at a time.
const BATCH: usize = 128;
