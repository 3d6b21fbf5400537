//! One request on its way through the gateway.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::StreamExt as _;
use http::{HeaderValue, Response};

use crate::base::ids::{DialectId, ModelName, PolicyName, RequestId, TargetName};
use crate::base::json::Malformed;
use crate::base::stop::{Refusal, Stop};
use crate::base::trace::TraceId;
use crate::chat::{Request, Verbatim};
use crate::dialect::{self, Asked, Dialect};
use crate::gateway::account::{Account, Accounted, AccountedBody};
use crate::gateway::bill::Tab;
use crate::gateway::outlive::Outliving;
use crate::gateway::stated;
use crate::gateway::world::World;
use crate::pipeline::Answer;
use crate::pipeline::charge::Question;
use crate::pipeline::cx::{Cx, View};
use crate::pipeline::facts::Endpoint;
use crate::pipeline::opaque::{OpaqueAnswer, OpaqueBody, OpaqueRequest};
use crate::pipeline::presence::Presence;
use crate::pipeline::retry::OnDisconnect;
use crate::pipeline::route::Candidate;
use crate::pipeline::trail::Detail;
use crate::policy::{Policy, Snapshot};
use crate::tokens::{Countable, Encoding};

/// A request that has been let in.
pub struct Visit {
    world: Arc<World>,
    snapshot: Arc<Snapshot>,
    // Boxed, since a visit is handed on from one future to the next.
    cx: Box<Cx>,
    account: Box<Account>,
}

/// What the caller may know of how its request was handled.
#[derive(Debug, Clone)]
pub struct About {
    pub request_id: RequestId,
    pub trace_id: TraceId,
    pub policy: Option<PolicyName>,
    /// The first characters of the policy revision.
    pub revision: HeaderValue,
    pub attempts: usize,
    /// Time the gateway itself took so far.
    pub overhead: Duration,
}

/// A count of tokens, and whose word it is.
pub enum Counted {
    Ours(u64, Exactness),
    Provider(Box<Forwarded>),
}

/// Whether a count of ours is what the provider would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    Exact,
    Estimate,
}

/// A reply that is passed on as it comes.
pub struct Forwarded {
    pub target: TargetName,
    pub response: Response<AccountedBody>,
}

/// A chat answer and what shapes how it is written.
pub struct ChatAnswer {
    pub answer: Answer,
    pub is_stream: bool,
    pub asked: Asked,
    pub tab: Tab,
}

/// An answer, and what is needed to pass it on and to account for it.
struct Said {
    answer: Answer,
    is_stream: bool,
    asked: Asked,
    on_disconnect: OnDisconnect,
}

impl Visit {
    pub(super) fn new(world: Arc<World>, snapshot: Arc<Snapshot>, cx: Box<Cx>, account: Box<Account>) -> Self {
        Self { world, snapshot, cx, account }
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub fn request_id(&self) -> RequestId {
        self.cx.id
    }

    pub fn headers(&self) -> &http::HeaderMap {
        &self.cx.headers
    }

    /// The caller took this long to send its body: not our time.
    pub fn body_took(&mut self, time: Duration) {
        self.cx.trail.pauses += time;
    }

    pub fn about(&self) -> About {
        About {
            request_id: self.cx.id,
            trace_id: self.cx.trace.trace,
            policy: self.cx.policy.clone(),
            revision: self.snapshot.short_revision.clone(),
            attempts: self.cx.trail.asked(),
            overhead: self.cx.started.elapsed().saturating_sub(self.cx.trail.waited()),
        }
    }

    /// The same when all is decided, which the account notes.
    fn settled(&mut self) -> About {
        let about = self.about();
        self.account.note(&mut self.cx, about.overhead);
        self.account.keep(std::mem::take(&mut self.cx.trail));
        about
    }

    /// Closes the visit of a request that gets no answer.
    pub fn refuse(mut self, stop: &Stop) -> About {
        let about = self.settled();
        self.account.refuse(stop);
        about
    }

    /// Closes the visit of a request that was answered without asking anybody.
    pub fn finish(mut self, status: u16) -> About {
        let about = self.settled();
        self.account.finish(status);
        about
    }

    /// Answers a chat request.
    ///
    /// # Errors
    /// When it is malformed, no policy covers it, a step refuses it or no target answers.
    pub async fn chat(mut self, body: Bytes) -> (About, Result<ChatAnswer, Stop>) {
        if !self.snapshot.may_outlive {
            return self.answer(body).await;
        }
        // This future is dropped when the caller hangs up.
        let presence = Arc::new(Presence::default());
        self.cx.presence = Some(Arc::clone(&presence));
        Outliving::new(self.answer(body), presence).await
    }

    async fn answer(mut self, body: Bytes) -> (About, Result<ChatAnswer, Stop>) {
        let mut attended = Attended::to(&mut self);
        let answered = attended.try_chat(body.clone()).await;
        attended.end();
        match answered {
            Err(stop) => (self.refuse(&stop), Err(stop)),
            Ok(Said { answer, is_stream, asked, on_disconnect }) => {
                self.account.answered_by(answer.head.target.clone(), 200);
                if is_stream {
                    self.account.streams();
                }
                if let Some(errand) = self.cx.to_renew.take() {
                    self.world.renewing.begin(errand, &self.cx, body, &self.world, &self.snapshot);
                }
                let about = self.settled();
                let tab = self.account.tab();
                let accounted = Accounted::new(answer.frames, self.account, on_disconnect);
                let frames = accounted.before(answer.head.audience.clone()).boxed();
                let answer = Answer { head: answer.head, frames };
                (about, Ok(ChatAnswer { answer, is_stream, asked, tab }))
            }
        }
    }

    async fn try_chat(&mut self, body: Bytes) -> Result<Said, Stop> {
        let request = self.read(body.clone())?;
        let asked = Asked {
            model: self.cx.model.clone(),
            wants_usage: request.params.wants_usage,
            created: u64::try_from(self.account.opened().as_second()).unwrap_or(0),
        };
        let is_stream = request.stream;
        self.cx.question = Some(Question {
            body,
            dialect: request.dialect,
            estimated: request.estimated_tokens(),
            is_text: !request.has_media(),
        });
        let snapshot = Arc::clone(&self.snapshot);
        let policy = self.select(&snapshot, Some(&request))?;
        let on_disconnect = policy.line.rules.on_disconnect;
        if on_disconnect == OnDisconnect::Drain {
            self.cx.presence.iter().for_each(|presence| presence.outlive());
        }
        let answer = policy.line.chat(&mut self.cx, request, &self.world).await?;
        Ok(Said { answer, is_stream, asked, on_disconnect })
    }

    /// Counts the tokens of a request: the provider's own count where the route leads to one that counts
    /// in this dialect, ours by the model's encoding where that is known, an estimate otherwise.
    ///
    /// # Errors
    /// When it is malformed or no policy covers it.
    pub async fn count_tokens(mut self, path: &str, body: Bytes) -> (About, Result<Counted, Stop>) {
        let mut attended = Attended::to(&mut self);
        let counted = attended.try_count(path, body).await;
        attended.end();
        match counted {
            Err(stop) => (self.refuse(&stop), Err(stop)),
            Ok(Ok(answer)) => {
                let (about, forwarded) = self.forward(answer);
                (about, Ok(Counted::Provider(Box::new(forwarded))))
            }
            Ok(Err((count, exactness))) => (self.finish(200), Ok(Counted::Ours(count, exactness))),
        }
    }

    /// The provider's answer, or our count and whether that is exact.
    async fn try_count(&mut self, path: &str, body: Bytes) -> Result<Result<OpaqueAnswer, (u64, Exactness)>, Stop> {
        let request = self.read(body.clone())?;
        let snapshot = Arc::clone(&self.snapshot);
        let policy = self.select(&snapshot, Some(&request))?;
        let plan = policy.line.route.plan(&View { cx: &self.cx, chat: Some(&request) }, Detail::Brief);
        let first = plan.candidates.first();
        let encoding = match first {
            Some(Candidate::Target(target)) => Encoding::of_model(target.model_for(&self.cx.model).as_str()),
            _ => None,
        };
        if matches!(first, Some(Candidate::Target(target)) if Some(target.dialect.id()) == self.cx.dialect) {
            let body = OpaqueBody::json(body).map_err(malformed)?;
            let headers = self.cx.headers.clone();
            let request = OpaqueRequest { method: http::Method::POST, path: path.to_owned(), headers, body };
            if let Ok(answer) = policy.line.opaque(&mut self.cx, request).await {
                return Ok(Ok(answer));
            }
        }
        let counted = match encoding {
            Some(encoding) => self.cx.tokens.count(encoding, &Countable::of(&request)).await,
            None => None,
        };
        Ok(Err(match counted {
            Some(count) => (count, Exactness::Exact),
            None => (self.cx.tokens.estimate(&self.cx.model, &request), Exactness::Estimate),
        }))
    }

    /// Forwards a request whose body is not read.
    ///
    /// # Errors
    /// When no policy covers it, a step refuses it or no target answers.
    pub async fn opaque(mut self, request: OpaqueRequest) -> (About, Result<Forwarded, Stop>) {
        let mut attended = Attended::to(&mut self);
        let answered = attended.try_opaque(request).await;
        attended.end();
        match answered {
            Err(stop) => (self.refuse(&stop), Err(stop)),
            Ok(answer) => {
                let (about, forwarded) = self.forward(answer);
                (about, Ok(forwarded))
            }
        }
    }

    /// The visit is over when the answer has been passed on.
    fn forward(mut self, answer: OpaqueAnswer) -> (About, Forwarded) {
        self.account.answered_by(Some(answer.target.clone()), answer.response.status().as_u16());
        let (about, account) = (self.settled(), self.account);
        let response = answer.response.map(|body| AccountedBody::new(body, account));
        (about, Forwarded { target: answer.target, response })
    }

    async fn try_opaque(&mut self, request: OpaqueRequest) -> Result<OpaqueAnswer, Stop> {
        self.cx.model = ModelName::new(request.body.model());
        self.check_model()?;
        self.check_unread(&request.body)?;
        self.cx.texts.iter().for_each(|texts| texts.came_unread(self.cx.endpoint.name(), request.body.document()));
        self.state(None);
        self.cx.question = Some(Question::unread());
        let snapshot = Arc::clone(&self.snapshot);
        let policy = self.select(&snapshot, None)?;
        policy.line.opaque(&mut self.cx, request).await
    }

    /// The models this caller may name.
    pub fn models(&self) -> Vec<String> {
        self.snapshot.models_for(&View { cx: &self.cx, chat: None })
    }

    fn dialect(&self) -> Result<&'static dyn Dialect, Stop> {
        let id = self.cx.dialect.unwrap_or(DialectId::OPENAI_CHAT);
        dialect::by_id(id).ok_or_else(|| Refusal::internal(format!("the dialect {id} is not built in")).into())
    }

    /// Reads a chat request and what it states of its caller.
    fn read(&mut self, body: Bytes) -> Result<Box<Verbatim<Request>>, Stop> {
        let dialect = self.dialect()?;
        let text = ByteString::try_from(body.clone()).map_err(|_| Refusal::malformed("the body is not UTF-8"))?;
        // Boxed as soon as it is there, since it is large and handed on from one future to the next.
        let request = dialect.read_request(&text).map_err(malformed)?;
        let request = Box::new(Verbatim::read(request, dialect.id(), body, Some(0)));
        self.cx.model = ModelName::new(request.model.as_str());
        self.check_model()?;
        self.state(Some(&text));
        self.cx.texts.iter().for_each(|texts| texts.came(&request));
        Ok(request)
    }

    /// Takes what the caller states of itself from where the gateway file says, the body included.
    fn state(&mut self, body: Option<&ByteString>) {
        let find = |path: &str| body.and_then(|body| stated::at_path(body, path));
        self.snapshot.authenticator.complete(&mut self.cx.caller, &self.cx.headers, &find);
    }

    fn check_model(&self) -> Result<(), Stop> {
        let model = self.cx.model.as_str();
        if model.is_empty() || self.cx.caller.may_name(model) {
            return Ok(());
        }
        Err(Refusal::unknown_model(model).into())
    }

    /// A body that is not read may name any model. Files name none.
    fn check_unread(&self, body: &OpaqueBody) -> Result<(), Stop> {
        let is_unread = matches!(body, OpaqueBody::Stream(_)) && self.cx.endpoint != Endpoint::Files;
        if is_unread && self.cx.caller.models.is_some() {
            let message = "your key is for certain models, and which one this request names cannot be read; send JSON";
            return Err(Refusal::forbidden(message).into());
        }
        Ok(())
    }

    fn select<'s>(&mut self, snapshot: &'s Snapshot, chat: Option<&Request>) -> Result<&'s Policy, Stop> {
        if self.cx.trail.detail == Detail::Full {
            self.cx.trail.considered = snapshot.consider(&View { cx: &self.cx, chat });
        }
        let policy = snapshot.select(&View { cx: &self.cx, chat });
        let policy = policy.ok_or_else(|| Refusal::no_policy(self.cx.model.as_str()))?;
        self.cx.policy = Some(policy.line.policy.clone());
        // Should the caller hang up from here on, its line says at least this much.
        self.account.describe(&self.cx);
        Ok(policy)
    }
}

/// A visit while it is decided on. Should the caller hang up meanwhile, the account has what was decided so far.
struct Attended<'a> {
    visit: &'a mut Visit,
    is_over: bool,
}

impl<'a> Attended<'a> {
    fn to(visit: &'a mut Visit) -> Self {
        Self { visit, is_over: false }
    }

    /// The decision has been made.
    fn end(mut self) {
        self.is_over = true;
    }
}

impl Deref for Attended<'_> {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        self.visit
    }
}

impl DerefMut for Attended<'_> {
    fn deref_mut(&mut self) -> &mut Visit {
        self.visit
    }
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.visit.settled();
        }
    }
}

fn malformed(malformed: Malformed) -> Stop {
    let refusal = Refusal::malformed(malformed.to_string());
    match malformed.path() {
        path if path.is_empty() => refusal.into(),
        path => refusal.at(path).into(),
    }
}
