//! Why a call of a plugin came to nothing.
//!
//! Whatever it is, the instance is thrown away, and what becomes of the request is for the policy to say, by the
//! [`Kind`] of the trouble. The words are the gateway's own: what a plugin itself says of its failure is kept apart, since it
//! may quote a request.

use std::time::Duration;

use wasmtime::Trap;

use super::bindings::tidegate::plugin::types::Failure;
use crate::base::duration;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The guest did what it cannot do, or what it may not.
    #[error("it trapped: {0}")]
    Trapped(&'static str),
    /// It went beyond one of its limits.
    #[error("it went beyond its limit of {0}")]
    Overran(&'static str),
    #[error("it computed for more than {}", duration::show(*.0))]
    OutOfCpu(Duration),
    #[error("it used more than {0} units of fuel")]
    OutOfFuel(u64),
    #[error("it took longer than {}", duration::show(*.0))]
    OutOfTime(Duration),
    /// It says itself that it failed; in its own words.
    #[error("it failed: {}", word(.0))]
    Failed(Failure),
    /// What it answered cannot be.
    #[error("it answered what cannot be: {0}")]
    Nonsense(String),
    /// It was not even called.
    #[error("it cannot be called: {0}")]
    Unavailable(&'static str),
}

/// What a policy tells troubles apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Trap,
    Timeout,
    Error,
    Unavailable,
}

impl Kind {
    /// A stable word for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Trouble {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Trapped(_) | Self::Overran(_) => Kind::Trap,
            Self::OutOfCpu(_) | Self::OutOfFuel(_) | Self::OutOfTime(_) => Kind::Timeout,
            Self::Failed(_) | Self::Nonsense(_) => Kind::Error,
            Self::Unavailable(_) => Kind::Unavailable,
        }
    }

    /// What the plugin itself says of it. It may quote a request, so it is not for the log.
    pub fn own_words(&self) -> Option<&str> {
        match self {
            Self::Failed(Failure::Config(said) | Failure::Transient(said) | Failure::Internal(said)) => Some(said),
            _ => None,
        }
    }

    pub(super) fn of(error: &wasmtime::Error, limits: &super::Limits) -> Self {
        if let Some(overrun) = error.downcast_ref::<Overrun>() {
            return match overrun {
                Overrun::Cpu => Self::OutOfCpu(limits.cpu),
                Overrun::HostCalls => Self::Overran("host calls"),
                Overrun::Random => Self::Overran("random bytes"),
                Overrun::NotGranted(what) => Self::Trapped(what),
                Overrun::Exited => Self::Trapped("it asked to exit"),
            };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::OutOfFuel(limits.fuel.unwrap_or_default()),
            Some(Trap::Interrupt) => Self::OutOfCpu(limits.cpu),
            Some(Trap::StackOverflow) => Self::Overran("stack"),
            Some(Trap::UnreachableCodeReached) => Self::Trapped("it panicked or aborted"),
            Some(Trap::MemoryOutOfBounds | Trap::HeapMisaligned) => Self::Trapped("it reached out of its memory"),
            Some(Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature) => {
                Self::Trapped("it called a function that is none")
            }
            Some(Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger) => {
                Self::Trapped("it divided by zero, or a number overflowed")
            }
            Some(Trap::AllocationTooLarge) => Self::Overran("memory"),
            Some(Trap::CannotEnterComponent) => Self::Trapped("it was called again after a trap"),
            Some(_) => Self::Trapped("an instruction failed"),
            // Handles and carried bytes have errors without a type of their own.
            None => Self::Trapped("a call between it and the gateway carried too much, or what it may not"),
        }
    }
}

fn word(failure: &Failure) -> &'static str {
    match failure {
        Failure::Config(_) => "its configuration is wrong",
        Failure::Transient(_) => "something it depends on does not work",
        Failure::Internal(_) => "a mistake of its own",
    }
}

/// Why the host ends a call in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Overrun {
    #[error("the time to compute is used up")]
    Cpu,
    #[error("too many calls to the host")]
    HostCalls,
    #[error("too many random bytes")]
    Random,
    /// A function was called that cannot say `denied`.
    #[error("{0}")]
    NotGranted(&'static str),
    #[error("the guest asked to exit")]
    Exited,
}
