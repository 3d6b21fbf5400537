//! The promises of the shared store, held against a real server.

mod losses;
mod model;
mod questions;
#[path = "../../../../tests/support/redis.rs"]
mod redis;

use std::time::Duration;

use self::redis::Redis;
use super::{OnLoss, Settings, Shared};
use crate::base::secret::Secret;
use crate::state::Ledger;
use crate::state::answers::Found;
use crate::state::answers::Room;
use crate::state::answers::tests::{ROOM, damaged, kept, place};
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

#[tokio::test]
async fn questions_are_kept() {
    let redis = Redis::start();
    let shared = open(&settings(&redis.url())).await;
    crate::state::answers::tests::questions::keeps_questions(&*shared.answers()).await;
}

#[tokio::test]
async fn no_more_answers_are_kept_than_there_is_room_for_and_the_oldest_go() {
    let redis = Redis::start();
    let settings = settings(&redis.url());
    let shared = open(&settings).await;
    // Another gateway, which has none of them at hand.
    let (answers, other) = (shared.answers(), open(&settings).await);
    let size = kept("x").write(&place("room", 0)).len() as u64;
    for (team, room) in [("few", Room { entries: 3, ..ROOM }), ("small", Room { bytes: 3 * size + 1, ..ROOM })] {
        for number in 0..10 {
            answers.keep(place(team, number), kept("x"), room);
            while !matches!(other.answers().find(&place(team, number)).await, Found::Answer(_)) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The server orders them by its own clock.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let third = open(&settings).await;
        let mut left = Vec::new();
        for number in 0..10 {
            if matches!(third.answers().find(&place(team, number)).await, Found::Answer(_)) {
                left.push(number);
            }
        }
        assert_eq!(left, [7, 8, 9], "{team}");
    }
}

#[tokio::test]
async fn an_answer_that_is_damaged_or_lies_where_another_should_is_not_there() {
    let redis = Redis::start();
    let shared = open(&settings(&redis.url())).await;
    let answers = shared.answers();
    // Without anything at hand.
    let looker = || shared.answers();
    let here = place("bad", 1);
    let client = ::redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for (what, damaged) in damaged(&here) {
        answers.keep(here.clone(), kept("one"), ROOM);
        while !matches!(looker().find(&here).await, Found::Answer(_)) {
            tokio::task::yield_now().await;
        }
        let keys: Vec<Vec<u8>> = ::redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        let key = keys.iter().find(|key| key.ends_with(&[1; 32])).unwrap();
        let _: () = ::redis::cmd("SET").arg(key).arg(damaged).query_async(&mut connection).await.unwrap();
        assert!(matches!(looker().find(&here).await, Found::Damaged), "an answer {what}");
        assert!(matches!(looker().find(&here).await, Found::Nothing), "an answer {what}");
    }
}
