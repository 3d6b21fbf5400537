//! Answers that all gateways share. Of each policy's only as many are kept as its room allows, the oldest of which go; the
//! server's own bounds on memory may be narrower. In a cluster only one node has them, that of the hash tag, so going
//! through all keys means going through its. What was found a moment ago is at hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use redis::{Value, from_redis_value};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::hub::Hub;
use super::link::{Again, Session};
use super::near::Near;
use super::script::{Call, Script};
use crate::base::ids::PolicyName;
use crate::state::answers::{Answers, Found, Kept, Place, Room, Stock, VERSION, Whose, policy_hash};

pub(super) struct SharedAnswers {
    hub: Arc<Hub>,
    /// Answers that may be on their way there.
    sending: Arc<Semaphore>,
    near: Near,
}

impl SharedAnswers {
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, sending: Arc::new(Semaphore::new(AT_ONCE)), near: Near::default() }
    }

    fn key(&self, place: &Place) -> Vec<u8> {
        let [scope, question] = place.key();
        [self.of(place.policy()).as_slice(), &scope, &question].concat()
    }

    /// What the keys of a policy's answers begin with. Gateways that write them otherwise do not come upon these.
    fn of(&self, policy: &PolicyName) -> Vec<u8> {
        [self.hub.link.root.as_bytes(), kind().as_bytes(), &policy_hash(policy)].concat()
    }

    /// A page of the keys with a beginning; `place` is where it begins, and then where the next does, `None` at the end.
    async fn page(&self, session: &Session, begin: &[u8], place: &mut Option<String>) -> Result<Vec<Vec<u8>>, String> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(place.as_deref().unwrap_or("0")).arg("MATCH").arg(pattern(begin)).arg("COUNT").arg(PAGE);
        let page = session.ask(scan, self.hub.link.patience()).await?;
        let (next, keys): (String, Vec<Vec<u8>>) = from_redis_value(page).map_err(|error| error.to_string())?;
        *place = Some(next).filter(|next| next != "0");
        Ok(keys)
    }

    /// What is no answer is removed, so that it is come upon once only.
    async fn found_damaged(&self, session: &Session, place: &Place) -> Found {
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(self.key(place));
        let _ = session.ask(unlink, self.hub.link.timeout).await;
        Found::Damaged
    }

    fn session(&self) -> Result<Session, String> {
        self.hub.link.current().ok_or_else(|| "the store is away".to_owned())
    }

    async fn count(&self, policy: &PolicyName) -> Result<Stock, String> {
        let (session, begin) = (self.session()?, self.of(policy));
        let (mut answers, mut place) = (0, None);
        loop {
            answers += self.page(&session, &begin, &mut place).await?.len() as u64;
            if place.is_none() {
                return Ok(Stock { policy: policy.clone(), answers, bytes: None, by_likeness: None });
            }
        }
    }

    async fn drop_of(&self, whose: &Whose) -> Result<u64, String> {
        let session = self.session()?;
        let scope = whose.scope.as_ref().map(|scope| scope.digest.as_slice()).unwrap_or_default();
        let begin = [self.of(&whose.policy).as_slice(), scope].concat();
        let (mut dropped, mut place) = (0, None);
        loop {
            let keys = self.page(&session, &begin, &mut place).await?;
            if !keys.is_empty() {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(keys);
                let gone = session.ask(unlink, self.hub.link.patience()).await?;
                dropped += from_redis_value::<u64>(gone).map_err(|error| error.to_string())?;
            }
            if place.is_none() {
                return Ok(dropped);
            }
        }
    }
}

/// What keys of answers begin with, behind what all keys do.
fn kind() -> String {
    format!("ca{VERSION}:")
}

/// What counts an answer, and makes room for it.
fn shelve(place: &Place, bytes: u64, lasts: u64, room: Room) -> Call {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // Numbers of scripts are exact up to there.
    let most = |count: u64| count.min(1 << 53).to_string();
    let arguments = [
        kind(),
        hex(&policy_hash(place.policy())),
        place.key().iter().map(|part| hex(part)).collect(),
        bytes.to_string(),
        lasts.to_string(),
        most(room.bytes),
        most(room.entries),
    ];
    Call::new(Script::Shelve, arguments)
}

/// A pattern that fits what begins so, to the letter.
fn pattern(begin: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(begin.len() + 8);
    for byte in begin {
        if b"*?[]\\^-".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}

impl Answers for SharedAnswers {
    /// A store that is away, or slower than a request may wait for it, has nothing.
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            if let Some(kept) = self.near.look(place) {
                return Found::Answer(kept);
            }
            let Some(session) = self.hub.link.current() else { return Found::Nothing };
            let mut get = redis::cmd("GET");
            get.arg(self.key(place));
            match session.ask(get, self.hub.link.timeout).await {
                Ok(Value::Nil) | Err(_) => Found::Nothing,
                Ok(Value::BulkString(stored)) => match Kept::read(Bytes::from(stored), place) {
                    Some(kept) => {
                        let kept = Arc::new(kept);
                        self.near.put(place, &kept);
                        Found::Answer(kept)
                    }
                    None => self.found_damaged(&session, place).await,
                },
                Ok(_) => self.found_damaged(&session, place).await,
            }
        })
    }

    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) {
        let (Some(session), Ok(runtime)) = (self.hub.link.current(), Handle::try_current()) else { return };
        let Ok(place_to_send) = Arc::clone(&self.sending).try_acquire_owned() else { return };
        self.near.put(&place, &kept);
        let mut set = redis::cmd("SET");
        let lasts = u64::try_from(room.lasts.as_millis()).unwrap_or(LONGEST).clamp(1, LONGEST);
        let written = kept.write(&place);
        let count = shelve(&place, written.len() as u64, lasts, room);
        set.arg(self.key(&place)).arg(written).arg("PX").arg(lasts);
        let (patience, hub): (Duration, _) = (self.hub.link.patience(), Arc::clone(&self.hub));
        runtime.spawn(async move {
            // One that does not arrive is asked for anew.
            if session.ask(set, patience).await.is_ok() {
                // One that is not counted goes by itself when its time is over.
                let _ = hub.link.run(&count, Again::No).await;
            }
            drop(place_to_send);
        });
    }

    fn stock<'a>(&'a self, known: &'a [PolicyName]) -> BoxFuture<'a, Result<Vec<Stock>, String>> {
        Box::pin(async move {
            let mut stock = Vec::with_capacity(known.len());
            for policy in known {
                stock.push(self.count(policy).await?);
            }
            Ok(stock)
        })
    }

    fn forget<'a>(&'a self, whose: &'a Whose) -> BoxFuture<'a, Result<u64, String>> {
        self.near.clear();
        Box::pin(self.drop_of(whose))
    }
}

const AT_ONCE: usize = 64;
/// Keys that the store goes through at a time.
const PAGE: usize = 1_000;
/// Some thirty years, in milliseconds.
const LONGEST: u64 = 1 << 40;
