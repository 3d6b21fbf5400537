//! The promises of the shared store, held against a real server.

mod losses;
mod model;
#[path = "../../../../tests/support/redis.rs"]
mod redis;

use std::time::Duration;

use self::redis::Redis;
use super::{OnLoss, Settings, Shared};
use crate::base::secret::Secret;
use crate::state::Ledger;
use crate::state::contract::keeps_the_contract;

pub(super) fn settings(url: &str) -> Settings {
    Settings {
        url: Secret::new(url),
        prefix: format!("t{:x}", fastrand::u64(..)),
        on_loss: OnLoss::Refuse,
        // The machine that runs the tests may be busy.
        timeout: Duration::from_secs(10),
        gone_after: Duration::from_secs(30),
    }
}

pub(super) async fn open(settings: &Settings) -> Shared {
    Shared::open(settings, None).await.unwrap()
}

async fn fresh() -> (Redis, Box<dyn Ledger>) {
    let redis = Redis::start();
    let ledger = open(&settings(&redis.url())).await;
    (redis, Box::new(ledger))
}

keeps_the_contract!(fresh().await);

#[tokio::test]
async fn values_keep_their_promises() {
    let redis = Redis::start();
    let shared = open(&settings(&redis.url())).await;
    crate::state::kv::keeps_its_promises(&*shared.kv()).await;
}

#[tokio::test]
async fn answers_keep_their_promises() {
    let redis = Redis::start();
    let shared = open(&settings(&redis.url())).await;
    crate::state::answers::keeps_its_promises(&*shared.answers()).await;
}
