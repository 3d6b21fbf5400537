//! The threads that connections are served on.
//!
//! Each has a runtime of its own and keeps a connection for life, so a request, its upstream connection and
//! its answer stay on one thread. A new connection goes to the thread that has the fewest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::base::worker;

/// Where connections are served.
pub struct Workers(Vec<Worker>);

pub(super) struct Worker {
    pub(super) runtime: Handle,
    connections: Arc<AtomicUsize>,
    /// The thread ends when this is dropped.
    _end: Option<oneshot::Sender<()>>,
}

/// A connection's place with its worker, free again when dropped.
pub(super) struct Assigned(Arc<AtomicUsize>);

impl Workers {
    /// The runtime this is called in, and no thread of its own.
    pub fn here() -> Self {
        Self(vec![Worker { runtime: Handle::current(), connections: Arc::default(), _end: None }])
    }

    /// A thread for each processor.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be had.
    pub fn start() -> io::Result<Self> {
        (1..=worker::count()).map(start_one).collect::<io::Result<_>>().map(Self)
    }

    pub(super) fn least_busy(&self) -> Option<(&Worker, Assigned)> {
        let worker = self.0.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed))?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Some((worker, Assigned(Arc::clone(&worker.connections))))
    }
}

impl Drop for Assigned {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn start_one(number: usize) -> io::Result<Worker> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (end, ended) = oneshot::channel();
    thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        worker::enter(number);
        // An error means that the other end was dropped, which is what is waited for.
        let _ = runtime.block_on(ended);
    })?;
    Ok(Worker { runtime: handle, connections: Arc::default(), _end: Some(end) })
}
