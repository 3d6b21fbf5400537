//! The library face of the gateway: pin a snapshot, authenticate, answer.
//!
//! A [`Gateway`] holds the two long lifetimes: the [`World`], which lasts as long as the process, and the
//! [`Snapshot`] in charge, which a reload replaces. A [`Visit`] is the third: one request, which keeps the
//! snapshot it began with to its last byte. Every visit is accounted for exactly once, however it ends.
//!
//! It knows nothing of sockets; the server puts requests to it, and so can a test.

mod account;
mod bill;
mod carry;
mod closing;
mod copies;
mod errand;
mod jwks;
mod notify;
mod outlive;
pub mod reload;
mod renew;
mod settle;
mod shown;
mod standings;
mod stated;
mod told;
mod visit;
mod witness;
mod world;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use tokio::time::Instant;

use crate::auth::Presented;
use crate::base::ids::{DialectId, RequestId};
use crate::base::stop::Stop;
use crate::base::trace::TraceContext;
use crate::pipeline::cx::{Beginning, Cx};
use crate::pipeline::facts::Endpoint;
use crate::policy::Snapshot;
use crate::state::Unavailable;

use account::Account;
pub use account::AccountedBody;
pub use bill::Tab;
pub use jwks::FetchOverPools;
pub use notify::notify;
use shown::Watched;
pub use standings::AccountStanding;
pub use visit::{About, ChatAnswer, Counted, Exactness, Forwarded, Visit};
pub use witness::{Decision, Witness};
pub use world::World;

/// The gateway: what lasts, and the policy revision in charge.
pub struct Gateway {
    world: Arc<World>,
    snapshot: Arc<ArcSwap<Snapshot>>,
}

/// The head of a request, as the server has read it.
pub struct Arrival<'a> {
    pub started: Instant,
    pub endpoint: Endpoint,
    pub dialect: Option<DialectId>,
    pub headers: HeaderMap,
    pub method: &'a http::Method,
    /// Without its query.
    pub path: &'a str,
    /// The verified certificate of the peer, DER.
    pub peer_certificate: Option<&'a [u8]>,
}

impl Gateway {
    pub fn new(world: Arc<World>, snapshot: Arc<Snapshot>) -> Self {
        let gateway = Self { world, snapshot: Arc::new(ArcSwap::new(Arc::clone(&snapshot))) };
        gateway.put_in_charge(snapshot);
        gateway
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The revision in charge now.
    pub fn pin(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another revision in charge. Requests under way keep theirs.
    pub fn put_in_charge(&self, snapshot: Arc<Snapshot>) {
        let metrics = &self.world.metrics;
        metrics.revision_is(&snapshot.revision);
        metrics.teams.are(snapshot.teams());
        metrics
            .models
            .are(snapshot.policies.iter().flat_map(|policy| &policy.models).map(|model| model.as_str().into()));
        self.world.trace_to(&snapshot.exporters);
        self.world.report_to(&snapshot.metric_exporters, Watched::of(&self.world, &self.snapshot));
        self.world.record_in(snapshot.decisions.as_ref());
        // Before requests of this revision come, and make shelves of their own.
        let shelves = snapshot.policies.iter().flat_map(|policy| &policy.line.steps).filter_map(|step| step.shelf());
        let rooms: Vec<_> = shelves.map(|(policy, room)| (policy.clone(), room)).collect();
        self.world.stores.answers.stand(&rooms);
        self.snapshot.store(snapshot);
    }

    /// The metrics as they are now, in the text format of OpenMetrics.
    pub async fn metrics(&self) -> String {
        shown::shown(&self.world, &self.pin()).await
    }

    /// Every account that has been used, by name, as it stands in the window it is in.
    ///
    /// # Errors
    /// When the ledger cannot be asked.
    pub async fn standings(&self) -> Result<Vec<AccountStanding>, Unavailable> {
        standings::standings(&self.world, &self.pin()).await
    }

    /// Notes a request that is for no endpoint, so that it leaves a line in the log, too.
    pub fn stray(&self, started: Instant, status: u16) -> RequestId {
        let now = self.world.clock.now();
        let id = RequestId::fresh(u64::try_from(now.as_millisecond()).unwrap_or(0));
        Account::stray(Arc::clone(&self.world), id, started, now).finish(status);
        id
    }

    /// Lets a request in: pins the snapshot and finds out who calls, before the body is read.
    ///
    /// The visit comes back either way, so that a stranger's request has an id and a line in the log, too.
    pub async fn enter(&self, arrival: Arrival<'_>) -> (Visit, Result<(), Stop>) {
        let now = self.world.clock.now();
        let snapshot = self.pin();
        // No endpoint here takes a key in its query, which would travel on to the provider.
        let presented =
            Presented { headers: &arrival.headers, query: None, peer_certificate: arrival.peer_certificate };
        let caller = snapshot.authenticator.authenticate(presented, now).await;
        let (caller, outcome) = match caller {
            Ok(caller) => (caller, Ok(())),
            Err(refusal) => (Default::default(), Err(Stop::from(refusal))),
        };
        // Boxed before it is filled: it is too large to be moved.
        let (clock, tokens) = (self.world.clock, Arc::clone(&self.world.stores.tokens));
        let beginning = Beginning { at: now, started: arrival.started, trace: TraceContext::of(&arrival.headers) };
        let mut cx = Box::new(Cx::begun(beginning, arrival.endpoint, clock, tokens));
        cx.caller = caller;
        cx.dialect = arrival.dialect;
        cx.headers = arrival.headers;
        cx.trail.detail = self.world.detail();
        cx.texts = self.world.texts(&snapshot);
        cx.basis.unknown = snapshot.unknown_price;
        let mut account = Account::open(Arc::clone(&self.world), &cx, now);
        account.came_as(arrival.method, arrival.path, &cx.headers, &snapshot);
        if outcome.is_err() {
            account.turn_away();
        }
        (Visit::new(Arc::clone(&self.world), snapshot, cx, account), outcome)
    }
}
