//! Playing many tests, on several threads and in any order.
//!
//! No test sees another: each has a gateway, a clock and chances of its own, so neither the order nor the number of
//! threads may change how one comes out.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::suite::{Outcome, Suite};

/// Which tests are played, and how.
#[derive(Debug, Clone)]
pub struct Run {
    /// Only tests whose name holds this.
    pub filter: String,
    pub order: Order,
    pub threads: NonZeroUsize,
}

/// The order in which tests are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Written,
    /// At random, the same for the same number.
    Shuffled(u64),
}

impl Run {
    /// Plays the tests of each suite. The outcomes come as the tests are written.
    pub fn play(&self, suites: &[Suite]) -> Vec<Vec<Outcome>> {
        let play = |job: &Job| Some((*job, suites.get(job.suite)?.play(job.test)?));
        let mut done: Vec<_> = in_parallel(self.threads, &self.jobs(suites), play).into_iter().flatten().collect();
        done.sort_by_key(|(job, _)| *job);
        let mut outcomes: Vec<Vec<Outcome>> = suites.iter().map(|_| Vec::new()).collect();
        for (job, outcome) in done {
            if let Some(of_suite) = outcomes.get_mut(job.suite) {
                of_suite.push(outcome);
            }
        }
        outcomes
    }

    fn jobs(&self, suites: &[Suite]) -> Vec<Job> {
        let of_suite = |(suite, tests): (usize, &Suite)| {
            let fitting = tests.names().enumerate().filter(|(_, name)| name.contains(&self.filter));
            fitting.map(|(test, _)| Job { suite, test }).collect::<Vec<_>>()
        };
        let mut jobs: Vec<Job> = suites.iter().enumerate().flat_map(of_suite).collect();
        if let Order::Shuffled(seed) = self.order {
            fastrand::Rng::with_seed(seed).shuffle(&mut jobs);
        }
        jobs
    }
}

/// Does each job on one of the threads. The results come in the order of the jobs.
pub fn in_parallel<J: Sync, R: Send>(threads: NonZeroUsize, jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let labour = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { return };
            let result = work(job);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    std::thread::scope(|scope| {
        (0..threads.get().min(jobs.len())).for_each(|_| {
            scope.spawn(labour);
        });
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// One test of one suite, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    suite: usize,
    test: usize,
}
