//! Which of the data port's threads this is.
//!
//! Each of them has a runtime of its own, and what a request needs on the way (its upstream connection above
//! all) is best kept on the thread it came in on: waking another one costs more than the work it would do.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Says that this thread is the `number`-th of the data port's, counted from 1.
pub fn enter(number: usize) {
    CURRENT.set(number);
}

/// The number of this thread; 0 for all that serve no data port.
pub fn current() -> usize {
    CURRENT.get()
}

/// How many threads the data port has.
pub fn count() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}
