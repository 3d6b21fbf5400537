//! Copies of requests, sent to the shadows of a route.
//!
//! A copy has an account of its own: it is paid for like any request, so it stands in the ledger and in the access log,
//! with the request that it is a copy of. Where a budget pays for it, one that it cannot bear is not sent. Its answer is
//! read to the end, so that its target's latency and failures are measured, and dropped. There are never more than a few
//! at a time: beyond that copies are not sent, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::stop::Stop;
use crate::chat::{Request, Verbatim};
use crate::gateway::account::{Account, Accounted};
use crate::gateway::world::World;
use crate::pipeline::attempt::execute;
use crate::pipeline::chat::{ChatExchange, Onlookers, Steer};
use crate::pipeline::cx::Cx;
use crate::pipeline::retry::Rules;
use crate::pipeline::route::{Plan, Shadow};
use crate::pipeline::run::overheard;
use crate::pipeline::shadow::{Original, Shadows};
use crate::pipeline::{Answer, Flow};

/// The copies of the process.
pub struct Copies {
    places: Arc<Semaphore>,
    dropped: AtomicU64,
}

impl Default for Copies {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST)), dropped: AtomicU64::new(0) }
    }
}

impl Copies {
    /// How many were not sent because too many were under way.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Shadows for Arc<World> {
    fn send(&self, original: Original<'_>) {
        for shadow in &original.plan.shadows {
            match Arc::clone(&self.copies.places).try_acquire_owned() {
                Ok(place) => drop(tokio::spawn(Copy::of(&original, shadow, self, place).send())),
                Err(_) => drop(self.copies.dropped.fetch_add(1, Ordering::Relaxed)),
            }
        }
    }
}

/// A request on its way to a shadow.
struct Copy {
    cx: Box<Cx>,
    headers: HeaderMap,
    request: Box<Verbatim<Request>>,
    shadow: Shadow,
    rules: Arc<Rules>,
    account: Box<Account>,
    place: OwnedSemaphorePermit,
}

impl Copy {
    fn of(original: &Original<'_>, shadow: &Shadow, world: &Arc<World>, place: OwnedSemaphorePermit) -> Self {
        let (of, now) = (original.cx, world.clock.now());
        let cx = Cx {
            caller: of.caller.clone(),
            dialect: of.dialect,
            model: of.model.clone(),
            policy: of.policy.clone(),
            basis: of.basis,
            question: of.question.clone(),
            tags: of.tags.clone(),
            outgoing: of.outgoing.clone(),
            texts: of.texts.as_ref().map(|texts| texts.beside()),
            ..Cx::new(of.endpoint, of.clock, Arc::clone(&of.tokens))
        };
        let account = Account::of_copy(Arc::clone(world), &cx, of, now);
        Self {
            cx: Box::new(cx),
            headers: of.headers.clone(),
            request: Box::new(original.request.clone()),
            shadow: shadow.clone(),
            rules: Arc::clone(original.rules),
            account,
            place,
        }
    }

    async fn send(mut self) {
        let answered = self.ask().await;
        let Self { mut cx, request, mut account, place, .. } = self;
        let overhead = cx.started.elapsed().saturating_sub(cx.trail.waited());
        account.note(&mut cx, overhead);
        account.keep(std::mem::take(&mut cx.trail));
        if request.stream {
            account.streams();
        }
        match answered {
            Err(stop) => account.refuse(&stop),
            Ok(answer) => {
                account.answered_by(answer.head.target, 200);
                let mut frames = Accounted::cancelled(answer.frames, account);
                while frames.next().await.is_some() {}
            }
        }
        drop(place);
    }

    async fn ask(&mut self) -> Result<Answer, Stop> {
        let flow = match &self.shadow.budget {
            Some(budget) => budget.begin(&mut self.cx, &mut self.request).await?,
            None => Flow::Pass,
        };
        let tap = if let Flow::Tap(tap) = flow { Some(tap) } else { None };
        let texts = self.cx.texts.clone();
        if let Some(texts) = &texts {
            // Nobody has sent it but the gateway.
            texts.came(&self.request);
            texts.goes(&self.request);
        }
        let is_seen = texts.is_some() || tap.as_ref().is_some_and(|tap| tap.looks_inside());
        let onlookers = if is_seen { Onlookers::Taps } else { Onlookers::Nobody };
        let plan = Plan::to(Arc::clone(&self.shadow.to));
        let outgoing = std::mem::take(&mut self.cx.outgoing);
        let steer = Steer { from_caller: &self.headers, from_steps: &outgoing };
        let mut exchange =
            ChatExchange::new(self.request.clone(), &self.cx.model, steer, onlookers).marking(self.rules.mark_prefixes);
        let answer = execute(&mut self.cx, &plan, &self.rules, &mut exchange).await?;
        let answer = match texts {
            Some(texts) => overheard(answer, texts),
            None => answer,
        };
        Ok(match tap {
            Some(tap) => tap.wrap(answer),
            None => answer,
        })
    }
}

/// The most copies under way at a time.
const MOST: usize = 64;
