//! The clock by which guests are interrupted: a thread of the operating system that moves the engine's epoch on each
//! millisecond while a guest runs, and sleeps while none does.
//!
//! It is no task: a guest that computes may hold up every task there is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// One tick.
pub const TICK: Duration = Duration::from_millis(1);

pub struct Metronome(Arc<Shared>);

struct Shared {
    running: AtomicUsize,
    is_wanted: Mutex<bool>,
    wake: Condvar,
}

/// A guest that runs. Dropped when it does no longer.
pub struct Run<'a>(&'a Shared);

impl Metronome {
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(engine: &wasmtime::Engine) -> Result<Self, String> {
        let shared =
            Arc::new(Shared { running: AtomicUsize::new(0), is_wanted: Mutex::new(false), wake: Condvar::new() });
        let (engine, theirs) = (engine.weak(), Arc::downgrade(&shared));
        let beat = move || {
            while let (Some(engine), Some(shared)) = (engine.upgrade(), theirs.upgrade()) {
                if shared.running.load(Ordering::Acquire) == 0 {
                    drop(engine);
                    shared.rest();
                    continue;
                }
                engine.increment_epoch();
                drop((engine, shared));
                thread::sleep(TICK);
            }
        };
        let thread = thread::Builder::new().name("plugin-clock".into()).spawn(beat);
        thread.map_err(|error| format!("there is no thread for the clock of plugins: {error}"))?;
        Ok(Self(shared))
    }

    pub fn run(&self) -> Run<'_> {
        if self.0.running.fetch_add(1, Ordering::AcqRel) == 0 {
            *self.0.is_wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.0.wake.notify_one();
        }
        Run(&self.0)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    /// Sleeps until a guest runs, or long enough to see whether the engine is still there.
    fn rest(&self) {
        let wanted = self.is_wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(wanted, LOOK_AGAIN, |wanted| !*wanted);
        let (mut wanted, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *wanted = false;
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);
