//! Places that all gateways share: each is leased for as long as its gateway is heard of.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use redis::Value;
use tokio::time::{Instant, sleep};

use super::hub::Hub;
use super::link::Again;
use super::script::{Call, Script};
use super::settings::OnLoss;
use crate::state::places::{LocalPlaces, NoPlace, Place, Places};

pub(super) struct SharedPlaces {
    hub: Arc<Hub>,
    /// This gateway's share while the store is away.
    alone: LocalPlaces,
}

impl SharedPlaces {
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, alone: LocalPlaces::default() }
    }

    async fn wait(&self, key: &str, count: u32, patience: Duration) -> Result<Place, NoPlace> {
        let (end, mut pause) = (Instant::now() + patience, FIRST_PAUSE);
        loop {
            match self.try_once(key, count).await {
                Err(NoPlace::Taken) => {}
                done => return done,
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoPlace::Taken);
            }
            // Nobody is called when a place is free; those who wait ask at different times.
            sleep(pause.mul_f64(0.5 + fastrand::f64()).min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_once(&self, key: &str, count: u32) -> Result<Place, NoPlace> {
        let mut seat = Seat::new(&self.hub, key);
        let lease = self.hub.gone_after.as_millis().to_string();
        let call = Call::new(Script::Enter, [key.to_owned(), seat.who.clone(), count.to_string(), lease]);
        match self.hub.link.run(&call, Again::Yes).await {
            Ok(Value::Int(1)) => {
                self.hub.seat(seat.who.clone(), key);
                Ok(Place::new(seat))
            }
            Ok(Value::Int(_)) => {
                seat.may_be_known = false;
                Err(NoPlace::Taken)
            }
            Ok(_) => Err(NoPlace::Unavailable("the shared store gave an answer that makes no sense".into())),
            Err(lost) => {
                seat.may_be_known = lost.was_sent;
                if self.hub.on_loss == OnLoss::Refuse {
                    return Err(NoPlace::Unavailable(lost.why));
                }
                match count / self.hub.alive() {
                    0 => Err(NoPlace::Taken),
                    share => self.alone.enter(key, share, Duration::ZERO).await,
                }
            }
        }
    }
}

impl Places for SharedPlaces {
    fn enter<'a>(&'a self, key: &'a str, count: u32, patience: Duration) -> BoxFuture<'a, Result<Place, NoPlace>> {
        Box::pin(self.wait(key, count, patience))
    }
}

/// A place in the store, given back when dropped.
struct Seat {
    hub: Arc<Hub>,
    key: String,
    who: String,
    may_be_known: bool,
}

impl Seat {
    fn new(hub: &Arc<Hub>, key: &str) -> Self {
        let who = format!("{}/{:016x}", hub.me, fastrand::u64(..));
        Self { hub: Arc::clone(hub), key: key.to_owned(), who, may_be_known: true }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.may_be_known {
            self.hub.leave(&self.who, &self.key);
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
