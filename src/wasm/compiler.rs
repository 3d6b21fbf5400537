//! Compiling, on a few threads of its own: a component of some megabytes takes seconds of every core it gets, and requests
//! are served meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};
use wasmtime::component::Component;

use super::limits::COMPILING;
use crate::base::duration;

pub struct Compiler(ThreadPool);

impl Compiler {
    /// # Errors
    /// When there are no threads to be had.
    pub fn new() -> Result<Self, String> {
        let cores = available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let pool = ThreadPoolBuilder::new()
            .num_threads((cores / 4).max(1))
            .thread_name(|number| format!("plugin-compiler-{number}"))
            .build();
        Ok(Self(pool.map_err(|error| format!("there are no threads to compile plugins on: {error}"))?))
    }

    /// Compiles, and waits for it on this thread.
    ///
    /// # Errors
    /// What is wrong with the component, or that it takes too long.
    pub fn compile(&self, engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Component, String> {
        let (done, result) = mpsc::sync_channel(1);
        let (engine, bytes) = (engine.clone(), bytes.to_vec());
        self.0.spawn(move || {
            // A compiler that comes upon what it has not reckoned with panics, which would end the process here.
            let compile = AssertUnwindSafe(|| Component::from_binary(&engine, &bytes));
            // Whoever waited too long does not listen any more.
            let _ = done.send(catch_unwind(compile));
        });
        match result.recv_timeout(COMPILING) {
            Ok(Ok(compiled)) => compiled.map_err(|error| format!("it cannot be compiled: {error:#}")),
            Ok(Err(_)) => Err("it cannot be compiled: the compiler broke off".into()),
            Err(_) => Err(format!("it takes longer than {} to compile", duration::show(COMPILING))),
        }
    }
}
