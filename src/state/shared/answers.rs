//! Answers that all gateways share. Of each policy's only as many are kept as its room allows, the oldest of which go; the
//! server's own bounds on memory may be narrower. In a cluster only one node has them, that of the hash tag, so going
//! through all keys means going through its. What was found a moment ago is at hand.
//!
//! Where an answer's question lies is under a key of its own, which ends when the answer's does, and is counted with it. How
//! gateways hear of it is told in [`news`](super::news).

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
use super::news::{SharedNews, hex};
use super::script::{Call, Script};
use crate::base::ids::PolicyName;
use crate::state::answers::{
    Answers, Bearing, EmbedderHash, Found, Kept, News, Place, Room, Stock, VERSION, Whose, policy_hash,
};

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

    fn key(&self, kind: u8, place: &Place) -> Vec<u8> {
        let [scope, question] = place.key();
        [begin(&self.hub, kind, place.policy()).as_slice(), &scope, &question].concat()
    }

    /// A page of the keys of these callers' answers and questions; `place` is where it begins, and then where the next does,
    /// `None` at the end.
    async fn page(&self, session: &Session, whose: &Whose, place: &mut Option<String>) -> Result<Vec<Vec<u8>>, String> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(place.as_deref().unwrap_or("0")).arg("MATCH").arg(self.pattern(whose)).arg("COUNT").arg(PAGE);
        let page = session.ask(scan, self.hub.link.patience()).await?;
        let (next, keys): (String, Vec<Vec<u8>>) = from_redis_value(page).map_err(|error| error.to_string())?;
        *place = Some(next).filter(|next| next != "0");
        Ok(keys)
    }

    /// What is no answer is removed, so that it is come upon once only.
    async fn found_damaged(&self, session: &Session, place: &Place) -> Found {
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(self.key(ANSWER, place)).arg(self.key(BEARING, place));
        let _ = session.ask(unlink, self.hub.link.timeout).await;
        Found::Damaged
    }

    fn session(&self) -> Result<Session, String> {
        self.hub.link.current().ok_or_else(|| "the store is away".to_owned())
    }

    async fn count(&self, policy: &PolicyName) -> Result<Stock, String> {
        let session = self.session()?;
        let (whose, mut place) = (Whose { policy: policy.clone(), scope: None }, None);
        let (mut answers, mut questions) = (0, 0);
        loop {
            let keys = self.page(&session, &whose, &mut place).await?;
            let found = keys.iter().filter(|key| self.kind(key) == Some(ANSWER)).count();
            answers += found as u64;
            questions += (keys.len() - found) as u64;
            if place.is_none() {
                return Ok(Stock { policy: policy.clone(), answers, bytes: None, by_likeness: Some(questions) });
            }
        }
    }

    /// Forgets the standings, answers and questions of these, and has all gateways forget what they know of them: at once,
    /// and once more when none are left that they may have read meanwhile.
    async fn drop_of(&self, whose: &Whose) -> Result<u64, String> {
        let session = self.session()?;
        // What is on its way there is to be found there. It takes no longer than the link has patience.
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        drop(self.sending.acquire_many(all).await);
        self.disown(&session, whose).await?;
        let (mut dropped, mut place) = (0, None);
        loop {
            let keys = self.page(&session, whose, &mut place).await?;
            if !keys.is_empty() {
                dropped += self.drop_all(&session, &whose.policy, &keys).await?;
            }
            if place.is_none() {
                break;
            }
        }
        self.disown(&session, whose).await?;
        Ok(dropped)
    }

    /// Drops what lies under these keys; how many answers that were.
    async fn drop_all(&self, session: &Session, policy: &PolicyName, keys: &[Vec<u8>]) -> Result<u64, String> {
        let (answers, questions): (Vec<_>, Vec<_>) = keys.iter().partition(|key| self.kind(key) == Some(ANSWER));
        let mut dropped = 0;
        for (keys, are_answers) in [(answers, true), (questions, false)] {
            if keys.is_empty() {
                continue;
            }
            let mut unlink = redis::cmd("UNLINK");
            unlink.arg(&keys);
            let gone = session.ask(unlink, self.hub.link.patience()).await?;
            if are_answers {
                dropped = from_redis_value::<u64>(gone).map_err(|error| error.to_string())?;
                continue;
            }
            let mut remove = redis::cmd("ZREM");
            remove.arg(format!("{}cq:{}", self.hub.link.root, hex(&policy_hash(policy))));
            // Scope and question.
            for place in keys.iter().filter_map(|key| key.last_chunk::<64>()) {
                remove.arg(place);
            }
            session.ask(remove, self.hub.link.patience()).await?;
        }
        Ok(dropped)
    }

    async fn disown(&self, session: &Session, whose: &Whose) -> Result<(), String> {
        let scope = whose.scope.as_ref().map(|scope| hex(&scope.digest)).unwrap_or_default();
        let call = Call::new(Script::Forget, [hex(&policy_hash(&whose.policy)), scope]);
        let answers = session.run_all(std::iter::once(&call), &self.hub.link).await?;
        answers.into_iter().next().ok_or("no answer")?.map(drop).map_err(|error| error.to_string())
    }

    /// Whether a key is an answer's or a question's.
    fn kind(&self, key: &[u8]) -> Option<u8> {
        key.get(self.hub.link.root.len() + 1).copied()
    }

    /// A pattern that fits the keys of these callers' answers and questions, to the letter.
    fn pattern(&self, whose: &Whose) -> Vec<u8> {
        let mut pattern = Vec::with_capacity(256);
        literal(self.hub.link.root.as_bytes(), &mut pattern);
        pattern.extend([b'c', b'[', ANSWER, BEARING, b']']);
        let scope = whose.scope.as_ref().map(|scope| scope.digest.as_slice()).unwrap_or_default();
        let rest = begin(&self.hub, ANSWER, &whose.policy);
        literal(rest.get(self.hub.link.root.len() + 2..).unwrap_or_default(), &mut pattern);
        literal(scope, &mut pattern);
        pattern.push(b'*');
        pattern
    }
}

/// What the keys of a policy's answers begin with, or of where their questions lie. Gateways that write them otherwise do not
/// come upon these.
pub(super) fn begin(hub: &Hub, kind: u8, policy: &PolicyName) -> Vec<u8> {
    let version = format!("{VERSION}:");
    [hub.link.root.as_bytes(), b"c", &[kind], version.as_bytes(), &policy_hash(policy)].concat()
}

/// What counts an answer, keeps where its question lies, and makes room for both.
pub(super) fn shelve(place: &Place, bytes: u64, lasts: u64, room: Room, bearing: Option<&Bearing>) -> Call {
    // Numbers of scripts are exact up to there.
    let most = |count: u64| count.min(1 << 53).to_string();
    let arguments = [
        VERSION.to_string(),
        hex(&policy_hash(place.policy())),
        place.key().iter().map(|part| hex(part)).collect(),
        bytes.to_string(),
        lasts.to_string(),
        most(room.bytes),
        most(room.entries),
    ];
    Call::new(Script::Shelve, arguments).with(bearing.map(|bearing| bearing.write(&place.key())).unwrap_or_default())
}

/// Writes what fits these bytes alone at the end of a pattern.
fn literal(bytes: &[u8], pattern: &mut Vec<u8>) {
    for byte in bytes {
        if b"*?[]\\^-".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
}

impl SharedAnswers {
    fn send(&self, place: Place, kept: Arc<Kept>, room: Room, bearing: Option<&Bearing>) -> bool {
        let (Some(session), Ok(runtime)) = (self.hub.link.current(), Handle::try_current()) else { return false };
        let Ok(place_to_send) = Arc::clone(&self.sending).try_acquire_owned() else { return false };
        self.near.put(&place, &kept);
        let mut set = redis::cmd("SET");
        let lasts = u64::try_from(room.lasts.as_millis()).unwrap_or(LONGEST).clamp(1, LONGEST);
        let written = kept.write(&place);
        let count = shelve(&place, written.len() as u64, lasts, room, bearing);
        set.arg(self.key(ANSWER, &place)).arg(written).arg("PX").arg(lasts);
        let (patience, hub): (Duration, _) = (self.hub.link.patience(), Arc::clone(&self.hub));
        runtime.spawn(async move {
            // One that does not arrive is asked for anew.
            if session.ask(set, patience).await.is_ok() {
                // One that is not counted goes by itself when its time is over.
                let _ = hub.link.run(&count, Again::No).await;
            }
            drop(place_to_send);
        });
        true
    }
}

impl Answers for SharedAnswers {
    /// Of a store that is away, or slower than a request may wait for it, nothing is known.
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            if let Some(kept) = self.near.look(place) {
                return Found::Answer(kept);
            }
            let Some(session) = self.hub.link.current() else { return Found::Unknown };
            let cleared = self.near.cleared();
            let mut get = redis::cmd("GET");
            get.arg(self.key(ANSWER, place));
            match session.ask(get, self.hub.link.timeout).await {
                Ok(Value::Nil) => Found::Nothing,
                Err(_) => Found::Unknown,
                Ok(Value::BulkString(stored)) => match Kept::read(Bytes::from(stored), place) {
                    Some(kept) => {
                        let kept = Arc::new(kept);
                        self.near.put_found(place, &kept, cleared);
                        Found::Answer(kept)
                    }
                    None => self.found_damaged(&session, place).await,
                },
                Ok(_) => self.found_damaged(&session, place).await,
            }
        })
    }

    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) -> bool {
        self.send(place, kept, room, None)
    }

    fn keep_with(&self, place: Place, kept: Arc<Kept>, room: Room, bearing: Bearing) -> bool {
        self.send(place, kept, room, Some(&bearing))
    }

    fn follow(&self, policy: &PolicyName, embedder: EmbedderHash) -> Option<Box<dyn News>> {
        Some(Box::new(SharedNews::new(Arc::clone(&self.hub), policy.clone(), embedder)))
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
        Box::pin(async move {
            self.near.clear();
            let dropped = self.drop_of(whose).await;
            // Somebody may have found some of it meanwhile.
            self.near.clear();
            dropped
        })
    }
}

/// Kinds of keys: answers, and where their questions lie.
const ANSWER: u8 = b'a';
pub(super) const BEARING: u8 = b'v';
const AT_ONCE: usize = 64;
/// Keys that the store goes through at a time.
const PAGE: usize = 1_000;
/// Some thirty years, in milliseconds.
const LONGEST: u64 = 1 << 40;
