//! A model at work, on threads of its own.
//!
//! A thread takes one text that waits and whatever else waits then, so that batches grow with the load and nobody waits for
//! one to fill. Texts whose asker has given up are not looked at. A queue that is full is said to be so at once.
//!
//! Where a day is rehearsed on a clock that jumps whenever nobody has anything to do, threads would be forgotten over that:
//! there the runtime's own are taken, for which the clock waits. And where policies are tried that name a model, there may be
//! none: it is played, by one that finds all texts alike.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{Model, Pin};

/// The threads end when it is dropped.
pub struct Local {
    pin: Pin,
    way: Way,
    /// Texts that were asked about.
    asked: AtomicU64,
}

/// How it is told where texts lie.
enum Way {
    Queue(SyncSender<Wanted>, Arc<Model>),
    /// Each by itself, on a thread of the runtime.
    Aside(Arc<Model>),
    /// At once, and all in one place.
    Played,
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
        Ok(Self::on(Way::Queue(queue, model), pin))
    }

    /// For a clock that jumps.
    pub fn rehearsing(model: Arc<Model>, pin: Pin) -> Self {
        Self::on(Way::Aside(model), pin)
    }

    /// One that finds all texts alike, in the place of that model.
    pub fn played(pin: Pin) -> Self {
        Self::on(Way::Played, pin)
    }

    fn on(way: Way, pin: Pin) -> Self {
        Self { pin, way, asked: AtomicU64::new(0) }
    }

    /// What is at work, to be put to work on other threads as well.
    pub fn model(&self) -> Option<Arc<Model>> {
        match &self.way {
            Way::Queue(_, model) | Way::Aside(model) => Some(Arc::clone(model)),
            Way::Played => None,
        }
    }

    /// How many texts it was asked about.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The hash of the model's files.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Puts a text in the queue; where it lies, a direction of length 1, is heard later.
    ///
    /// # Errors
    /// When the queue is full, or there is no runtime where one is wanted.
    pub fn embed(&self, text: &str) -> Result<oneshot::Receiver<Vec<f32>>, Full> {
        let (reply, heard) = oneshot::channel();
        let wanted = Wanted { text: text.to_owned(), reply };
        match &self.way {
            Way::Queue(queue, _) => queue.try_send(wanted).map_err(|_| Full)?,
            Way::Played => drop(wanted.reply.send(vec![0.6, 0.8])),
            Way::Aside(model) => {
                let model = Arc::clone(model);
                let runtime = Handle::try_current().map_err(|_| Full)?;
                runtime.spawn_blocking(move || tell(&model, vec![wanted]));
            }
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(heard)
    }
}

fn work(model: &Model, wanted: &Mutex<Receiver<Wanted>>) {
    while let Some(batch) = next(wanted) {
        tell(model, batch);
    }
}

fn tell(model: &Model, batch: Vec<Wanted>) {
    let texts: Vec<_> = batch.iter().map(|wanted| wanted.text.as_str()).collect();
    let directions = model.embed(&texts);
    for (wanted, direction) in batch.into_iter().zip(directions) {
        let _ = wanted.reply.send(direction);
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
