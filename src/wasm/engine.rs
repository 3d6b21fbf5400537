//! The engine: one for the process, and what all plugins share of it.
//!
//! Instances come from a pool whose slots are set up beforehand and whose memory is copied on write, so a fresh one costs
//! microseconds. Guests are interrupted by epochs or by fuel; the code for the two differs, so there are two engines inside,
//! the second made when a plugin first wants it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;
use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::code_cache::CodeCache;
use super::compiler::Compiler;
use super::limits::{Limits, STACK, TABLE};
use super::metronome::Metronome;
use super::shelf::Shelf;

/// Runs plugins.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    ticking: wasmtime::Engine,
    fuelled: OnceLock<wasmtime::Engine>,
    metronome: Metronome,
    compiler: Compiler,
    cache: Option<CodeCache>,
    /// Instances that there may still be.
    places: Arc<Semaphore>,
    shelf: Shelf,
}

static CACHE: OnceLock<PathBuf> = OnceLock::new();

/// Where programs of this user keep what can be made again.
fn usual_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(folder.join("tidegate").join("plugins"))
}

/// What interrupts a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Metering {
    /// Time, checked each millisecond.
    Ticks,
    /// Instructions.
    Fuel,
}

impl Engine {
    /// The engine of this process, made when it is first asked for.
    ///
    /// # Errors
    /// When this machine cannot run plugins at all.
    pub fn of_process() -> Result<&'static Self, String> {
        static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
        let engine = ENGINE.get_or_init(|| Self::new(CACHE.get().cloned().or_else(usual_cache)));
        engine.as_ref().map_err(Clone::clone)
    }

    /// Has the process keep what it compiles in this folder. To be said before the engine is first asked for.
    pub fn keep_compiled_in(folder: PathBuf) {
        // Said once, by whoever starts the process.
        let _ = CACHE.set(folder);
    }

    /// Compiled code is kept in `cache`, if it is given and can be trusted.
    ///
    /// # Errors
    /// When this machine cannot run plugins at all.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, String> {
        let ticking = make(Metering::Ticks)?;
        let metronome = Metronome::start(&ticking)?;
        Ok(Self(Arc::new(Inner {
            ticking,
            fuelled: OnceLock::new(),
            metronome,
            compiler: Compiler::new()?,
            cache: cache.map(CodeCache::new),
            places: Arc::new(Semaphore::new(Limits::MOST_INSTANCES as usize)),
            shelf: Shelf::default(),
        })))
    }

    pub(super) fn metered(&self, metering: Metering) -> Result<&wasmtime::Engine, String> {
        match metering {
            Metering::Ticks => Ok(&self.0.ticking),
            Metering::Fuel => {
                if self.0.fuelled.get().is_none() {
                    // Another thread may have been faster; then its engine stays.
                    let _ = self.0.fuelled.set(make(Metering::Fuel)?);
                }
                self.0.fuelled.get().ok_or_else(|| "the engine could not be made".to_owned())
            }
        }
    }

    pub(super) fn metronome(&self) -> &Metronome {
        &self.0.metronome
    }

    pub(super) fn compiler(&self) -> &Compiler {
        &self.0.compiler
    }

    pub(super) fn cache(&self) -> Option<&CodeCache> {
        self.0.cache.as_ref()
    }

    /// Components that were compiled lately.
    pub(super) fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    pub(super) fn places(&self) -> &Arc<Semaphore> {
        &self.0.places
    }
}

fn make(metering: Metering) -> Result<wasmtime::Engine, String> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Calls between the parts of one component are adapted by code that sees the memories of both.
        .wasm_multi_memory(true)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .concurrency_support(false)
        // The same everywhere, whatever machine.
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .max_wasm_stack(STACK)
        .async_stack_size(2 * STACK)
        .wasm_backtrace_max_frames(None);
    match metering {
        Metering::Ticks => config.epoch_interruption(true),
        Metering::Fuel => config.consume_fuel(true),
    };
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(slots()));
    let pooled = wasmtime::Engine::new(&config);
    // Where so much address space is not to be had, instances are made one by one, more slowly.
    pooled
        .or_else(|_| {
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            wasmtime::Engine::new(&config)
        })
        .map_err(|error| format!("the engine for plugins cannot be made: {error}"))
}

fn slots() -> PoolingAllocationConfig {
    let instances = Limits::MOST_INSTANCES;
    let mut slots = PoolingAllocationConfig::default();
    slots
        .total_component_instances(instances)
        .total_core_instances(8 * instances)
        .total_memories(instances + instances / 4)
        .total_tables(4 * instances)
        .total_stacks(instances)
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_tables_per_component(16)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_memory_size(Limits::MOST.memory)
        .table_elements(TABLE)
        // A slot that is used again soon keeps its first pages.
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(16 << 10)
        .max_unused_warm_slots(64);
    slots
}
