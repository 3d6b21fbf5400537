//! A model at work, on threads of its own.
//!
//! A thread takes one text that waits and whatever else waits then, so that batches grow with the load and nobody waits for
//! one to fill. Texts whose asker has given up are not looked at. A queue that is full is said to be so at once.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use tokio::sync::oneshot;

use super::{Model, Pin};

/// The threads end when it is dropped.
pub struct Local {
    pin: Pin,
    model: Arc<Model>,
    queue: SyncSender<Wanted>,
}

/// No more texts may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

struct Wanted {
    text: String,
    reply: oneshot::Sender<Vec<f32>>,
}

impl Local {
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(model: Arc<Model>, pin: Pin, threads: NonZeroUsize) -> io::Result<Self> {
        let (queue, wanted) = sync_channel(QUEUE);
        let wanted = Arc::new(Mutex::new(wanted));
        for _ in 0..threads.get() {
            let (model, wanted) = (Arc::clone(&model), Arc::clone(&wanted));
            thread::Builder::new().name("embedder".to_owned()).spawn(move || work(&model, &wanted))?;
        }
        Ok(Self { pin, model, queue })
    }

    /// What is at work, to be put to work on other threads as well.
    pub fn model(&self) -> Arc<Model> {
        Arc::clone(&self.model)
    }

    /// The hash of the model's files.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Puts a text in the queue; where it lies, a direction of length 1, is heard later.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn embed(&self, text: &str) -> Result<oneshot::Receiver<Vec<f32>>, Full> {
        let (reply, heard) = oneshot::channel();
        self.queue.try_send(Wanted { text: text.to_owned(), reply }).map_err(|_| Full)?;
        Ok(heard)
    }
}

fn work(model: &Model, wanted: &Mutex<Receiver<Wanted>>) {
    while let Some(batch) = next(wanted) {
        let texts: Vec<_> = batch.iter().map(|wanted| wanted.text.as_str()).collect();
        let directions = model.embed(&texts);
        for (wanted, direction) in batch.into_iter().zip(directions) {
            let _ = wanted.reply.send(direction);
        }
    }
}

/// `None` when nobody can ask any more.
fn next(wanted: &Mutex<Receiver<Wanted>>) -> Option<Vec<Wanted>> {
    let wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
    let mut batch = vec![wanted.recv().ok()?];
    batch.extend(wanted.try_iter().take(BATCH - 1));
    batch.retain(|wanted| !wanted.reply.is_closed());
    Some(batch)
}

/// Texts that may wait.
const QUEUE: usize = 256;
/// The most at once.
const BATCH: usize = 32;
