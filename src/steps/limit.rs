//! Bounds how much may be asked for in a stretch of time, and how much at a time.
//!
//! Requests and tokens are counted against a rate, concurrent requests against a number of places. Tokens are taken
//! by an estimate before a request leaves, and corrected by what the provider counted once its answer is over; where no
//! provider was asked for it, they are given back. What a request has taken is kept by the process: neither a reload nor
//! another rate makes anybody's count begin anew.
//!
//! Requests that a later step refuses have still been asked; the tokens they did not use are given back.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_core::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep};

use crate::base::stop::{Refusal, Stop};
use crate::base::units::{Period, Rate};
use crate::chat::{Request, Usage, Verbatim};
use crate::pipeline::cx::{Cx, View};
use crate::pipeline::ending::{Ending, How, at_end};
use crate::pipeline::facts::{Endpoint, Facts, Subject};
use crate::pipeline::opaque::OpaqueRequest;
use crate::pipeline::{Answer, Flow, OpaqueFlow, Step, Tap};
use crate::state::{Full, NoPlace, Place, Places, Room, Windows};
use crate::steps::Site;

/// The settings of a `limit` step.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose requests are counted together: `key`, `user`, `team`, `model`, `policy`, or a condition's expression that
    /// yields a text, such as `caller.team + "/" + request.model`. Callers that have none are counted together.
    pub per: String,
    pub requests: Option<Rate>,
    /// Tokens of requests and answers together.
    pub tokens: Option<Rate>,
    /// Requests at the same time.
    pub concurrent: Option<NonZeroU32>,
    /// Let requests wait for room rather than refuse them at once.
    pub queue: Option<Queue>,
    /// What becomes of requests while nobody can tell how much there is room for.
    #[serde(default)]
    pub when_unavailable: WhenUnavailable,
}

#[derive(Debug, Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How many requests may wait at a time.
    pub max: NonZeroU32,
    /// How long each of them waits at most.
    pub wait: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenUnavailable {
    #[default]
    Refuse,
    Allow,
}

/// The step, ready to count.
pub struct Limit {
    subject: Arc<dyn Subject>,
    /// What its keys begin with: the policy, and which of its steps this is.
    prefix: String,
    requests: Option<Rate>,
    tokens: Option<Rate>,
    concurrent: Option<NonZeroU32>,
    queue: Option<Queue>,
    waiting: Arc<AtomicU32>,
    when_unavailable: WhenUnavailable,
    windows: Arc<dyn Windows>,
    places: Arc<dyn Places>,
}

impl Limit {
    /// # Errors
    /// When it limits nothing, or `per` is nothing that requests can be told apart by.
    pub fn new(config: &Config, site: &Site<'_>) -> Result<Self, String> {
        if config.requests.is_none() && config.tokens.is_none() && config.concurrent.is_none() {
            return Err("it limits nothing; give it one of: requests, tokens, concurrent".into());
        }
        Ok(Self {
            subject: (site.subject)(&config.per)?,
            prefix: format!("{}#{}", site.policy, site.number),
            requests: config.requests,
            tokens: config.tokens,
            concurrent: config.concurrent,
            queue: config.queue,
            waiting: Arc::default(),
            when_unavailable: config.when_unavailable,
            windows: Arc::clone(&site.stores.windows),
            places: Arc::clone(&site.stores.places),
        })
    }

    async fn admit(&self, cx: &mut Cx, chat: Option<&Request>) -> Result<Admitted, Stop> {
        let view = View { cx, chat };
        let subject = self.subject.of(&view).unwrap_or_default();
        let estimate = view.input_tokens().saturating_add(view.max_tokens().unwrap_or(USUAL).min(MOST));
        let mut patience = Patience::of(self);
        let begun = Instant::now();
        let admitted = self.take(&subject, chat.map(|_| estimate), &mut patience).await;
        cx.trail.pauses += begun.elapsed();
        admitted
    }

    async fn take(&self, subject: &str, estimate: Option<u64>, patience: &mut Patience) -> Result<Admitted, Stop> {
        let place = match self.concurrent {
            Some(count) => self.enter(subject, count.get(), patience).await?,
            None => None,
        };
        let requests = match self.requests {
            Some(rate) => self.room(&self.key(":r:", subject), rate, 1, What::Requests, patience).await?,
            None => None,
        };
        let (mut debit, mut tokens) = (None, None);
        if let (Some(rate), Some(estimate)) = (self.tokens, estimate) {
            let key = self.key(":t:", subject);
            tokens = self.room(&key, rate, estimate, What::Tokens, patience).await?;
            let windows = Arc::clone(&self.windows);
            debit = tokens.map(|_| Debit { windows, key, rate, taken: estimate, is_settled: false });
        }
        Ok(Admitted { place, debit, requests, tokens })
    }

    /// Takes a place, if need be once there is one. `None` if nobody can tell and that does not matter.
    async fn enter(&self, subject: &str, count: u32, patience: &mut Patience) -> Result<Option<Place>, Stop> {
        let key = self.key(":c:", subject);
        let mut entered = self.places.enter(&key, count, Duration::ZERO).await;
        if matches!(entered, Err(NoPlace::Taken)) && patience.begin() {
            entered = self.places.enter(&key, count, patience.left()).await;
        }
        match entered {
            Ok(place) => Ok(Some(place)),
            Err(NoPlace::Taken) => {
                let message = format!("there are {count} requests under way already, which is all that is allowed");
                Err(Refusal::new(429, RATE_LIMITED, message).after(Duration::from_secs(1)).into())
            }
            Err(NoPlace::Unavailable(_)) if self.when_unavailable == WhenUnavailable::Allow => Ok(None),
            Err(NoPlace::Unavailable(reason)) => Err(unavailable(&reason)),
        }
    }

    fn key(&self, kind: &str, subject: &str) -> String {
        [&self.prefix, kind, subject].concat()
    }

    /// Takes so much, if need be once there is room. `None` if nobody can tell and that does not matter.
    async fn room(
        &self,
        key: &str,
        rate: Rate,
        amount: u64,
        what: What,
        patience: &mut Patience,
    ) -> Result<Option<Room>, Stop> {
        loop {
            match self.windows.take(key, rate, amount).await {
                Ok(room) => return Ok(Some(room)),
                Err(Full::Unavailable(_)) if self.when_unavailable == WhenUnavailable::Allow => return Ok(None),
                Err(Full::Unavailable(reason)) => return Err(unavailable(&reason)),
                Err(Full::Wait(_, wait)) if wait <= patience.left() && patience.begin() => sleep(wait).await,
                Err(Full::Wait(room, wait)) => {
                    let message = format!("the limit of {rate} {} is reached", what.name());
                    return Err(refused(message, what, room).after(wait).into());
                }
                Err(Full::Never(room)) => {
                    let message = format!("the request takes about {amount} {}, more than {rate} allow", what.name());
                    let mut refusal = refused(message, what, room);
                    refusal.headers.push((SHOULD_RETRY, HeaderValue::from_static("false")));
                    return Err(refusal.into());
                }
            }
        }
    }
}

impl Step for Limit {
    fn name(&self) -> &'static str {
        "limit"
    }

    /// Of requests whose body is not read it can count how many there are, and no more. To have tokens counted uses
    /// none and takes no time.
    fn acts_on(&self, endpoint: Endpoint) -> bool {
        matches!(endpoint, Endpoint::Chat | Endpoint::CountTokens)
            || (self.tokens.is_none() && self.concurrent.is_none())
    }

    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        Box::pin(async move { Ok(Flow::Tap(Box::new(self.admit(cx, Some(request)).await?))) })
    }

    fn begin_opaque<'a>(&'a self, cx: &'a mut Cx, _: &'a mut OpaqueRequest) -> BoxFuture<'a, Result<OpaqueFlow, Stop>> {
        Box::pin(async move { self.admit(cx, None).await.map(|_| OpaqueFlow::Pass) })
    }
}

/// A request that there was room for, until its answer is over.
struct Admitted {
    place: Option<Place>,
    debit: Option<Debit>,
    requests: Option<Room>,
    tokens: Option<Room>,
}

impl Tap for Admitted {
    fn wrap(self: Box<Self>, mut answer: Answer) -> Answer {
        let Self { place, mut debit, requests, tokens } = *self;
        answer.head.headers.reserve(REQUESTS.len() + TOKENS.len());
        for (what, room) in [(What::Requests, requests), (What::Tokens, tokens)] {
            if let Some(room) = room {
                what.tell(room, &mut answer.head.headers);
            }
        }
        // An answer that was made before, or for somebody else, has counted then.
        debit.take_if(|_| answer.head.target.is_none());
        if let Some(debit) = &mut debit {
            // From here on the request has been served, and what it took is not simply given back.
            debit.is_settled = true;
        }
        at_end(answer, move |ending| {
            if let Some(debit) = debit {
                debit.correct(&ending);
            }
            drop(place);
        })
    }

    fn looks_inside(&self) -> bool {
        false
    }
}

/// Tokens taken by an estimate. Given back if it is dropped before there was an answer.
struct Debit {
    windows: Arc<dyn Windows>,
    key: String,
    rate: Rate,
    taken: u64,
    is_settled: bool,
}

impl Debit {
    fn correct(&self, ending: &Ending) {
        let used = match (&ending.usage, ending.how) {
            (Some(usage), _) => Usage::total(usage),
            // Nobody has counted; the estimate is as good as any.
            (None, How::Whole) => return,
            (None, How::Failed | How::Abandoned) => self.taken.min(ending.output().saturating_add(self.taken / 2)),
        };
        let by = i64::try_from(used).unwrap_or(i64::MAX).saturating_sub_unsigned(self.taken);
        self.windows.correct(&self.key, self.rate, by);
    }
}

impl Drop for Debit {
    fn drop(&mut self) {
        if !self.is_settled {
            let all = i64::try_from(self.taken).unwrap_or(i64::MAX);
            self.windows.correct(&self.key, self.rate, -all);
        }
    }
}

/// How long a request may still wait for room, and whether it is among those who wait.
struct Patience {
    until: Instant,
    most: u32,
    waiting: Arc<AtomicU32>,
    waits: bool,
}

impl Patience {
    fn of(limit: &Limit) -> Self {
        let wait = limit.queue.map_or(Duration::ZERO, |queue| queue.wait.0);
        let most = limit.queue.map_or(0, |queue| queue.max.get());
        Self { until: Instant::now() + wait, most, waiting: Arc::clone(&limit.waiting), waits: false }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Joins those who wait. False if there are too many of them.
    fn begin(&mut self) -> bool {
        if !self.waits {
            let join = |waiting: u32| (waiting < self.most).then_some(waiting + 1);
            self.waits = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, join).is_ok();
        }
        self.waits
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        if self.waits {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[derive(Clone, Copy)]
enum What {
    Requests,
    Tokens,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }

    /// Says what is left, unless another limit has less.
    fn tell(self, room: Room, headers: &mut HeaderMap) {
        let [_, remaining, _] = self.names();
        let said = headers.get(remaining).and_then(|left| left.to_str().ok()?.parse::<u64>().ok());
        if said.is_none_or(|said| room.remaining <= said) {
            for (name, value) in self.headers(room) {
                headers.insert(name, value);
            }
        }
    }

    fn headers(self, room: Room) -> [(HeaderName, HeaderValue); 3] {
        let [limit, remaining, reset] = self.names().clone();
        let wait = u64::try_from(room.reset.as_millis()).unwrap_or(u64::MAX);
        let wait = [itoa::Buffer::new().format(wait), "ms"].concat();
        [
            (limit, said(itoa::Buffer::new().format(room.limit))),
            (remaining, said(itoa::Buffer::new().format(room.remaining))),
            (reset, said(&wait)),
        ]
    }

    /// Of the headers that tell how much is allowed, how much is left, and when all of it will be again.
    fn names(self) -> &'static [HeaderName; 3] {
        match self {
            Self::Requests => &REQUESTS,
            Self::Tokens => &TOKENS,
        }
    }
}

/// Of digits and letters, which any header may hold.
fn said(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("0"))
}

static REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];

static TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

fn unavailable(reason: &str) -> Stop {
    Refusal::new(503, "limit_unavailable", format!("the limit cannot be checked: {reason}")).into()
}

fn refused(message: String, what: What, room: Room) -> Refusal {
    let mut refusal = Refusal::new(429, RATE_LIMITED, message);
    refusal.headers.extend(what.headers(room));
    refusal
}

const RATE_LIMITED: &str = "rate_limit_exceeded";
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// The tokens of output that are taken for a request that sets no limit.
const USUAL: u64 = 512;
/// The most that is taken for the output before it is there: agents ask for far more than they use.
const MOST: u64 = 4_096;
