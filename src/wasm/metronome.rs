//! The clock by which guests are interrupted: a thread of the operating system that moves the engine's epoch on each
//! millisecond while a guest runs, and sleeps when none has for a while. Most guests are done within microseconds, and to
//! wake a thread for each would cost more than they do.
//!
//! It is no task: a guest that computes may hold up every task there is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// One tick.
pub const TICK: Duration = Duration::from_millis(1);

pub struct Metronome(Arc<Shared>);

struct Shared {
    running: AtomicUsize,
    /// How many have run, or do.
    begun: AtomicUsize,
    /// False while the clock must be woken to tick.
    is_awake: AtomicBool,
    is_wanted: Mutex<bool>,
    wake: Condvar,
}

/// A guest that runs. Dropped when it does no longer.
pub struct Run<'a>(&'a Shared);

impl Metronome {
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(engine: &wasmtime::Engine) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            is_awake: AtomicBool::new(true),
            is_wanted: Mutex::new(false),
            wake: Condvar::new(),
        });
        let (engine, theirs) = (engine.weak(), Arc::downgrade(&shared));
        let beat = move || {
            let (mut begun, mut quiet) = (0, 0);
            while let (Some(engine), Some(shared)) = (engine.upgrade(), theirs.upgrade()) {
                let before = std::mem::replace(&mut begun, shared.begun.load(Ordering::Acquire));
                if shared.running.load(Ordering::Acquire) > 0 {
                    engine.increment_epoch();
                    quiet = 0;
                } else if begun != before {
                    quiet = 0;
                } else if quiet < LINGER {
                    quiet += 1;
                } else {
                    drop(engine);
                    shared.rest();
                    continue;
                }
                drop((engine, shared));
                thread::sleep(TICK);
            }
        };
        let thread = thread::Builder::new().name("plugin-clock".into()).spawn(beat);
        thread.map_err(|error| format!("there is no thread for the clock of plugins: {error}"))?;
        Ok(Self(shared))
    }

    pub fn run(&self) -> Run<'_> {
        self.0.begun.fetch_add(1, Ordering::AcqRel);
        // Before the clock sleeps it says so, and then looks whether anybody runs: one of the two sees the other.
        self.0.running.fetch_add(1, Ordering::SeqCst);
        if !self.0.is_awake.load(Ordering::SeqCst) {
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
        self.is_awake.store(false, Ordering::SeqCst);
        if self.running.load(Ordering::SeqCst) == 0 {
            let wanted = self.is_wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.wake.wait_timeout_while(wanted, LOOK_AGAIN, |wanted| !*wanted);
            let (mut wanted, _) = waited.unwrap_or_else(PoisonError::into_inner);
            *wanted = false;
        }
        self.is_awake.store(true, Ordering::SeqCst);
    }
}

/// In tests it is as good as never, so that who should have been woken is seen to sleep on.
const LOOK_AGAIN: Duration = Duration::from_secs(if cfg!(test) { 3600 } else { 1 });
/// For so many ticks without any guest the clock stays awake.
const LINGER: u32 = 20;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn comes_true(is: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        while !is() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(TICK);
        }
        is()
    }

    #[test]
    fn the_clock_sleeps_when_nobody_runs_and_is_woken_by_who_does() {
        let engine = wasmtime::Engine::default();
        let metronome = Metronome::start(&engine).unwrap();
        for _ in 0..3 {
            assert!(comes_true(|| !metronome.0.is_awake.load(Ordering::SeqCst)), "it never sleeps");
            let run = metronome.run();
            assert!(comes_true(|| metronome.0.is_awake.load(Ordering::SeqCst)), "it sleeps on");
            drop(run);
        }
    }

    #[test]
    fn many_who_run_for_a_moment_find_it_awake_or_wake_it() {
        let engine = wasmtime::Engine::default();
        let metronome = Metronome::start(&engine).unwrap();
        for pause in 0..60 {
            drop(metronome.run());
            // About as long as the clock waits before it sleeps, so that the two meet.
            thread::sleep(Duration::from_micros(19_000 + pause * 100));
            let run = metronome.run();
            assert!(comes_true(|| metronome.0.is_awake.load(Ordering::SeqCst)), "it sleeps while somebody runs");
            drop(run);
        }
    }
}
