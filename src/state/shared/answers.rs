//! Answers that all gateways share. How much is kept the server decides by its own bounds on memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use redis::{Value, from_redis_value};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::hub::Hub;
use crate::state::answers::{Answers, Kept, Place, Room};

pub(super) struct SharedAnswers {
    hub: Arc<Hub>,
    /// Answers that may be on their way there.
    sending: Arc<Semaphore>,
}

impl SharedAnswers {
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, sending: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    fn key(&self, place: &Place) -> Vec<u8> {
        let [scope, question] = place.key();
        [self.hub.link.root.as_bytes(), b"ca:", &scope, &question].concat()
    }
}

impl Answers for SharedAnswers {
    /// A store that is away, or slower than a request may wait for it, has nothing.
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Option<Arc<Kept>>> {
        Box::pin(async move {
            let session = self.hub.link.current()?;
            let mut get = redis::cmd("GET");
            get.arg(self.key(place));
            match session.ask(get, self.hub.link.timeout).await.ok()? {
                Value::Nil => None,
                found => Kept::read(Bytes::from(from_redis_value::<Vec<u8>>(found).ok()?)).map(Arc::new),
            }
        })
    }

    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) {
        let (Some(session), Ok(runtime)) = (self.hub.link.current(), Handle::try_current()) else { return };
        let Ok(place_to_send) = Arc::clone(&self.sending).try_acquire_owned() else { return };
        let mut set = redis::cmd("SET");
        let lasts = u64::try_from(room.lasts.as_millis()).unwrap_or(LONGEST).clamp(1, LONGEST);
        set.arg(self.key(&place)).arg(kept.write()).arg("PX").arg(lasts);
        let patience: Duration = self.hub.link.patience();
        runtime.spawn(async move {
            // One that does not arrive is asked for anew.
            let _ = session.ask(set, patience).await;
            drop(place_to_send);
        });
    }
}

const AT_ONCE: usize = 64;
/// Some thirty years, in milliseconds.
const LONGEST: u64 = 1 << 40;
