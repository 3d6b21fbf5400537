//! Keeps spend within budgets: what a request may cost is set aside before it is sent, and what it did cost is booked
//! in its place when it is over.
//!
//! All budgets of a request are asked together, and either all of them have room or none is touched. What a request
//! may cost is reckoned at the dearest target that its route can lead to. A `strict` budget sets the most aside that
//! the request can cost: each byte of it may be a token, and the answer may be as long as was asked for, up to the
//! budget's `max_output`, which the provider is told. Where that much is not left, the request is [counted](worst)
//! if it can be. A stream that goes on beyond that all the same is cut, with an error that says why.
//!
//! The step decides and the gateway's account settles, once, however the request ends.

mod amount;
mod cut;
mod definition;
mod wallet;
mod window;
mod worst;

use std::sync::Arc;

use futures_core::future::BoxFuture;
use http::{HeaderName, HeaderValue};

use crate::base::ids::ModelName;
use crate::base::json::Number;
use crate::base::money::{Dollars, Nanos};
use crate::base::stop::Stop;
use crate::chat::{Request, Verbatim};
use crate::pipeline::charge::service;
use crate::pipeline::cx::{Cx, View};
use crate::pipeline::facts::Endpoint;
use crate::pipeline::opaque::OpaqueRequest;
use crate::pipeline::step::Deed;
use crate::pipeline::target::Target;
use crate::pipeline::{Answer, Flow, OpaqueFlow, Step, Tap};
use crate::pricing::Unknown;
use crate::state::{Balance, Claim, Durability, HoldId, Outputs};
use crate::steps::Site;

use amount::Prices;
pub use definition::{Budget, Definition, Mode, OnExceed};
use wallet::{NotReserved, Reserved, Wallet};

/// The names of the budgets that a `budget` step asks.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Config(pub Vec<String>);

/// The step, ready to ask.
pub struct Spend {
    wallet: Arc<Wallet>,
    outputs: Arc<Outputs>,
    /// Everywhere a request may be sent to.
    targets: Vec<Arc<Target>>,
}

impl Spend {
    /// # Errors
    /// When it names no budget, or one that is not there.
    pub fn new(config: &Config, site: &Site<'_>) -> Result<Self, String> {
        if config.0.is_empty() {
            return Err("it names no budget".into());
        }
        let find = |name: &String| {
            let known = site.budgets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "the file has none".to_owned() } else { format!("known are: {known}") };
            site.budgets.get(name).cloned().ok_or_else(|| format!("there is no budget `{name}`; {known}"))
        };
        let budgets: Vec<Arc<Budget>> = config.0.iter().map(find).collect::<Result<_, _>>()?;
        let ledger = site.stores.ledger.clone().ok_or("the ledger is opened when the gateway starts; start it anew")?;
        let wallet = Arc::new(Wallet {
            budgets,
            ledger,
            alerts: Arc::clone(&site.stores.alerts),
            reservations: Arc::clone(&site.stores.reservations),
        });
        Ok(Self { wallet, outputs: Arc::clone(&site.stores.outputs), targets: site.targets.to_vec() })
    }

    /// Sets aside what the request may cost. Where a budget has another target for what it cannot bear, that one is
    /// asked for instead, if what is left is enough for it.
    async fn admit(&self, cx: &mut Cx, request: &mut Verbatim<Request>) -> Result<Admitted, Stop> {
        cx.basis.service = service(request);
        cx.basis.unknown = self.unknown();
        let mut asked: Vec<&Arc<Target>> = Vec::new();
        loop {
            let balance = match self.try_admit(cx, request, asked.last().copied()).await? {
                Ok(admitted) => {
                    cx.detour = asked.last().map(|target| Arc::clone(target));
                    return Ok(admitted);
                }
                Err(balance) => balance,
            };
            let cheaper = self.wallet.budget_of(&balance).and_then(|budget| budget.instead.as_ref());
            match cheaper.filter(|cheaper| !asked.iter().any(|target| Arc::ptr_eq(target, cheaper))) {
                Some(cheaper) => asked.push(cheaper),
                None => return Err(self.wallet.refusal(&balance, cx.clock.now()).into()),
            }
        }
    }

    /// The balance of the account that does not allow it, if one does not.
    async fn try_admit(
        &self,
        cx: &mut Cx,
        request: &mut Verbatim<Request>,
        detour: Option<&Arc<Target>>,
    ) -> Result<Result<Admitted, Balance>, Stop> {
        let targets = detour.map_or(self.targets.as_slice(), std::slice::from_ref);
        let prices = Prices::of(targets, request, cx.basis, cx.clock.now())?;
        let strict = self.wallet.budgets.iter().filter(|budget| budget.mode == Mode::Strict);
        let allowed = strict.map(|budget| budget.max_output).min();
        let output = allowed.map(|most| amount::bound_output(request, most));
        let worst = |input: u64| prices.worst(request, input, output.unwrap_or(0));
        let likely = prices.likely(cx.tokens.estimate(&cx.model, request), self.likely_output(request));
        if detour.is_some() && prices.worst(request, request.most_tokens(), output.unwrap_or(1)) == Nanos::ZERO {
            // A budget that is used up has nothing to say about what is free.
            return Ok(Ok(Admitted::default()));
        }
        let cut = output.filter(|_| request.stream);
        let claim = self.claim(cx, request, worst(request.most_tokens()), likely);
        let mut reserved = self.wallet.reserve(claim, cx.clock).await;
        if let Err(NotReserved::Over(balance)) = &reserved
            && self.wallet.budget_of(balance).is_some_and(|budget| budget.mode == Mode::Strict)
        {
            let is_enough = |input: u64| worst::is_left(balance, worst(input));
            if let Some(input) = worst::counted(&cx.tokens, targets, &cx.model, request, is_enough).await {
                let claim = self.claim(cx, request, worst(input), likely);
                reserved = self.wallet.reserve(claim, cx.clock).await;
            }
        }
        match reserved {
            Ok(Reserved { held, left, low }) => {
                cx.held = held;
                Ok(Ok(Admitted { left, low, output: cut }))
            }
            Err(NotReserved::Over(balance)) => Ok(Err(balance)),
            Err(NotReserved::Refused(refusal)) => Err(refusal.into()),
        }
    }

    /// What is to be set aside: the `worst` by strict budgets, and what is `likely` by balanced ones.
    fn claim(&self, cx: &Cx, request: &Request, worst: Nanos, likely: Nanos) -> Claim {
        let amount = |budget: &Budget| match budget.mode {
            Mode::Strict => worst,
            Mode::Balanced => likely,
            Mode::After => Nanos::ZERO,
        };
        let is_strict = self.wallet.budgets.iter().any(|budget| budget.mode == Mode::Strict);
        let durability = if is_strict { Durability::Now } else { Durability::Soon };
        let hold = HoldId { request: cx.id, attempt: 0 };
        self.wallet.claim(hold, &View { cx, chat: Some(request) }, amount, durability)
    }

    /// What becomes of a request whose price nobody knows, by the strictest of the budgets.
    fn unknown(&self) -> Unknown {
        let has = |unknown| self.wallet.budgets.iter().any(|budget| budget.unknown_price == unknown);
        match () {
            () if has(Unknown::Refuse) => Unknown::Refuse,
            () if has(Unknown::Estimate) => Unknown::Estimate,
            () => Unknown::Zero,
        }
    }

    /// What answers of the model have hardly ever gone beyond of late.
    fn likely_output(&self, request: &Request) -> u64 {
        let asked = request.params.max_tokens.as_ref().and_then(Number::as_u64);
        let likely = self.outputs.usual_most(&ModelName::new(request.model.as_str())).unwrap_or(LIKELY_OUTPUT);
        asked.map_or(likely, |asked| asked.min(likely))
    }
}

impl Step for Spend {
    fn name(&self) -> &'static str {
        "budget"
    }

    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::Pays]
    }

    /// To have tokens counted costs nothing.
    fn acts_on(&self, endpoint: Endpoint) -> bool {
        matches!(endpoint, Endpoint::Chat | Endpoint::CountTokens)
    }

    fn begin_opaque<'a>(&'a self, _: &'a mut Cx, _: &'a mut OpaqueRequest) -> BoxFuture<'a, Result<OpaqueFlow, Stop>> {
        Box::pin(async { Ok(OpaqueFlow::Pass) })
    }

    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        Box::pin(async move { Ok(Flow::Tap(Box::new(self.admit(cx, request).await?))) })
    }
}

/// A request whose cost is set aside.
#[derive(Default)]
struct Admitted {
    /// What is left of the budget that has the least.
    left: Option<Nanos>,
    /// The account that is running low.
    low: Option<String>,
    /// Tokens after which a streamed answer is cut.
    output: Option<u64>,
}

impl Tap for Admitted {
    fn wrap(self: Box<Self>, mut answer: Answer) -> Answer {
        let mut tell = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.head.headers.insert(name, value);
            }
        };
        if let Some(left) = self.left {
            tell(REMAINING, Dollars::of(left).as_str());
        }
        if let Some(low) = self.low {
            tell(WARNING, &low);
        }
        match self.output {
            Some(most) => cut::after(answer, most),
            None => answer,
        }
    }

    /// Only an answer that may have to be cut is counted as it comes.
    fn looks_inside(&self) -> bool {
        self.output.is_some()
    }
}

/// The tokens of an answer that `balanced` budgets reckon with while a model is new to them.
const LIKELY_OUTPUT: u64 = 1_024;
const REMAINING: HeaderName = HeaderName::from_static("x-tidegate-budget-remaining-usd");
const WARNING: HeaderName = HeaderName::from_static("x-tidegate-budget-warning");
