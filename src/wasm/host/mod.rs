//! The host's side of one instance: what it may still do in the call under way, and what it asks of the gateway.
//!
//! Every interface is linked, granted or not, since some toolchains import them all; what is not granted says so when it is
//! called.

mod ambient;
mod memory;
mod outside;
mod quiet;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::abilities::{Abilities, Blobs, Model};
use super::limits::Limits;
use super::trouble::Overrun;

pub use memory::Memory;
pub use quiet::link as link_quiet;

/// What an instance's store holds.
pub struct Host {
    pub abilities: Arc<Abilities>,
    pub limits: Arc<Limits>,
    pub memory: Memory,
    pub spent: Spent,
    call: Call,
    /// Not while the plugin describes or configures itself.
    is_granted: bool,
    /// Of what stands in for random numbers where none are granted.
    seed: u64,
}

/// The circumstances of one call of a hook.
#[derive(Clone)]
pub struct Call {
    pub began: Instant,
    /// When it must be over.
    pub until: Instant,
    /// The bytes that came with what the hook is shown.
    pub blobs: Option<Arc<dyn Blobs>>,
    /// The models that may be asked meanwhile.
    pub model: Option<Arc<dyn Model>>,
}

impl Call {
    /// A call that begins now.
    pub fn within(limit: Duration) -> Self {
        let began = Instant::now();
        Self { began, until: began + limit, blobs: None, model: None }
    }

    #[must_use]
    pub fn with(mut self, blobs: Arc<dyn Blobs>) -> Self {
        self.blobs = Some(blobs);
        self
    }

    #[must_use]
    pub fn asking(mut self, model: Arc<dyn Model>) -> Self {
        self.model = Some(model);
        self
    }

    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// What a call has used up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    pub ticks: u32,
    pub host_calls: u32,
    pub log: usize,
    /// Bytes of log lines that were dropped.
    pub log_dropped: usize,
    pub random: usize,
}

impl Host {
    pub fn new(abilities: Arc<Abilities>, limits: Arc<Limits>) -> Self {
        let memory = Memory::new(limits.memory);
        let call = Call::within(limits.wall);
        Self { abilities, limits, memory, spent: Spent::default(), call, is_granted: false, seed: SEED }
    }

    /// A call begins.
    pub fn begin(&mut self, call: Call) {
        (self.call, self.spent) = (call, Spent::default());
    }

    /// From here on what the policy grants is granted.
    pub fn grant(&mut self) {
        self.is_granted = true;
    }

    /// A millisecond of computing has passed. True if there may be another.
    pub fn tick(&mut self) -> bool {
        self.spent.ticks = self.spent.ticks.saturating_add(1);
        Duration::from_millis(u64::from(self.spent.ticks)) <= self.limits.cpu
    }

    /// The guest calls.
    fn enter(&mut self) -> Result<(), Overrun> {
        self.spent.host_calls = self.spent.host_calls.saturating_add(1);
        if self.spent.host_calls > self.limits.host_calls { Err(Overrun::HostCalls) } else { Ok(()) }
    }

    /// An ability, if it is granted.
    fn granted<T: ?Sized>(&self, of: impl FnOnce(&Abilities) -> Option<&Arc<T>>) -> Option<Arc<T>> {
        if self.is_granted { of(&self.abilities).cloned() } else { None }
    }

    /// How long something may take that the guest wants to wait for.
    fn patience(&self, asked_ms: u32) -> Duration {
        Duration::from_millis(u64::from(asked_ms)).min(self.call.left())
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
