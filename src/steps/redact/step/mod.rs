//! The `redact` step: what is found in requests and answers, and what becomes of it.
//!
//! Outward it goes through everything a model reads, and whatever else of a request goes upstream. On the way back it
//! goes through what the model said, text by text, and gives back what it took from the request if the policy says
//! so. A request or an answer in which nothing is found keeps its very bytes.
//!
//! It never lets go of what it could not judge: a request it cannot read is refused unless the policy lets it pass,
//! and an answer it refuses ends where it stands.

mod answer;
mod config;
mod document;
mod guard;
mod lanes;
mod language;
mod own;
mod passing;
mod request;
mod returns;
mod scrub;
mod seed;
mod tally;
mod topic;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use futures_core::future::BoxFuture;

use crate::base::aside::{Aside, Wanted};
use crate::base::stop::{Refusal, Stop};
use crate::chat::{Losses, Request, Verbatim};
use crate::dialect::{self, Quirks};
use crate::pipeline::cx::{Cx, View};
use crate::pipeline::facts::{Endpoint, Subject};
use crate::pipeline::opaque::{OpaqueBody, OpaqueRequest};
use crate::pipeline::step::{Deed, Side};
use crate::pipeline::{Flow, OpaqueFlow, Step};
use crate::steps::Site;
use crate::steps::redact::{Key, Vault};

pub use config::{Config, CustomConfig, Sought, Unscannable, Where};
use document::Shape;
pub use guard::Guard;
pub use language::Languages;
use returns::Returns;
pub use scrub::{Findings, Scrub};
pub use seed::Seed;
pub use tally::Tally;
pub use topic::Topic;

/// The step, its types compiled.
pub struct Redact {
    guard: Arc<Guard>,
    /// What conversations are told apart by; `None` if each request stands for itself.
    session: Option<Arc<dyn Subject>>,
    secret: [u8; 32],
    tally: Arc<Tally>,
    /// Where long texts are gone through.
    aside: Aside,
}

impl Redact {
    /// # Errors
    /// When a type does not compile, or settings contradict each other.
    pub fn new(config: &Config, site: &Site<'_>) -> Result<Self, String> {
        let session = config.session.as_deref().map(site.subject).transpose()?;
        let seed = &site.stores.seed;
        let secret = if session.is_some() { seed.lasting()? } else { seed.passing()? };
        Ok(Self {
            guard: Arc::new(Guard::new(config, site.policy.as_str())?.within(site.mode)),
            session,
            secret,
            tally: Arc::clone(&site.stores.guards),
            aside: site.stores.aside.clone(),
        })
    }

    /// What placeholders belong to: a caller's conversation, or one request. No two callers share any.
    fn scope(&self, cx: &Cx, request: Option<&Request>) -> String {
        let view = View { cx, chat: request };
        let session = self.session.as_ref().and_then(|session| session.of(&view));
        let mut scope = session.map_or_else(|| cx.id.to_string(), Cow::into_owned);
        let key = cx.caller.key.as_ref().map(ToString::to_string);
        let parts = [Some(self.guard.policy()), key.as_deref(), cx.caller.team.as_deref(), cx.caller.user.as_deref()];
        for part in parts {
            scope.push('\0');
            scope.push_str(part.unwrap_or_default());
        }
        scope
    }

    fn vault(&self, scope: &str) -> Vault {
        Vault::new(Key::derive(&self.secret, scope))
    }

    /// Goes through a request, and notes what there was. A long one is not gone through on this thread.
    async fn outward(&self, cx: &mut Cx, request: &mut Verbatim<Request>, mut vault: Vault) -> Result<Vault, Stop> {
        let mut findings = Findings::default();
        if is_short(cx, request) {
            let wanted = Wanted::always();
            let gone = request::go_through(request, &mut Scrub::new(&self.guard, &mut vault, &mut findings, &wanted));
            self.note(cx, &findings);
            return gone.map(|()| vault).map_err(Stop::from);
        }
        let nothing = Verbatim::new(Request::new(request.dialect, ""));
        let (guard, mut taken) = (Arc::clone(&self.guard), std::mem::replace(request, nothing));
        let going = self.aside.run(move |wanted| {
            let gone = request::go_through(&mut taken, &mut Scrub::new(&guard, &mut vault, &mut findings, wanted));
            (taken, vault, findings, gone)
        });
        let (taken, vault, findings, gone) = going.await.ok_or_else(broke_off)?;
        *request = taken;
        self.note(cx, &findings);
        gone.map(|()| vault).map_err(Stop::from)
    }

    fn note(&self, cx: &mut Cx, findings: &Findings) {
        findings.note(&mut cx.remarks);
        self.tally.count(findings.kinds(), |kind| self.guard.done_about(kind));
    }

    async fn begin_chat(&self, cx: &mut Cx, request: &mut Verbatim<Request>) -> Result<Flow, Stop> {
        let scope = self.scope(cx, Some(request));
        let mut vault = self.vault(&scope);
        if self.guard.is_on_requests() {
            vault = self.outward(cx, request, vault).await?;
        }
        if !self.gives_back(&vault) && !self.guard.is_on_answers() {
            return Ok(Flow::Pass);
        }
        let has_logprobs = request.params.logprobs == Some(true) || request.params.top_logprobs.is_some();
        Ok(Flow::Tap(Box::new(Returns { has_logprobs, ..self.returns(cx, &scope, vault) })))
    }

    /// Goes through a request that is chat in all but its endpoint.
    async fn count(&self, cx: &mut Cx, body: &Bytes) -> Result<Bytes, Stop> {
        let dialect = cx.dialect.and_then(dialect::by_id).ok_or_else(unread)?;
        let text = ByteString::try_from(body.clone()).map_err(|_| unread())?;
        let read = dialect.read_request(&text).map_err(|malformed| Refusal::malformed(malformed.to_string()))?;
        let mut request = Verbatim::read(read, dialect.id(), body.clone(), Some(0));
        let vault = self.vault(&self.scope(cx, Some(&request)));
        self.outward(cx, &mut request, vault).await?;
        let written = || dialect.write_request(&request, &Quirks::default(), &mut Losses::default()).into();
        Ok(request.wire(dialect.id()).unwrap_or_else(written))
    }

    /// Goes through any other JSON document. A long one is not gone through on this thread.
    async fn document(
        &self,
        shape: &'static Shape,
        cx: &mut Cx,
        body: &Bytes,
        mut vault: Vault,
    ) -> Result<(Bytes, Vault), Stop> {
        let (guard, all) = (Arc::clone(&self.guard), body.clone());
        let go = move |wanted: &Wanted| {
            let mut findings = Findings::default();
            let mut scrub = Scrub::new(&guard, &mut vault, &mut findings, wanted);
            let gone_through = document::go_through(shape.request, &all, &mut scrub);
            (findings, vault, gone_through)
        };
        let (findings, vault, gone_through) = match body.len() {
            ..=AT_ONCE => go(&Wanted::always()),
            _ => self.aside.run(go).await.ok_or_else(broke_off)?,
        };
        self.note(cx, &findings);
        Ok((gone_through?, vault))
    }

    /// Whether somebody would have to look into an answer that nobody can look into.
    fn is_blind(&self, shape: Option<&Shape>, vault: &Vault) -> bool {
        let looks = self.guard.is_on_answers() || self.gives_back(vault);
        looks && shape.is_none_or(|shape| shape.answer.is_none())
    }

    fn gives_back(&self, vault: &Vault) -> bool {
        self.guard.restorer().is_some() && !vault.is_empty()
    }

    async fn begin_unread(&self, cx: &mut Cx, request: &mut OpaqueRequest) -> Result<OpaqueFlow, Stop> {
        let scope = self.scope(cx, None);
        let (mut vault, shape) = (self.vault(&scope), document::of(cx.endpoint));
        let document = request.body.document();
        let body = document.clone().filter(|body| !body.is_empty() && self.guard.is_on_requests());
        let changed = match (body, shape) {
            (Some(body), _) if cx.endpoint == Endpoint::CountTokens => {
                return self.begin_count(cx, request, &body).await;
            }
            (Some(body), Some(shape)) => {
                let (new, filled) = self.document(shape, cx, &body, vault).await?;
                vault = filled;
                Some(new).filter(|new| *new != body)
            }
            _ => None,
        };
        let is_unread = self.guard.is_on_requests() && (document.is_none() || shape.is_none());
        let is_blind = cx.endpoint != Endpoint::CountTokens && self.is_blind(shape, &vault);
        if (is_unread || is_blind) && cx.endpoint != Endpoint::CountTokens {
            if self.guard.unscannable() != Some(Unscannable::Pass) {
                return Err(self.guard.refuse_unseen(cx.endpoint.name()).into());
            }
            cx.remarks.note("unscanned", "1");
        }
        if let Some(changed) = changed {
            request.body = rewritten(changed)?;
        }
        let Some(shape) = shape.filter(|shape| shape.speaks()) else { return Ok(OpaqueFlow::Pass) };
        if !self.guard.is_on_answers() && !self.gives_back(&vault) {
            return Ok(OpaqueFlow::Pass);
        }
        let returns = self.returns(cx, &scope, vault);
        Ok(OpaqueFlow::Tap(Box::new(document::Answers::new(shape, returns))))
    }

    async fn begin_count(&self, cx: &mut Cx, request: &mut OpaqueRequest, body: &Bytes) -> Result<OpaqueFlow, Stop> {
        let changed = self.count(cx, body).await?;
        if changed != *body {
            request.body = rewritten(changed)?;
        }
        Ok(OpaqueFlow::Pass)
    }

    /// What the answer is gone through with.
    fn returns(&self, cx: &mut Cx, scope: &str, given: Vault) -> Returns {
        Returns {
            guard: Arc::clone(&self.guard),
            given,
            // Of another scope, so that what is taken from the answer is not given back with what was taken from
            // the request.
            taken: self.vault(&format!("{scope}\0answer")),
            counts: cx.remarks.count_answer(),
            tally: Arc::clone(&self.tally),
            aside: self.aside.clone(),
            has_logprobs: false,
        }
    }
}

fn rewritten(body: Bytes) -> Result<OpaqueBody, Refusal> {
    OpaqueBody::json(body).map_err(|malformed| Refusal::internal(malformed.to_string()))
}

impl Step for Redact {
    fn name(&self) -> &'static str {
        "redact"
    }

    fn acts_on(&self, endpoint: Endpoint) -> bool {
        self.guard.reads(endpoint) || self.guard.unscannable().is_some()
    }

    fn remedy(&self) -> &'static str {
        "say what becomes of what it cannot read, `unscannable: refuse` or `unscannable: pass`, or give that endpoint a \
         policy of its own"
    }

    fn holds_back(&self) -> Option<usize> {
        self.guard.holds_back()
    }

    fn is_guard(&self) -> bool {
        true
    }

    fn deeds(&self) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for (side, is_on) in [(Side::Request, self.guard.is_on_requests()), (Side::Answer, self.guard.is_on_answers())]
        {
            if is_on {
                deeds.push(Deed::Guards(side));
            }
            if is_on && self.guard.hides() {
                deeds.push(Deed::Hides(side));
            }
        }
        deeds.extend(self.guard.restorer().map(|_| Deed::GivesBack));
        deeds
    }

    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>> {
        Box::pin(self.begin_chat(cx, request))
    }

    fn begin_opaque<'a>(
        &'a self,
        cx: &'a mut Cx,
        request: &'a mut OpaqueRequest,
    ) -> BoxFuture<'a, Result<OpaqueFlow, Stop>> {
        Box::pin(self.begin_unread(cx, request))
    }
}

/// Whether a request takes no long time to go through.
fn is_short(cx: &Cx, request: &Verbatim<Request>) -> bool {
    let written = cx.dialect.and_then(|dialect| request.document(dialect)).map_or(0, |document| document.len());
    written.max(usize::try_from(request.most_tokens()).unwrap_or(usize::MAX)) <= AT_ONCE
}

/// Bytes that are gone through on the thread that serves: a millisecond or two, and less than it takes another thread
/// to have its turn on a busy machine.
const AT_ONCE: usize = 64 << 10;

fn broke_off() -> Refusal {
    Refusal::internal("the guard broke off, so nobody can tell what is in it")
}

fn unread() -> Refusal {
    Refusal::malformed("the body is not UTF-8, so nobody can tell what is in it")
}
