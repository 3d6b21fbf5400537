//! What lasts as long as the process.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::pipeline::health::HealthBook;
use crate::pipeline::route::CanaryBook;
use crate::pipeline::shadow::Shadows;
use crate::provider::Pools;
use crate::telemetry::{AccessLog, Metrics};

/// Everything a reload must not reset: connections, breakers, counts.
pub struct World {
    pub clock: Clock,
    pub health: HealthBook,
    pub canaries: CanaryBook,
    pub pools: Arc<Pools>,
    pub shadows: Shadows,
    pub metrics: Metrics,
    pub access: AccessLog,
}

impl World {
    pub fn new(clock: Clock, pools: Arc<Pools>, access: AccessLog) -> Self {
        Self {
            clock,
            health: HealthBook::default(),
            canaries: CanaryBook::default(),
            pools,
            shadows: Shadows::new(clock),
            metrics: Metrics::default(),
            access,
        }
    }
}
