//! What a step is.
//!
//! A step looks at a request before it leaves and says how it goes on ([`Flow`]). What it must remember for
//! the way back it returns, as a [`Tap`]: there is no shared bag of context. Steps run in the order the
//! policy lists them; taps wrap the answer in reverse. A step that answers is seen by the taps of earlier
//! steps only, and a refusal drops the taps, so that what they hold is given back.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use http::HeaderMap;

use crate::base::ids::{DialectId, ModelName, PolicyName, ProviderName, TargetName};
use crate::base::stop::{Refusal, Stop};
use crate::chat::{Frame, Request, Verbatim};
use crate::pipeline::charge::Basis;
use crate::pipeline::cx::Cx;
use crate::pipeline::facts::Endpoint;
use crate::pipeline::hold::Hold;
use crate::pipeline::opaque::OpaqueRequest;
use crate::pipeline::passing::ByteTap;
use crate::pipeline::retry::OnDisconnect;
use crate::state::answers::Room;

/// One step of a policy.
pub trait Step: Send + Sync {
    /// The name a policy file calls it by.
    fn name(&self) -> &'static str;

    /// Whether it can do its work on this kind of request. A policy with a step that cannot does not load.
    fn acts_on(&self, endpoint: Endpoint) -> bool {
        endpoint == Endpoint::Chat
    }

    /// What to do about a kind of request on which it cannot act.
    fn remedy(&self) -> &'static str {
        "give that endpoint a policy of its own, without this step"
    }

    /// The most bytes of each text of a streamed answer that it keeps back until it has judged them; `None` if it
    /// lets everything go as it comes.
    fn holds_back(&self) -> Option<usize> {
        None
    }

    /// What it does with texts, as far as it matters in which order steps do such things.
    fn deeds(&self) -> Vec<Deed> {
        Vec::new()
    }

    /// The policy in whose name it keeps answers, and how much room these have, if it keeps any.
    fn shelf(&self) -> Option<(&PolicyName, Room)> {
        None
    }

    /// Whether it judges texts, or takes out of them what others are not to see.
    fn is_guard(&self) -> bool {
        false
    }

    /// Looks at, and may change, a chat request on its way out.
    fn begin<'a>(&'a self, cx: &'a mut Cx, request: &'a mut Verbatim<Request>) -> BoxFuture<'a, Result<Flow, Stop>>;

    /// The same for a request whose body the gateway does not read. A step that cannot do its work refuses.
    fn begin_opaque<'a>(
        &'a self,
        _cx: &'a mut Cx,
        _request: &'a mut OpaqueRequest,
    ) -> BoxFuture<'a, Result<OpaqueFlow, Stop>> {
        let message = format!("the step `{}` cannot act on this kind of request", self.name());
        Box::pin(async move { Err(Refusal::new(403, "guard_cannot_act", message).into()) })
    }
}

/// Something that a step does with texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Shows them to somebody outside.
    Shows(Side),
    /// Keeps them beyond the request.
    Keeps(Side),
    /// Takes out of them what others are not to see, or stops those that have it.
    Hides(Side),
    /// Puts back into answers what it has taken out of requests.
    GivesBack,
    /// Adds texts of its own to requests.
    Adds,
    /// Judges them.
    Guards(Side),
    /// Answers by itself, if it has an answer.
    Answers,
    /// Charges for what it answers by itself.
    Charges,
    /// Has budgets pay for what the request costs.
    Pays,
}

/// Which texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Answer,
}

/// How a request goes on after a step.
pub enum Flow {
    /// On, and the step is done with it.
    Pass,
    /// On, and the answer shall go through this.
    Tap(Box<dyn Tap>),
    /// On, and nothing of the answer is passed on before this has been found out.
    Hold(Hold),
    /// The step answers itself; nothing further down sees the request.
    Answer(Answer),
}

impl Flow {
    /// What a trail says of it.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::Pass | Self::Tap(_) | Self::Hold(_) => "pass",
            Self::Answer(_) => "answer",
        }
    }
}

/// How an opaque request goes on after a step.
pub enum OpaqueFlow {
    /// On, and the step is done with it.
    Pass,
    /// On, and the answer's bytes shall go through this.
    Tap(Box<dyn ByteTap>),
}

/// What a step has to do on the way back.
///
/// A tap is dropped unused if a later step ends the request, so what `begin` took (a reservation, a permit)
/// is given back by `Drop`.
pub trait Tap: Send {
    fn wrap(self: Box<Self>, answer: Answer) -> Answer;

    /// Whether it looks at what an answer says. For taps to which its usage and how it ends are enough, an answer that
    /// is to leave as it came is not read any further.
    fn looks_inside(&self) -> bool {
        true
    }

    /// Whether there is something to learn from what it would do with an answer, where a policy only observes.
    fn learns(&self) -> bool {
        false
    }
}

/// An answer: its head, and its frames as they come. A whole answer is a stream of one frame.
pub struct Answer {
    pub head: Head,
    pub frames: BoxStream<'static, Result<Burst, Stop>>,
}

/// The frames that one read from the upstream brought. They leave in one write.
pub type Burst = Vec<Frame>;

/// What is known of an answer before its first frame.
#[derive(Debug, Clone)]
pub struct Head {
    /// The target that answered; `None` when a step did.
    pub target: Option<TargetName>,
    /// Its provider; a target may have a name of its own.
    pub provider: Option<ProviderName>,
    /// The model that answered, as its provider calls it.
    pub model: ModelName,
    pub dialect: DialectId,
    /// Headers of the upstream that the caller may see.
    pub headers: HeaderMap,
    /// Whether a step has sent the request elsewhere than its route would, after its question was asked.
    pub is_detoured: bool,
    /// What it is charged by, beside its model's price.
    pub basis: Basis,
    /// Who else hears this answer, if others do.
    pub audience: Option<Audience>,
}

/// Others than its caller who hear an answer. While there are any, it is heard on, whatever becomes of its own caller, so
/// that what it cost is known.
#[derive(Clone)]
pub struct Audience(pub Arc<dyn Listeners>);

pub trait Listeners: Send + Sync {
    /// How many there are beside the caller whose request it was.
    fn others(&self) -> usize;

    /// Whether there is something to hear that takes nothing more: what others have heard already, or the end.
    fn is_drawn(&self) -> bool;

    /// The caller whose request it was has left. The answer goes on as fast as others want it; once there are none, it goes
    /// on only where the policy says so.
    fn leave(&self, rule: OnDisconnect);

    /// Others are not waited for any longer, unless they want more.
    fn hurry(&self);

    /// Ready once there are no others.
    fn poll_left_by_all(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Audience {
    /// Whether the answer is heard on without the caller whose request it was.
    pub fn goes_on(&self) -> bool {
        self.0.others() > 0 || self.0.is_drawn()
    }
}

impl std::fmt::Debug for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Audience({})", self.0.others())
    }
}
