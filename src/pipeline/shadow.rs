//! Copies of requests sent elsewhere, to see how another target would do.
//!
//! A shadow's answer is read to its end, so that its target's latency and failures are measured, and
//! dropped. It never delays or changes the caller's own answer, and there are never more than a few at a
//! time: beyond that copies are not sent, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::auth::Caller;
use crate::base::clock::Clock;
use crate::base::ids::{ModelName, RequestId};
use crate::chat::{Request, Verbatim};
use crate::pipeline::attempt::execute;
use crate::pipeline::charge::Basis;
use crate::pipeline::chat::{ChatExchange, Onlookers, Steer};
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::retry::Rules;
use crate::pipeline::route::Plan;
use crate::pipeline::trail::Trail;
use crate::tokens::Tokens;

/// The most shadows under way at a time.
const MOST: usize = 64;

/// The shadow traffic of the process.
pub struct Shadows {
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    clock: Clock,
    dropped: AtomicU64,
    tokens: Arc<Tokens>,
}

impl Shadows {
    pub fn new(clock: Clock, tokens: Arc<Tokens>) -> Self {
        let places = Arc::new(Semaphore::new(MOST));
        Self { places, tasks: TaskTracker::new(), clock, dropped: AtomicU64::new(0), tokens }
    }

    /// Sends copies of `request` to the plan's shadows, with what its `headers` say in its dialect.
    pub fn send(&self, plan: &Plan, request: &Verbatim<Request>, headers: &HeaderMap, rules: &Arc<Rules>) {
        for target in &plan.shadows {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let plan = Plan::to(Arc::clone(target));
            let (request, rules, mut cx) = (Box::new(request.clone()), Arc::clone(rules), self.cx());
            let headers = headers.clone();
            self.tasks.spawn(async move {
                let steer = Steer { from_caller: &headers, from_steps: &HeaderMap::new() };
                let mut exchange = ChatExchange::new(request, &cx.model, steer, Onlookers::Nobody);
                if let Ok(mut answer) = execute(&mut cx, &plan, &rules, &mut exchange).await {
                    while answer.frames.next().await.is_some() {}
                }
                drop(place);
            });
        }
    }

    /// How many copies were not sent because too many were under way.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn cx(&self) -> Cx {
        let unix_ms = self.clock.now().as_millisecond();
        Cx {
            id: RequestId::fresh(u64::try_from(unix_ms).unwrap_or(0)),
            caller: Caller::anonymous(),
            endpoint: Endpoint::Chat,
            dialect: None,
            model: ModelName::default(),
            headers: HeaderMap::new(),
            clock: self.clock,
            started: tokio::time::Instant::now(),
            policy: None,
            trail: Trail::default(),
            remarks: Default::default(),
            basis: Basis::default(),
            tokens: Arc::clone(&self.tokens),
            question: None,
            asked: None,
            tags: Vec::new(),
            outgoing: HeaderMap::new(),
            detour: None,
            presence: None,
            held: None,
            charges: Vec::new(),
        }
    }
}
