//! The ledger over the shared store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use jiff::Timestamp;
use redis::{Value, from_redis_value};

use super::answers::SharedAnswers;
use super::hub::{How, Hub, millis};
use super::kv::SharedKv;
use super::link::{Again, Lost};
use super::places::SharedPlaces;
use super::queue::Kind;
use super::reply;
use super::script::{Call, Script};
use super::settings::{OnLoss, Settings};
use super::settler::{MOST_BOOKED, Settler};
use super::windows::SharedWindows;
use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::state::account::nanos;
use crate::state::books;
use crate::state::claim::{Balance, Claim, Denied, Durability, HoldId, Unavailable};
use crate::state::embedded::Embedded;
use crate::state::ledger::{Ledger, Settlement, Standing};
use crate::state::line::CostLine;
use crate::state::slot::Slot;
use crate::state::{Answers, Kv, Places, Windows};

/// The store that several gateways share. Dropping it ends its task.
pub struct Shared {
    pub(super) hub: Arc<Hub>,
    /// This gateway's own lines of the bill.
    lines: Option<Embedded>,
}

impl Shared {
    /// Opens the store. One that cannot be reached now is opened all the same: it may be back at any time, and until
    /// then it is like one that was lost. To be called within a runtime that lasts as long as the store is used.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub async fn open(settings: &Settings, lines: Option<Embedded>) -> Result<Self, String> {
        let hub = Arc::new(Hub::new(settings)?);
        tokio::spawn(Settler { hub: Arc::clone(&hub) }.run());
        hub.link.tried().await;
        Ok(Self { hub, lines })
    }

    pub fn windows(&self) -> Arc<dyn Windows> {
        Arc::new(SharedWindows::new(Arc::clone(&self.hub)))
    }

    pub fn places(&self) -> Arc<dyn Places> {
        Arc::new(SharedPlaces::new(Arc::clone(&self.hub)))
    }

    pub fn answers(&self) -> Arc<dyn Answers> {
        Arc::new(SharedAnswers::new(Arc::clone(&self.hub)))
    }

    pub fn kv(&self) -> Arc<dyn Kv> {
        Arc::new(SharedKv::new(Arc::clone(&self.hub)))
    }

    /// Why the store cannot be reached, if so.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.hub.link.is_down()
    }

    async fn ask(&self, claim: &Claim) -> Result<Vec<Balance>, Denied> {
        books::check(claim, Slot::of(claim.at))
            .map_err(|why| Denied::Faulty { hold: claim.hold, why: why.to_owned() })?;
        if claim.legs.is_empty() {
            return Ok(Vec::new());
        }
        let mut unclaimed = Unclaimed::new(&self.hub, claim.hold);
        if !self.hub.queue.has_room() {
            return Err(Unavailable("too much is still to be told to the shared store".into()).into());
        }
        self.hub.caught_up().await;
        unclaimed.may_be_known = true;
        let answer = self.hub.link.run(&self.hub.claim(claim, How::Ask), Again::Yes).await;
        let balances = match answer {
            Ok(answer) => {
                // A refusal leaves nothing behind that would have to be given back.
                unclaimed.may_be_known = false;
                let balances = reply::to_claim(claim, answer)?;
                self.hub.shares.saw(claim, &balances);
                balances
            }
            Err(Lost { was_sent, why }) => {
                unclaimed.may_be_known = was_sent;
                self.go_on_alone(claim, why)?
            }
        };
        unclaimed.claim();
        Ok(balances)
    }

    fn go_on_alone(&self, claim: &Claim, why: String) -> Result<Vec<Balance>, Denied> {
        if self.hub.on_loss == OnLoss::Refuse || claim.durability == Durability::Now {
            return Err(Unavailable(why).into());
        }
        let balances = self.hub.shares.reserve(claim, self.hub.alive())?;
        if !self.hub.queue.push(self.hub.claim(claim, How::Carry), Kind::Money) {
            self.hub.shares.settle(claim.hold, Nanos::ZERO);
            return Err(Unavailable(why).into());
        }
        Ok(balances)
    }

    async fn answer(&self, call: Call) -> Result<Value, Unavailable> {
        self.hub.caught_up().await;
        self.hub.link.run(&call, Again::Yes).await.map_err(|lost| Unavailable(lost.why))
    }

    /// The names of all accounts, a page at a time, so that nobody has to wait for the last of them.
    async fn names(&self) -> Result<Vec<String>, String> {
        let session = self.hub.link.current().ok_or("the shared store cannot be reached")?;
        let (mut names, mut place) = (Vec::new(), "0".to_owned());
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(format!("{}accounts", self.hub.link.root)).arg(&place).arg("COUNT").arg(PAGE);
            let page = session.ask(scan, self.hub.link.patience()).await?;
            let (next, mut found): (String, Vec<String>) = from_redis_value(page).map_err(|error| error.to_string())?;
            names.append(&mut found);
            if next == "0" {
                return Ok(names);
            }
            place = next;
        }
    }

    async fn standings(&self) -> Result<Vec<Standing>, String> {
        let names = self.names().await?;
        let session = self.hub.link.current().ok_or("the shared store cannot be reached")?;
        let mut standings = BTreeMap::new();
        for page in names.chunks(PAGE) {
            let calls: Vec<Call> = page.iter().map(|name| standing(name, Slot::FIRST)).collect();
            let answers = session.run_all(calls.iter(), &self.hub.link).await?;
            for (name, answer) in page.iter().zip(answers) {
                let (spent, held) = sums(answer.map_err(|error| error.to_string())?)?;
                if (spent, held) != (Nanos::ZERO, Nanos::ZERO) {
                    let account = AccountId::new(name.as_str());
                    standings.insert(name.clone(), Standing { account, spent, held });
                }
            }
        }
        Ok(standings.into_values().collect())
    }
}

impl Ledger for Shared {
    fn reserve(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<Balance>, Denied>> {
        Box::pin(async move { self.ask(&claim).await })
    }

    fn settle(&self, settlement: Settlement) {
        let Settlement { hold, at, mut lines } = settlement;
        lines.iter_mut().for_each(CostLine::tidy);
        let cost = nanos(lines.iter().map(|line| i128::from(line.cost.0)).sum());
        if let Some(log) = &self.lines {
            log.settle(Settlement { hold, at, lines });
        }
        if self.hub.holds.remove(hold) {
            self.hub.shares.settle(hold, cost);
            self.hub.settle(hold, cost, REMEMBERED);
        }
    }

    fn lapse(&self, now: Timestamp) {
        if self.hub.link.is_down().is_none() {
            self.hub.queue.push(Call::new(Script::Lapse, [millis(now), MOST_BOOKED.to_string()]), Kind::Chore);
        }
        if let Some(log) = &self.lines {
            log.lapse(now);
        }
    }

    fn standing<'a>(
        &'a self,
        account: &'a AccountId,
        since: Slot,
    ) -> BoxFuture<'a, Result<(Nanos, Nanos), Unavailable>> {
        Box::pin(async move {
            let answer = self.answer(standing(account.as_str(), since)).await?;
            sums(answer).map_err(Unavailable)
        })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>> {
        Box::pin(async move {
            self.hub.caught_up().await;
            self.standings().await.map_err(Unavailable)
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            let told = async {
                self.hub.link.retried().await;
                tokio::select! {
                    biased;
                    () = self.hub.queue.told(self.hub.queue.mark()) => Ok(()),
                    why = self.hub.link.downfall() => Err(Unavailable(why)),
                }
            };
            let lines = async {
                match &self.lines {
                    Some(log) => log.flush().await,
                    None => Ok(()),
                }
            };
            let (told, lines) = tokio::join!(told, lines);
            told.and(lines)
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.hub.queue.close();
    }
}

/// A hold that nobody knows to be theirs yet. Given back if its owner goes away while waiting, or gets no answer.
struct Unclaimed<'a> {
    hub: &'a Hub,
    hold: HoldId,
    /// Else it was there before, and is another's to give back.
    is_new: bool,
    may_be_known: bool,
    is_claimed: bool,
}

impl<'a> Unclaimed<'a> {
    fn new(hub: &'a Hub, hold: HoldId) -> Self {
        Self { hub, hold, is_new: hub.holds.add(hold), may_be_known: false, is_claimed: false }
    }

    fn claim(mut self) {
        self.is_claimed = true;
    }
}

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        if self.is_claimed || !self.is_new || !self.hub.holds.remove(self.hold) {
            return;
        }
        if self.may_be_known {
            self.hub.settle(self.hold, Nanos::ZERO, REMEMBERED_LONG);
        }
    }
}

fn standing(account: &str, since: Slot) -> Call {
    Call::new(Script::Standing, [account.to_owned(), since.0.to_string()])
}

fn sums(answer: Value) -> Result<(Nanos, Nanos), String> {
    let (spent, held): (String, String) = from_redis_value(answer).map_err(|error| error.to_string())?;
    Ok((reply::amount(&spent), reply::amount(&held)))
}

/// For so long it is known that a hold is over: a claim that is asked again, or late, must not make it anew.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// The same where a claim got no answer, and may still be on its way.
const REMEMBERED_LONG: Duration = Duration::from_secs(60 * 60);
const PAGE: usize = 500;
