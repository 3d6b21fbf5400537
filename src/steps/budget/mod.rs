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

mod cut;
mod definition;
mod window;
mod worst;

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use tracing::warn;

use crate::base::ids::{AccountId, ModelName};
use crate::base::json::Number;
use crate::base::money::Nanos;
use crate::base::stop::{Refusal, Stop};
use crate::chat::{Request, Usage, Verbatim};
use crate::pipeline::cx::{Cx, Held, View};
use crate::pipeline::facts::Endpoint;
use crate::pipeline::opaque::OpaqueRequest;
use crate::pipeline::target::Target;
use crate::pipeline::{Answer, Flow, Step, Tap};
use crate::pricing::{Rates, Terms};
use crate::state::{Balance, Claim, Denied, Durability, HoldId, Ledger, Outputs};
use crate::steps::Site;
use crate::steps::limit::WhenUnavailable;

pub use definition::{Budget, Definition, Mode, UnknownPrice};

/// The names of the budgets that a `budget` step asks.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Config(pub Vec<String>);

/// The step, ready to ask.
pub struct Spend {
    budgets: Vec<Arc<Budget>>,
    ledger: Arc<dyn Ledger>,
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
        let outputs = Arc::clone(&site.stores.outputs);
        Ok(Self { budgets, ledger, outputs, targets: site.targets.to_vec() })
    }

    async fn admit(&self, cx: &mut Cx, request: &mut Verbatim<Request>) -> Result<Reserved, Stop> {
        let now = cx.clock.now();
        let rates = self.rates(request, now)?;
        let strict = self.budgets.iter().filter(|budget| budget.mode == Mode::Strict);
        let allowed = strict.map(|budget| budget.max_output).min();
        let output = allowed.map(|most| bound_output(request, most));
        let input = cx.tokens.estimate(&cx.model, request);
        let likely = likely(&rates, input, self.likely_output(request));
        let worst = |input: u64| worst(&rates, request, input, output.unwrap_or(0));
        let claim = self.claim(cx, request, now, (worst(request.most_tokens()), likely));
        let hold = claim.hold;
        let mut reserved = self.ledger.reserve(claim).await;
        if let Err(Denied::Overdrawn(balance)) = &reserved
            && self.is_strict(&balance.account)
        {
            let is_enough = |input: u64| worst::is_left(balance, worst(input));
            if let Some(input) = worst::counted(&cx.tokens, &self.targets, &cx.model, request, is_enough).await {
                reserved = self.ledger.reserve(self.claim(cx, request, now, (worst(input), likely))).await;
            }
        }
        match reserved {
            Ok(balances) => {
                cx.held = Some(Held { hold, asked: asked(&rates, input) });
                Ok(Reserved {
                    left: left(&balances),
                    low: self.low(&balances),
                    output: output.filter(|_| request.stream),
                })
            }
            Err(Denied::Unavailable(reason)) if self.may_go_on() => {
                warn!(%reason, "a request passes without its budgets, which allow that");
                Ok(Reserved { left: None, low: None, output: None })
            }
            Err(denied) => Err(self.refusal(denied, now).into()),
        }
    }

    /// What is to be set aside: the `worst` by strict budgets, and what is `likely` by balanced ones.
    fn claim(&self, cx: &Cx, request: &Request, now: Timestamp, (worst, likely): (Nanos, Nanos)) -> Claim {
        let view = View { cx, chat: Some(request) };
        let amount = |budget: &Budget| match budget.mode {
            Mode::Strict => worst,
            Mode::Balanced => likely,
            Mode::After => Nanos::ZERO,
        };
        let legs = self.budgets.iter().map(|budget| budget.leg(&view, now, amount(budget))).collect();
        let is_strict = self.budgets.iter().any(|budget| budget.mode == Mode::Strict);
        Claim {
            hold: HoldId { request: cx.id, attempt: 0 },
            at: now,
            legs,
            lapses: now.checked_add(LONGEST_REQUEST).unwrap_or(Timestamp::MAX),
            durability: if is_strict { Durability::Now } else { Durability::Soon },
        }
    }

    fn is_strict(&self, account: &AccountId) -> bool {
        self.budgets.iter().any(|budget| budget.mode == Mode::Strict && budget.has(account))
    }

    /// The rates of every target the request may come to.
    fn rates(&self, request: &Request, now: Timestamp) -> Result<Vec<Arc<Rates>>, Stop> {
        let model = ModelName::new(request.model.as_str());
        let refuses = self.budgets.iter().any(|budget| budget.unknown_price == UnknownPrice::Refuse);
        let mut rates = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            let asked = target.model_for(&model);
            match target.tariff.quote(asked, now) {
                Some(quote) => rates.push(quote.rates),
                None if refuses => {
                    let message =
                        format!("nobody knows what the model `{}` costs at `{}`", asked.as_str(), target.name);
                    return Err(Refusal::new(403, "unknown_price", message).into());
                }
                None => {}
            }
        }
        Ok(rates)
    }

    /// What answers of the model have hardly ever gone beyond of late.
    fn likely_output(&self, request: &Request) -> u64 {
        let asked = request.params.max_tokens.as_ref().and_then(Number::as_u64);
        let likely = self.outputs.usual_most(&ModelName::new(request.model.as_str())).unwrap_or(LIKELY_OUTPUT);
        asked.map_or(likely, |asked| asked.min(likely))
    }

    fn may_go_on(&self) -> bool {
        self.budgets.iter().all(|budget| budget.when_unavailable == WhenUnavailable::Allow)
    }

    fn refusal(&self, denied: Denied, now: Timestamp) -> Refusal {
        let Denied::Overdrawn(balance) = denied else {
            return Refusal::new(503, "budget_unavailable", format!("the budget cannot be checked: {denied}"));
        };
        let renews =
            self.budgets.iter().find(|budget| budget.has(&balance.account)).and_then(|budget| budget.renews(now));
        let mut message = format!(
            "the budget `{}` does not allow it: of {} US dollars {} are spent and {} set aside for requests under way",
            balance.account, balance.cap, balance.spent, balance.held
        );
        if let Some(renews) = renews {
            message.push_str(&format!("; it begins anew at {renews}"));
        }
        Refusal::new(402, "budget_exceeded", message)
    }

    /// The account that has come to where its budget warns, if one has.
    fn low(&self, balances: &[Balance]) -> Option<String> {
        let is_low = |(budget, balance): &(&Arc<Budget>, &Balance)| budget.is_low(used(balance));
        let (_, balance) = self.budgets.iter().zip(balances).find(is_low)?;
        Some(balance.account.to_string())
    }
}

impl Step for Spend {
    fn name(&self) -> &'static str {
        "budget"
    }

    /// To have tokens counted costs nothing.
    fn acts_on(&self, endpoint: Endpoint) -> bool {
        matches!(endpoint, Endpoint::Chat | Endpoint::CountTokens)
    }

    fn begin_opaque<'a>(&'a self, _: &'a mut Cx, _: &'a mut OpaqueRequest) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async { Ok(()) })
    }

    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        Box::pin(async move { Ok(Flow::Tap(Box::new(self.admit(cx, request).await?))) })
    }
}

/// A request whose cost is set aside.
struct Reserved {
    /// What is left of the budget that has the least.
    left: Option<Nanos>,
    /// The account that is running low.
    low: Option<String>,
    /// Tokens after which a streamed answer is cut.
    output: Option<u64>,
}

impl Tap for Reserved {
    fn wrap(self: Box<Self>, mut answer: Answer) -> Answer {
        let mut tell = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                answer.head.headers.insert(name, value);
            }
        };
        if let Some(left) = self.left {
            tell(REMAINING, left.to_string());
        }
        if let Some(low) = self.low {
            tell(WARNING, low);
        }
        match self.output {
            Some(most) => cut::after(answer, most),
            None => answer,
        }
    }
}

/// Sees to it that no more output is asked for than is set aside, and says how much that is.
fn bound_output(request: &mut Verbatim<Request>, most: u64) -> u64 {
    let asked = request.params.max_tokens.as_ref().and_then(Number::as_u64);
    let output = asked.map_or(most, |asked| asked.min(most));
    if asked != Some(output) {
        request.edit().params.max_tokens = Some(Number::from(output));
    }
    let answers = request.params.n.as_ref().and_then(Number::as_u64).unwrap_or(1).max(1);
    output.saturating_mul(answers)
}

/// The most that the request can cost anywhere.
fn worst(rates: &[Arc<Rates>], request: &Request, input: u64, output: u64) -> Nanos {
    dearest(rates, |rates| match request.has_media() {
        true => rates.worst_of_media(input, output, Terms::default()),
        false => rates.worst(input, output, Terms::default()),
    })
}

/// What the request will likely cost, at the dearest target.
fn likely(rates: &[Arc<Rates>], input: u64, output: u64) -> Nanos {
    let usage = Usage::of(input, output);
    dearest(rates, |rates| rates.cost(&usage, Terms::default()))
}

/// What it costs to have asked, and heard nothing.
fn asked(rates: &[Arc<Rates>], input: u64) -> Nanos {
    dearest(rates, |rates| rates.cost(&Usage::of(input, 0), Terms::default()))
}

fn dearest(rates: &[Arc<Rates>], cost: impl Fn(&Rates) -> Nanos) -> Nanos {
    rates.iter().map(|rates| cost(rates)).max().unwrap_or(Nanos::ZERO)
}

fn left(balances: &[Balance]) -> Option<Nanos> {
    balances.iter().map(|balance| Nanos(balance.cap.0.saturating_sub(used(balance).0).max(0))).min()
}

fn used(balance: &Balance) -> Nanos {
    Nanos(balance.spent.0.saturating_add(balance.held.0))
}

/// The tokens of an answer that `balanced` budgets reckon with while a model is new to them.
const LIKELY_OUTPUT: u64 = 1_024;
/// Whoever holds money for longer is thought to be dead.
const LONGEST_REQUEST: Duration = Duration::from_secs(24 * 60 * 60);
const REMAINING: HeaderName = HeaderName::from_static("x-tidegate-budget-remaining-usd");
const WARNING: HeaderName = HeaderName::from_static("x-tidegate-budget-warning");
