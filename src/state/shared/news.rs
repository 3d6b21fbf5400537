//! What gateways that share the store tell each other of similar questions.
//!
//! Nothing is looked for by likeness in the store: each gateway has all questions of its policies in memory, where they are
//! gone through faster than anything could be asked of a server, so any server does, without a module for that. A question with
//! 384 dimensions takes some five kilobytes there, most of them for its words. Where it lies is kept beside its answer, and the
//! news are numbered: whoever knows the last number asks for those after it. While there are none that is one small read.
//!
//! A server that has lost its memory, or has an older one back, is found out by the numbers: then what was known is given up
//! and read anew. Where another server of the same memory may answer, what came last is read once more. Trials are told in batches with numbers of their own, so one that is told twice counts once; and one that is
//! older than what was forgotten meanwhile does not count at all.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use redis::{FromRedisValue, from_redis_value};
use tokio::time::Instant;

use super::hub::Hub;
use super::link::Session;
use super::script::{Call, Script};
use crate::base::ids::PolicyName;
use crate::state::answers::{
    Bearing, EmbedderHash, Ground, Heard, News, Place, Record, Scope, Standing, Whose, policy_hash,
};

/// One gateway's way through a policy's news.
pub(super) struct SharedNews {
    hub: Arc<Hub>,
    policy: PolicyName,
    embedder: EmbedderHash,
    /// Whoever tells of trials here, among all who do.
    me: String,
    /// The number of the batch of trials that is told next, or again.
    batch: u64,
    /// Up to where all was heard; `None` before anything was.
    known: Option<Known>,
}

/// Numbers of news, and when and how they were heard of.
#[derive(Clone, Copy)]
struct Known {
    books: Books,
    /// The last question that was read, and there may be more after it.
    question: u64,
    /// The last standing.
    standing: u64,
    /// There are more questions.
    has_more: bool,
    session: u64,
    at: Instant,
}

/// The last numbers, as the store has them; 0 for none.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Books {
    first: u64,
    last: u64,
    questions: u64,
    standings: u64,
    forgotten: u64,
}

impl SharedNews {
    pub fn new(hub: Arc<Hub>, policy: PolicyName, embedder: EmbedderHash) -> Self {
        let me = format!("{}{:016x}", hub.me, fastrand::u64(..));
        Self { hub, policy, embedder, me, batch: 1, known: None }
    }

    async fn go_on(&mut self, trials: &[(Ground, Standing)]) -> Result<Heard, String> {
        let session = self.hub.link.current().ok_or_else(|| "the store is away".to_owned())?;
        let at = Instant::now();
        let was = self.known.filter(|known| known.at.elapsed() < REMEMBERED);
        if !trials.is_empty() {
            self.tell(&session, trials, was.as_ref()).await?;
        }
        let books = self.books(&session).await?;
        let mut heard = Heard::default();
        let goes_on = was.filter(|known| known.books.go_on_to(&books));
        let forgotten = match &goes_on {
            Some(known) => self.forgotten(&session, &known.books, &books).await?,
            None => None,
        };
        let (mut known, is_new) = match (goes_on, forgotten) {
            (Some(mut known), Some(forgotten)) => {
                if !forgotten.is_empty() && books.forgotten - known.books.forgotten < SOON {
                    // What has come since then was not meant, and is read again: whoever forgets says so before and after.
                    known.question = known.question.min(known.books.forgotten);
                }
                heard.forgotten = forgotten;
                (known, known.session != session.number())
            }
            _ => {
                // Of those that are gone nothing holds any more. Who has heard of none yet has nothing of them.
                let was_any = self.known.is_some_and(|known| known.books.first != 0);
                heard.forgotten.extend(was_any.then(|| self.all()));
                (Known::nothing(books, at), true)
            }
        };
        if is_new {
            // Whoever answers now may not have heard all that another has told us.
            known.question = known.question.saturating_sub(OVERLAP);
            known.standing = 0;
        }
        if is_new || known.standing < books.standings {
            heard.are_all = is_new;
            heard.new.standings = self.standings(&session, &mut known.standing, &books).await?;
        }
        if is_new || known.question < books.questions || known.has_more {
            known.has_more = self.questions(&session, &mut known.question, &books, &mut heard.new.questions).await?;
        }
        heard.has_more = known.has_more;
        self.known = Some(Known { books, session: session.number(), at, ..known });
        self.batch += u64::from(!trials.is_empty());
        Ok(heard)
    }

    fn key(&self, kind: &str) -> String {
        format!("{}{kind}:{}", self.hub.link.root, hex(&policy_hash(&self.policy)))
    }

    fn all(&self) -> Whose {
        Whose { policy: self.policy.clone(), scope: None }
    }

    async fn ask<T: FromRedisValue>(&self, session: &Session, command: redis::Cmd) -> Result<T, String> {
        let answer = session.ask(command, self.hub.link.patience()).await?;
        from_redis_value(answer).map_err(|error| error.to_string())
    }

    async fn tell(&self, session: &Session, trials: &[(Ground, Standing)], was: Option<&Known>) -> Result<(), String> {
        // What was tried so long ago that nobody knows any more whether it was forgotten since does not count.
        if was.is_none() && self.known.is_some() {
            return Ok(());
        }
        let Books { first, last, .. } = match was {
            Some(known) => known.books,
            None => self.books(session).await?,
        };
        let numbers = [self.batch, first, last, MOST].map(|number| number.to_string());
        let head = [hex(&policy_hash(&self.policy)), self.me.clone()].into_iter().chain(numbers);
        let trials = trials.iter().flat_map(|(ground, Standing { record, at_most, by })| {
            let name = [ground.scope.as_slice(), &ground.embedder, &ground.least.to_be_bytes()].concat();
            [hex(&name), record.tried.to_string(), record.wrong.to_string(), at_most.to_string(), by.to_string()]
        });
        let call = Call::new(Script::Learn, head.chain(trials));
        let answers = session.run_all(std::iter::once(&call), &self.hub.link).await?;
        answers.into_iter().next().ok_or("no answer")?.map(drop).map_err(|error| error.to_string())
    }

    async fn books(&self, session: &Session) -> Result<Books, String> {
        let mut get = redis::cmd("HMGET");
        get.arg(self.key("cg")).arg(&["e", "n", "q", "s", "f"]);
        let numbers: [Option<u64>; 5] = self.ask(session, get).await?;
        let [first, last, questions, standings, forgotten] = numbers.map(Option::unwrap_or_default);
        Ok(Books { first, last, questions, standings, forgotten })
    }

    /// Who was forgotten between the one and the other; `None` if that cannot be told any more.
    async fn forgotten(&self, session: &Session, was: &Books, now: &Books) -> Result<Option<Vec<Whose>>, String> {
        if was.forgotten >= now.forgotten {
            return Ok(Some(Vec::new()));
        }
        // Whoever is forgotten once more meanwhile has the later number.
        let mut range = redis::cmd("ZRANGEBYSCORE");
        range.arg(self.key("cf")).arg(format!("({}", was.forgotten)).arg("+inf").arg("LIMIT").arg(0).arg(MOST);
        let names: Vec<Vec<u8>> = self.ask(session, range).await?;
        let whose = |name: &Vec<u8>| Whose {
            policy: self.policy.clone(),
            scope: <[u8; 32]>::try_from(name.as_slice()).ok().map(|digest| Scope::of_digest(&self.policy, digest)),
        };
        let are_all = !names.is_empty() && (names.len() as u64) < MOST;
        Ok(are_all.then(|| names.iter().map(whose).collect()))
    }

    /// The standings that came after a number, which becomes that of the last of them.
    async fn standings(
        &self,
        session: &Session,
        after: &mut u64,
        books: &Books,
    ) -> Result<Vec<(Ground, Standing)>, String> {
        let mut standings = Vec::new();
        *after = (*after).max(books.last.saturating_sub(LASTS));
        loop {
            let page = self.page(session, "cw", (*after, None), RECORDS).await?;
            let Some((_, last)) = page.last() else { return Ok(standings) };
            *after = *last;
            let mut get = redis::cmd("HMGET");
            get.arg(self.key("cr"));
            for (name, _) in &page {
                get.arg(name);
            }
            let records: Vec<Option<Vec<u8>>> = self.ask(session, get).await?;
            let read = |((name, _), record): (&(Vec<u8>, u64), Option<Vec<u8>>)| {
                Some((self.ground(name)?, standing(&record?)?))
            };
            standings.extend(page.iter().zip(records).filter_map(read));
            if page.len() < RECORDS {
                return Ok(standings);
            }
        }
    }

    /// The next questions after a number, which becomes that of the last of them; whether there may be more.
    async fn questions(
        &self,
        session: &Session,
        after: &mut u64,
        books: &Books,
        into: &mut Vec<(Place, Bearing)>,
    ) -> Result<bool, String> {
        // Later ones may have come after something was forgotten that is not heard of yet. A server that is short of memory
        // may have dropped the numbers alone.
        let last = Some(books.last).filter(|last| *last > 0);
        let page = self.page(session, "cq", (*after, last), QUESTIONS).await?;
        let Some((_, last)) = page.last() else { return Ok(false) };
        *after = *last;
        let begin = super::answers::begin(&self.hub, super::answers::BEARING, &self.policy);
        let mut get = redis::cmd("MGET");
        for (name, _) in &page {
            get.arg([begin.as_slice(), name].concat());
        }
        let stored: Vec<Option<Vec<u8>>> = self.ask(session, get).await?;
        let read = |((name, _), stored): (&(Vec<u8>, u64), Option<Vec<u8>>)| {
            let (scope, question) = name.split_first_chunk::<32>()?;
            let key = [*scope, <[u8; 32]>::try_from(question).ok()?];
            let bearing = Bearing::read(&stored?, &key).filter(|bearing| bearing.embedder == self.embedder)?;
            Some((Place::of_key(&self.policy, key), bearing))
        };
        into.extend(page.iter().zip(stored).filter_map(read));
        Ok(page.len() >= QUESTIONS)
    }

    /// The next of a kind of news after a number, and up to another, each with its own.
    async fn page(
        &self,
        session: &Session,
        kind: &str,
        (after, last): (u64, Option<u64>),
        most: usize,
    ) -> Result<Vec<(Vec<u8>, u64)>, String> {
        let mut range = redis::cmd("ZRANGEBYSCORE");
        let last = last.map_or_else(|| "+inf".to_owned(), |last| last.to_string());
        range.arg(self.key(kind)).arg(format!("({after}")).arg(last);
        range.arg("WITHSCORES").arg("LIMIT").arg(0).arg(most);
        let page: Vec<(Vec<u8>, f64)> = self.ask(session, range).await?;
        // Numbers are whole, and exact up to 2^53.
        Ok(page.into_iter().map(|(name, number)| (name, number as u64)).collect())
    }

    /// The ground of a name, if it is of this embedder.
    fn ground(&self, name: &[u8]) -> Option<Ground> {
        let (scope, rest) = name.split_first_chunk::<32>()?;
        let (embedder, least) = rest.split_first_chunk::<32>()?;
        let least = u32::from_be_bytes(<[u8; 4]>::try_from(least).ok()?);
        let is_ours = *embedder == self.embedder;
        is_ours.then(|| Ground { policy: self.policy.clone(), scope: *scope, embedder: *embedder, least })
    }
}

impl Known {
    fn nothing(books: Books, at: Instant) -> Self {
        Self { books, question: 0, standing: 0, has_more: false, session: 0, at }
    }
}

impl Books {
    /// Whether those are the same books, with no less in them and all that was forgotten meanwhile.
    fn go_on_to(&self, now: &Self) -> bool {
        let is_known = self.first == 0 || self.first == now.first;
        is_known && self.last <= now.last && (self.last == 0 || now.last - self.last < LAPSE)
    }
}

/// Reads a record that the scripts have written; `None` for another version's, and for what is damaged.
fn standing(record: &[u8]) -> Option<Standing> {
    let rest = std::str::from_utf8(record).ok()?.strip_prefix("1 ")?;
    let mut parts = rest.splitn(4, ' ');
    let record = Record { tried: parts.next()?.parse().ok()?, wrong: parts.next()?.parse().ok()? };
    let at_most: f64 = parts.next()?.parse().ok()?;
    let is_sound = record.wrong <= record.tried && at_most.is_finite();
    is_sound.then_some(Standing { record, at_most, by: parts.next()?.into() })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl News for SharedNews {
    fn exchange<'a>(&'a mut self, trials: &'a [(Ground, Standing)]) -> BoxFuture<'a, Result<Heard, String>> {
        Box::pin(self.go_on(trials))
    }
}

/// Grounds of a policy that anything is known of, and those who were forgotten that are told apart.
const MOST: u64 = 10_000;
/// Questions that are read at a time: about a megabyte of the largest vectors.
const QUESTIONS: usize = 256;
/// Records that are read at a time.
const RECORDS: usize = 500;
/// Numbers go by the microsecond. So many are read once more where another server may answer.
const OVERLAP: u64 = 60 * 1_000_000;
/// Standings that nobody has added to for ninety days count no more.
const LASTS: u64 = 90 * 24 * 3_600 * 1_000_000;
/// Nobody takes longer to forget anything.
const SOON: u64 = 3_600 * 1_000_000;
/// For a day it is known who was forgotten; for an hour less we rely on that.
const LAPSE: u64 = 23 * 3_600 * 1_000_000;
const REMEMBERED: Duration = Duration::from_secs(23 * 3_600);
