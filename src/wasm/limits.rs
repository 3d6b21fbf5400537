//! What one plugin may use.
//!
//! Every number has a default that ordinary plugins never come near, and a cap that no policy can lift.

use std::time::Duration;

/// The limits of a plugin. Those of time and of what a call may do begin anew with each call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, in bytes.
    pub memory: usize,
    /// Time that the guest itself may compute, counted in ticks of a millisecond. Waiting in the host does not count.
    pub cpu: Duration,
    /// Time in all, waiting for an instance and calls to the host included.
    pub wall: Duration,
    /// Instructions, instead of `cpu`: the same call then always goes equally far. The clock of `wall` runs all the same.
    pub fuel: Option<u64>,
    /// Bytes that one call between guest and host may carry outward.
    pub carried: usize,
    /// Calls to the host.
    pub host_calls: u32,
    /// Bytes of log lines.
    pub log: usize,
    /// Random bytes.
    pub random: usize,
    /// Instances at a time.
    pub instances: u32,
    /// Bytes of the component.
    pub file: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            cpu: Duration::from_millis(50),
            wall: Duration::from_secs(2),
            fuel: None,
            carried: 1 << 20,
            host_calls: 256,
            log: 8 << 10,
            random: 64 << 10,
            instances: 256,
            file: 32 << 20,
        }
    }
}

impl Limits {
    /// The most that a policy can allow.
    pub const MOST: Self = Self {
        memory: 256 << 20,
        cpu: Duration::from_secs(5),
        wall: Duration::from_secs(120),
        fuel: Some(100_000_000_000),
        carried: 64 << 20,
        host_calls: 10_000,
        log: 1 << 20,
        random: 1 << 20,
        instances: Self::MOST_INSTANCES,
        file: 128 << 20,
    };

    /// Instances of all plugins together.
    pub const MOST_INSTANCES: u32 = 1_000;

    /// For describing and configuring a plugin, which compute more than a call and have nobody waiting.
    pub(super) fn at_load(&self) -> Self {
        Self {
            cpu: self.cpu.max(AT_LOAD),
            wall: self.wall.max(2 * AT_LOAD),
            fuel: self.fuel.map(|fuel| fuel.max(1_000_000_000)),
            ..self.clone()
        }
    }
}

const AT_LOAD: Duration = Duration::from_secs(2);

/// The stack of the guest, in bytes.
pub(super) const STACK: usize = 512 << 10;
/// Elements of each of an instance's tables.
pub(super) const TABLE: usize = 100_000;
/// Handles of resources that an instance may hold.
pub(super) const HANDLES: usize = 1_000;
/// The longest that a component may take to compile.
pub(super) const COMPILING: Duration = Duration::from_secs(180);
/// After so many calls an instance is replaced by a fresh one.
pub(super) const RECYCLE_AFTER: u32 = 10_000;
/// Instances without work that are kept for the next call.
pub(super) const IDLE: usize = 8;
