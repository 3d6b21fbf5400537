//! What is known about one request while it runs.

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::auth::Caller;
use crate::base::clock::Clock;
use crate::base::ids::{DialectId, ModelName, PolicyName, RequestId, TargetName};
use crate::base::money::Nanos;
use crate::base::trace::TraceContext;
use crate::chat::{Numbers, Request, Tool, Usage};
use crate::pipeline::charge::{Asked, Basis, Beside, Charge, Held, Price, Question};
use crate::pipeline::facts::{Endpoint, Facts};
use crate::pipeline::presence::Presence;
use crate::pipeline::remarks::Remarks;
use crate::pipeline::renewal::Renewal;
use crate::pipeline::target::Target;
use crate::pipeline::trail::Trail;
use crate::telemetry::otlp::Texts;
use crate::tokens::Tokens;

/// The facts of one exchange that no step changes, and the trail that every step writes.
pub struct Cx {
    pub id: RequestId,
    pub trace: TraceContext,
    pub caller: Caller,
    pub endpoint: Endpoint,
    /// The dialect the caller speaks; `None` on endpoints that have none.
    pub dialect: Option<DialectId>,
    /// The model as the caller named it.
    pub model: ModelName,
    pub headers: HeaderMap,
    pub clock: Clock,
    pub started: Instant,
    pub policy: Option<PolicyName>,
    pub trail: Trail,
    /// What the step under way has to say of its decision.
    pub remarks: Remarks,
    pub basis: Basis,
    /// What requests are estimated and counted with.
    pub tokens: Arc<Tokens>,
    /// What it costs by, should nobody say what it took.
    pub question: Option<Question>,
    /// Who was asked last, and whose answer is awaited or has begun.
    pub asked: Option<Asked>,
    /// What came of looking for its answer among those that are kept, if a step has looked.
    pub cached: Option<Cached>,
    /// An answer whose time is over has been given, and is to be renewed.
    pub to_renew: Option<Renewal>,
    /// It is put to renew such an answer.
    pub renews: Option<Renewal>,
    /// Whether a tap of an earlier step looks at what its answer says.
    pub is_seen: bool,
    /// What plugins have tagged it with.
    pub tags: Vec<(String, String)>,
    /// Headers that go to the provider beside its own.
    pub outgoing: HeaderMap,
    /// Where a step sends it instead of where the route leads.
    pub detour: Option<Arc<Target>>,
    /// Whether its caller is still there, where that makes a difference.
    pub presence: Option<Arc<Presence>>,
    /// The numbers that targets are asked to answer by, once they are.
    pub numbers: Option<Numbers>,
    /// Where its texts are kept for traces, if they are.
    pub texts: Option<Arc<Texts>>,
    /// What is set aside in the ledger for the attempt under way.
    pub held: Option<Held>,
    /// Attempts that failed, and cost something.
    pub charges: Vec<Charge>,
    /// What its steps ask of models beside it, if one may.
    pub beside: Option<Beside>,
}

/// How an exchange begins.
pub struct Beginning {
    pub at: Timestamp,
    pub started: Instant,
    pub trace: TraceContext,
}

impl Cx {
    /// An exchange that begins now, and of which nothing else is known yet.
    pub fn new(endpoint: Endpoint, clock: Clock, tokens: Arc<Tokens>) -> Self {
        let beginning = Beginning { at: clock.now(), started: Instant::now(), trace: TraceContext::fresh() };
        Self::begun(beginning, endpoint, clock, tokens)
    }

    /// The same of an exchange that has begun.
    pub fn begun(beginning: Beginning, endpoint: Endpoint, clock: Clock, tokens: Arc<Tokens>) -> Self {
        let Beginning { at, started, trace } = beginning;
        Self {
            id: RequestId::fresh(u64::try_from(at.as_millisecond()).unwrap_or(0)),
            trace,
            caller: Caller::default(),
            endpoint,
            dialect: None,
            model: ModelName::default(),
            headers: HeaderMap::new(),
            clock,
            started,
            policy: None,
            trail: Trail::default(),
            remarks: Remarks::default(),
            basis: Basis::default(),
            tokens,
            question: None,
            asked: None,
            cached: None,
            to_renew: None,
            renews: None,
            is_seen: false,
            tags: Vec::new(),
            outgoing: HeaderMap::new(),
            detour: None,
            presence: None,
            numbers: None,
            texts: None,
            held: None,
            charges: Vec::new(),
            beside: None,
        }
    }

    /// Whoever was asked last has worked in vain, and charges for it.
    pub fn waste(&mut self, usage: Usage) {
        let Some(asked) = self.asked.take() else { return };
        let attempt = u16::try_from(self.trail.asked().saturating_sub(1)).unwrap_or(u16::MAX);
        let hold = self.held.as_mut().map(|held| {
            held.is_spent = true;
            held.hold
        });
        self.charges.push(Charge { attempt, asked, hold, usage });
    }
}

/// What came of looking for an answer among those that are kept.
#[derive(Debug, Clone)]
pub struct Cached {
    /// `hit`, `stale`, `shared`, `miss`, `refresh` or `bypass`.
    pub result: &'static str,
    /// How the answer was found that is given: `exact`, `canonical` if the question is only written otherwise, or `similar`
    /// if it was put in other words.
    pub tier: Option<&'static str>,
    /// What the answer cost when it was made, less what is charged for it now, if nobody was asked for it and that is
    /// known.
    pub saved: Option<Nanos>,
    /// What its caller is charged for it.
    pub charged: Option<Nanos>,
    /// The target that made it, if it was kept.
    pub maker: Option<TargetName>,
    /// The price of an answer that another request is answered by as well, which is saved once it is known what that took.
    pub worth: Option<Price>,
}

impl Cached {
    /// Of which there is no more to say.
    pub fn of(result: &'static str) -> Self {
        Self { result, tier: None, saved: None, charged: None, maker: None, worth: None }
    }
}

/// A request and its exchange, seen the way conditions see them.
pub struct View<'a> {
    pub cx: &'a Cx,
    pub chat: Option<&'a Request>,
}

impl Facts for View<'_> {
    fn caller(&self) -> &Caller {
        &self.cx.caller
    }

    fn now(&self) -> Timestamp {
        self.cx.clock.now()
    }

    fn endpoint(&self) -> Endpoint {
        self.cx.endpoint
    }

    fn dialect(&self) -> Option<DialectId> {
        self.cx.dialect
    }

    fn model(&self) -> &str {
        self.cx.model.as_str()
    }

    fn is_stream(&self) -> bool {
        self.chat.is_some_and(|request| request.stream)
    }

    fn input_tokens(&self) -> u64 {
        self.chat.map_or(0, |request| self.cx.tokens.estimate(&self.cx.model, request))
    }

    fn max_tokens(&self) -> Option<u64> {
        self.chat?.params.max_tokens.as_ref()?.as_u64()
    }

    fn has_tools(&self) -> bool {
        self.chat.is_some_and(|request| !<[Tool]>::is_empty(&request.tools))
    }

    fn has_images(&self) -> bool {
        self.chat.is_some_and(Request::has_images)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.cx.headers.get(name)?.to_str().ok()
    }

    fn tags(&self) -> Vec<String> {
        self.cx.tags.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    fn policy(&self) -> Option<&str> {
        self.cx.policy.as_ref().map(PolicyName::as_str)
    }
}
