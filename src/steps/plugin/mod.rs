//! Asks a plugin: a component in a sandbox, which sees what the policy grants it of requests and answers, and may change,
//! refuse or answer them.
//!
//! The component is read, checked, compiled and configured when the policy loads; what is wrong with it is wrong with the
//! policy. At run time whatever it does is bounded, and whatever it cannot do ends as the policy says: by default the request
//! is refused. The instances, the breaker and what was compiled belong to one revision of the policies; what the plugin keeps
//! and how it has fared belong to the process.
//!
//! It sees chat. What the gateway does not read itself is not shown to plugins either, so a policy with one does not cover
//! other endpoints.

mod back;
mod book;
mod build;
mod config;
pub mod edits;
mod lanes;
mod outside;
mod parts;
pub mod schema;
pub mod trial;
mod verdict;
pub mod view;
mod ward;

use std::sync::Arc;

use futures_core::future::BoxFuture;
use futures_util::StreamExt as _;
use http::HeaderName;

use crate::base::ids::DialectId;
use crate::base::stop::{Refusal, Stop};
use crate::chat::{Event, Events, Frame, Request, Verbatim};
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::opaque::OpaqueRequest;
use crate::pipeline::step::{Deed, OpaqueFlow, Side};
use crate::pipeline::{Answer, Flow, Head, Step};
use crate::wasm::types::{self, Verdict};
use crate::wasm::{Hook, Trouble};

use back::{Follow, Hold, Hooks};
use book::Outcome;
pub use book::{Book, Record};
pub use config::{Config, Grant, LimitsDoc};
use config::{Gather, Mode};
use verdict::Found;
use view::{Attached, Sight};
use ward::Ward;

/// The step, its plugin compiled and configured.
pub struct PluginStep {
    ward: Arc<Ward>,
    sees_requests: bool,
    /// What of answers it sees; `None` if nothing.
    follows: Option<Hooks>,
    gather: Gather,
    hold: Hold,
    policy: String,
    /// Of the request's headers, those it may see.
    headers: Vec<HeaderName>,
    sees_claims: bool,
    /// It may call other servers or ask models.
    tells_others: bool,
    /// It may keep what it likes.
    keeps: bool,
}

/// What the plugin has said of a request.
struct Ruled {
    ruling: Ruling,
    found: Found,
    tags: Vec<(String, String)>,
}

enum Ruling {
    Change(Box<edits::Plan>),
    Deny(Refusal),
    Respond(Box<Answer>),
}

impl PluginStep {
    async fn outward(&self, cx: &mut Cx, request: &mut Verbatim<Request>) -> Result<Flow, Stop> {
        cx.remarks.note("plugin", self.ward.name.to_string());
        if self.ward.models.is_some() {
            cx.beside.get_or_insert_default();
        }
        let context = self.context(cx);
        let (mut shown, mut attached) = view::request(request, self.ward.request_sight);
        if self.sees_requests {
            let has_attached = !attached.is_empty();
            let mut is_changed = false;
            let call = self.ward.call(Some(std::mem::take(&mut attached)), cx.beside.as_ref());
            let (ruled, report) = self
                .ward
                .once(call, async |instance, call| {
                    let outcome = instance.on_request(call, &context, &shown).await?;
                    self.weigh(outcome, request, &*cx).map_err(Trouble::Nonsense)
                })
                .await;
            match ruled {
                Ok(ruled) => {
                    let outcome = outcome_of(&ruled.ruling);
                    is_changed = outcome == Outcome::Edit;
                    self.ward.went_well(Hook::Request, outcome, report);
                    if let Some(answer) = self.carry_out(ruled, cx, request)? {
                        return Ok(Flow::Answer(answer));
                    }
                }
                Err(trouble) => {
                    cx.remarks.note("trouble", trouble.kind().name());
                    if let Some(refusal) = self.ward.failed(Hook::Request, &trouble, report) {
                        return Err(refusal.into());
                    }
                }
            }
            if self.follows.is_some() && (is_changed || has_attached) {
                (shown, attached) = view::request(request, self.ward.request_sight);
            }
        }
        Ok(match self.follows {
            Some(hooks) => Flow::Tap(Box::new(self.follow(cx, hooks, context, shown, attached))),
            None => Flow::Pass,
        })
    }

    fn follow(
        &self,
        cx: &mut Cx,
        hooks: Hooks,
        context: types::Context,
        request: types::ChatRequest,
        attached: Attached,
    ) -> Follow {
        Follow {
            ward: Arc::clone(&self.ward),
            hooks,
            context: types::Context { tags: tags_of(cx), ..context },
            request,
            attached,
            counts: cx.remarks.count_answer(),
            beside: cx.beside.clone(),
            gather: self.gather,
            hold: self.hold,
            request_id: cx.id.to_string(),
        }
    }

    fn context(&self, cx: &Cx) -> types::Context {
        let own = |text: &Option<Arc<str>>| text.as_deref().map(ToOwned::to_owned);
        let header = |name: &HeaderName| {
            let value = cx.headers.get(name)?.to_str().ok()?.to_owned();
            Some(types::Tag { key: name.to_string(), value })
        };
        let claims = cx.caller.claims.as_ref().filter(|_| self.sees_claims);
        types::Context {
            request_id: cx.id.to_string(),
            policy: self.policy.clone(),
            dialect: cx.dialect.map_or("", |dialect| dialect.0).to_owned(),
            key: cx.caller.key.as_ref().map(ToString::to_string),
            team: own(&cx.caller.team),
            user: own(&cx.caller.user),
            caller_tags: cx.caller.tags.iter().map(ToString::to_string).collect(),
            claims_json: claims.and_then(|claims| serde_json::to_string(&**claims).ok()),
            headers: self.headers.iter().filter_map(header).collect(),
            tags: tags_of(cx),
            deadline_ms: u32::try_from(self.ward.plugin.limits().wall.as_millis()).unwrap_or(u32::MAX),
        }
    }

    fn weigh(&self, outcome: types::Outcome, request: &Verbatim<Request>, cx: &Cx) -> Result<Ruled, String> {
        let found = Found::of(&outcome.findings)?;
        let tags = verdict::tags(outcome.tags)?;
        let ruling = match outcome.verdict {
            Verdict::Deny(denial) => Ruling::Deny(verdict::refusal(denial, &self.ward.name)?),
            Verdict::Respond(reply) => Ruling::Respond(Box::new(answer(reply, request, cx)?)),
            Verdict::Pass => Ruling::Change(Box::new(edits::Plan::of(outcome.edits, request, &self.ward.leave)?)),
        };
        Ok(Ruled { ruling, found, tags })
    }

    /// Does what the plugin has said. Gives its answer, if that is what it said.
    fn carry_out(&self, ruled: Ruled, cx: &mut Cx, request: &mut Verbatim<Request>) -> Result<Option<Answer>, Stop> {
        let Ruled { ruling, found, tags } = ruled;
        for (kind, count) in found.kinds {
            cx.remarks.note(kind, count);
        }
        if !found.places.is_empty() {
            cx.remarks.note("places", found.places.join(" "));
        }
        for (key, value) in &tags {
            cx.remarks.note(format!("tag:{key}"), value.clone());
        }
        if self.ward.mode == Mode::Observe {
            cx.remarks.note("would", outcome_of(&ruling).name());
            return Ok(None);
        }
        cx.tags.extend(tags);
        match ruling {
            Ruling::Deny(refusal) => Err(refusal.into()),
            Ruling::Respond(answer) => Ok(Some(*answer)),
            Ruling::Change(mut plan) => {
                for (name, value) in plan.headers.drain(..) {
                    cx.outgoing.insert(name, value);
                }
                plan.apply(request);
                Ok(None)
            }
        }
    }
}

fn outcome_of(ruling: &Ruling) -> Outcome {
    match ruling {
        Ruling::Change(plan) if plan.is_empty() => Outcome::Pass,
        Ruling::Change(_) => Outcome::Edit,
        Ruling::Deny(_) => Outcome::Deny,
        Ruling::Respond(_) => Outcome::Respond,
    }
}

fn tags_of(cx: &Cx) -> Vec<types::Tag> {
    let tag = |(key, value): &(String, String)| types::Tag { key: key.clone(), value: value.clone() };
    cx.tags.iter().map(tag).collect()
}

/// An answer of the plugin's own, in the dialect of whoever asked.
fn answer(reply: types::Reply, request: &Verbatim<Request>, cx: &Cx) -> Result<Answer, String> {
    let dialect: DialectId = cx.dialect.unwrap_or(request.dialect);
    let id = format!("plugin-{}", cx.id);
    let completion = verdict::answer(reply, &id, &request.model.as_str())?;
    let frame = Frame::new(Events::from_iter([Event::Whole(Box::new(completion))]));
    let head = Head {
        target: None,
        provider: None,
        model: cx.model.clone(),
        dialect,
        headers: http::HeaderMap::new(),
        is_detoured: false,
        basis: Default::default(),
        audience: None,
    };
    Ok(Answer { head, frames: futures_util::stream::iter([Ok(vec![frame])]).boxed() })
}

impl Step for PluginStep {
    fn name(&self) -> &'static str {
        "plugin"
    }

    /// A count is of what the caller wrote: it passes a plugin that would not have changed it.
    fn acts_on(&self, endpoint: Endpoint) -> bool {
        let may_hide = self.sees_requests && self.ward.request_sight == Sight::Text;
        endpoint == Endpoint::Chat || (endpoint == Endpoint::CountTokens && !may_hide)
    }

    fn deeds(&self) -> Vec<Deed> {
        let sides = [(Side::Request, self.ward.request_sight), (Side::Answer, self.ward.answer_sight)];
        let seen = sides.into_iter().filter(|(_, sight)| *sight == Sight::Text).map(|(side, _)| side);
        let deeds = seen.flat_map(|side| {
            let (shows, keeps) =
                (self.tells_others.then_some(Deed::Shows(side)), self.keeps.then_some(Deed::Keeps(side)));
            [Some(Deed::Guards(side)), shows, keeps]
        });
        deeds.flatten().collect()
    }

    fn begin_opaque<'a>(&'a self, _: &'a mut Cx, _: &'a mut OpaqueRequest) -> BoxFuture<'a, Result<OpaqueFlow, Stop>> {
        Box::pin(std::future::ready(Ok(OpaqueFlow::Pass)))
    }

    fn holds_back(&self) -> Option<usize> {
        self.follows.map(|hooks| if hooks.stream { self.hold.pieces } else { self.hold.whole })
    }

    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        Box::pin(self.outward(cx, request))
    }
}
