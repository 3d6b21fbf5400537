//! Who charges for a request: the target that was asked, also where no answer came of it.
//!
//! Most attempts that fail cost nothing. One whose answer was filtered, broke off or did not come in time has been
//! worked on, and may be billed. Such an attempt is charged for by itself, and the money set aside for the request
//! stays with it; the next attempt has money of its own set aside first, or is not made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_core::future::BoxFuture;
use jiff::Timestamp;

use crate::base::ids::{DialectId, ModelName};
use crate::base::money::Nanos;
use crate::base::stop::Refusal;
use crate::chat::{Request, Usage};
use crate::pipeline::ending::tokens_in;
use crate::pipeline::target::Target;
use crate::pipeline::tariff::Quote;
use crate::pricing::{Service, Terms, Unknown};
use crate::state::HoldId;
use crate::tokens::Factor;

/// What a caller asked, as far as it is to be counted.
#[derive(Debug, Clone)]
pub struct Question {
    pub body: Bytes,
    pub dialect: DialectId,
    /// Its tokens, by one pass over it.
    pub estimated: u64,
    /// There is nothing but text in it.
    pub is_text: bool,
}

impl Question {
    /// One whose body is not read: nothing of it can be counted.
    pub fn unread() -> Self {
        Self { body: Bytes::new(), dialect: DialectId::OPENAI_CHAT, estimated: 0, is_text: false }
    }
}

/// What a request and its answer took, by our estimate, for where nobody says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Estimate {
    /// Tokens of the request.
    pub input: u64,
    factor: Factor,
}

impl Estimate {
    /// `factor` is what is known of the model's tokens.
    pub fn of(question: &Question, factor: Factor) -> Self {
        Self { input: factor.of(question.estimated), factor }
    }

    /// What was used: the provider's word, and the estimate where it is silent. The answer's text has so many bytes.
    pub fn complete(&self, mut said: Usage, bytes: u64) -> Usage {
        if said.input_said().is_none() {
            said.text_in = Some(self.input);
        }
        if said.output_said().is_none() {
            said.out = Some(self.factor.of(tokens_in(bytes)));
        }
        said
    }
}

/// What an answer is charged by.
#[derive(Debug, Clone)]
pub struct Price {
    pub quote: Quote,
    /// The class of service that was asked for.
    pub service: Service,
}

impl Price {
    pub fn cost(&self, usage: &Usage) -> Nanos {
        self.quote.rates.cost(usage, Terms::of(usage, self.service))
    }
}

/// A target, and the model it was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    pub target: Arc<Target>,
    pub model: ModelName,
}

/// An attempt that came to nothing, and has likely cost something all the same.
#[derive(Debug)]
pub struct Charge {
    /// Counted from 0 among those of the request.
    pub attempt: u16,
    pub asked: Asked,
    /// What is set aside for it.
    pub hold: Option<HoldId>,
    /// As far as the provider has said.
    pub usage: Usage,
}

/// What steps have asked of models for a request beside the request itself, and has to be paid for: before its answer comes,
/// and while it passes.
#[derive(Debug, Clone, Default)]
pub struct Beside(Arc<Mutex<Questions>>);

#[derive(Debug, Default)]
struct Questions {
    /// Those that nobody has booked yet.
    charges: Vec<Charge>,
    asked: u16,
}

impl Beside {
    /// A question was asked, and took this.
    pub fn add(&self, asked: Asked, usage: Usage) {
        let mut questions = self.questions();
        let attempt = FIRST_BESIDE.saturating_add(questions.asked);
        questions.asked = questions.asked.saturating_add(1);
        questions.charges.push(Charge { attempt, asked, hold: None, usage });
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Vec<Charge> {
        std::mem::take(&mut self.questions().charges)
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of the first question beside a request, among what the request is charged for: apart from the attempts at the
/// request itself, which are counted from 0.
const FIRST_BESIDE: u16 = 1 << 15;

/// Whether a request is charged by this number for a question beside it.
pub fn is_beside(attempt: u16) -> bool {
    attempt >= FIRST_BESIDE
}

/// What a request's cost depends on besides its tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Basis {
    /// The class of service that it asks for.
    pub service: Service,
    /// What becomes of it if nobody knows the price.
    pub unknown: Unknown,
}

impl Asked {
    pub fn quote(&self, unknown: Unknown, at: Timestamp) -> Option<Quote> {
        quote(&self.target, &self.model, unknown, at)
    }
}

/// The price of a model at a target; a guess where nobody knows it, if that is wanted.
pub fn quote(target: &Target, model: &ModelName, unknown: Unknown, at: Timestamp) -> Option<Quote> {
    let known = target.tariff.quote(model, at);
    if known.is_none() && unknown == Unknown::Estimate { target.tariff.guess(at) } else { known }
}

/// The class of service that a request asks for.
pub fn service(request: &Request) -> Service {
    let asked = request.extra.get("service_tier").and_then(|word| word.reader().text().ok());
    asked.map_or(Service::Standard, |word| Service::named(&word.as_str()))
}

/// Money set aside for the attempt that is under way.
#[derive(Clone)]
pub struct Held {
    pub hold: HoldId,
    /// An attempt that failed has cost something of it. Another needs money of its own.
    pub is_spent: bool,
    /// What it must not cost more than; `None` if a little more would do no harm.
    pub most: Option<Nanos>,
    pub purse: Arc<dyn Purse>,
}

/// Whoever sets money aside for a request.
pub trait Purse: Send + Sync {
    /// Sets as much aside once more, for another attempt at the same request.
    ///
    /// # Errors
    /// When there is no more.
    fn again(&self, hold: HoldId) -> BoxFuture<'_, Result<(), Refusal>>;
}
