//! What a request cost.
//!
//! Tokens that the provider reports are its own; where it is silent, ours are counted, and the cost is said to be an
//! estimate. The request is counted exactly if the encoding of the model that answered is known, which takes the body
//! to be kept until the provider has spoken; it is counted as it came, whatever steps have made of it. The answer is
//! estimated by its bytes: its text is not kept, and the model may have thought what it did not say. A model without a
//! price has no cost, which is not the same as costing nothing.

use jiff::Timestamp;

use crate::base::ids::{DialectId, ModelName, ProviderName, TargetName};
use crate::base::money::Nanos;
use crate::chat::{Event, Request, TokenKind, Usage};
use crate::dialect;
use crate::pipeline::charge::{Asked, Estimate, Price, Question};
use crate::pipeline::ending::bytes_in;
use crate::pipeline::tariff::Quote;
use crate::pricing::{Service, Terms, Unknown};
use crate::tokens::{Countable, Encoding, Factor};
use bytes::Bytes;
use bytestring::ByteString;

/// What is known of the cost of an attempt so far.
#[derive(Default)]
pub struct Bill {
    /// Who charges; `None` if nobody was asked, or what was asked for has no price.
    pub payee: Option<Payee>,
    /// By our count, for what nobody says.
    estimate: Estimate,
    /// What one pass over a request of text alone has estimated.
    estimated: Option<u64>,
    /// The request, for as long as it may have to be counted.
    kept: Option<Kept>,
    /// The class of service that was asked for.
    pub service: Service,
    /// Neither the request nor its answer is read, so there is nothing to estimate by.
    is_unread: bool,
    /// Bytes of the answer's text.
    bytes: u64,
    pub usage: Usage,
}

/// Who charges for an attempt, and how much.
#[derive(Debug)]
pub struct Payee {
    pub target: TargetName,
    pub provider: ProviderName,
    pub quote: Option<Quote>,
}

impl Payee {
    pub fn of(asked: &Asked, unknown: Unknown, at: Timestamp) -> Self {
        Self {
            target: asked.target.name.clone(),
            provider: asked.target.provider.name().clone(),
            quote: asked.quote(unknown, at),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    pub nanos: Nanos,
    /// What it is for: the provider's word, and our count where it is silent.
    pub usage: Usage,
    /// The provider did not say how much was used, or nobody knows its price.
    pub is_estimate: bool,
}

/// How a request's cost is reckoned once its usage is known.
pub struct Tab {
    pub quote: Option<Quote>,
    /// The class of service that was asked for.
    pub service: Service,
    /// What attempts have cost that came to nothing.
    pub wasted: Nanos,
    /// What is charged for an answer that was kept, in place of all that.
    pub charged: Option<Nanos>,
}

impl Tab {
    pub fn cost(&self, usage: &Usage) -> Option<Nanos> {
        if self.charged.is_some() {
            return self.charged;
        }
        let quote = self.quote.as_ref()?;
        Some(quote.rates.cost(usage, Terms::of(usage, self.service)).plus(self.wasted))
    }
}

struct Kept {
    body: Bytes,
    dialect: DialectId,
    encoding: Encoding,
}

impl Kept {
    fn read(self) -> Option<Request> {
        let text = ByteString::try_from(self.body).ok()?;
        dialect::by_id(self.dialect)?.read_request(&text).ok()
    }
}

impl Bill {
    /// Begins with who charges, what was asked, and what is known of the model's tokens.
    pub fn of(payee: Payee, question: &Question, factor: Factor, service: Service) -> Self {
        let estimated = question.is_text.then_some(question.estimated);
        let estimate = Estimate::of(question, factor);
        Self { payee: Some(payee), estimate, estimated, service, ..Self::default() }
    }

    /// The same with what the provider has said.
    #[must_use]
    pub fn using(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }

    /// The same for a request that is forwarded: it costs what its provider says, or nobody knows what.
    #[must_use]
    pub fn unread(self) -> Self {
        Self { is_unread: true, ..self }
    }

    /// The same with the request at hand, which is counted should the provider not say what it took.
    #[must_use]
    pub fn keeping(mut self, question: Question, model: &ModelName) -> Self {
        if self.quote().is_some() {
            let Question { body, dialect, .. } = question;
            self.kept = Encoding::of_model(model.as_str()).map(|encoding| Kept { body, dialect, encoding });
        }
        self
    }

    /// What the request's tokens are to be counted by, if they can be and nobody has said how many they are.
    pub fn left_to_count(&mut self) -> Option<(Encoding, Countable)> {
        let kept = self.kept.take()?;
        let encoding = kept.encoding;
        kept.read().map(|request| (encoding, Countable::of(&request)))
    }

    /// The request has so many tokens.
    pub fn counted(&mut self, input: u64) {
        self.estimate.input = input;
    }

    /// What the request was estimated at, and what the provider says it was. `None` if that teaches nothing.
    pub fn lesson(&self) -> Option<(u64, u64)> {
        self.estimated.zip(self.usage.input_said())
    }

    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Usage(usage) => self.usage.update(usage),
            Event::Whole(completion) => {
                if let Some(usage) = &completion.usage {
                    self.usage.update(usage);
                }
            }
            _ => {}
        }
        if self.kept.is_some() && self.usage.input_said().is_some() {
            self.kept = None;
        }
        self.bytes += bytes_in(event);
    }

    /// `None` if nobody has answered, or the price is not known.
    pub fn cost(&self) -> Option<Cost> {
        let quote = self.quote().filter(|_| self.is_told())?;
        let usage = self.estimate.complete(self.usage.clone(), self.bytes);
        let is_said = self.usage.input_said().and(self.usage.output_said()).is_some();
        let nanos = quote.rates.cost(&usage, Terms::of(&usage, self.service));
        Some(Cost { nanos, usage, is_estimate: quote.is_guess || !is_said })
    }

    /// What the provider has said was used, at another one's price; `None` if it has not said it all.
    pub fn worth(&self, price: &Price) -> Option<Nanos> {
        self.usage.input_said().and(self.usage.output_said())?;
        Some(price.cost(&self.usage))
    }

    /// What was read from the provider's own cache, and what that has saved: what it would have cost as fresh input, less
    /// what it did. `None` if nothing was, or the provider did not say.
    pub fn read_from_cache(&self) -> Option<(u64, Option<Nanos>)> {
        let read = self.usage.cache_read.filter(|read| *read > 0)?;
        let saved = self.quote().map(|quote| {
            let fresh = self.usage.text_in.unwrap_or(0).saturating_add(read);
            let without = Usage { text_in: Some(fresh), cache_read: None, ..self.usage.clone() };
            let cost = |usage: &Usage| quote.rates.cost(usage, Terms::of(usage, self.service)).0;
            Nanos(cost(&without).saturating_sub(cost(&self.usage)).max(0))
        });
        Some((read, saved))
    }

    /// What kinds of token have cost, of a usage that was charged for.
    pub fn parts(&self, usage: &Usage) -> Vec<(TokenKind, Nanos)> {
        self.quote().map(|quote| quote.rates.parts(usage, Terms::of(usage, self.service))).unwrap_or_default()
    }

    /// Somebody was asked whose price nobody knows, or what it was for.
    pub fn is_unpriced(&self) -> bool {
        let is_known = |payee: &Payee| payee.quote.as_ref().is_some_and(|quote| !quote.is_guess) && self.is_told();
        self.payee.as_ref().is_some_and(|payee| !is_known(payee))
    }

    /// Whether what was used is known, or can be estimated.
    fn is_told(&self) -> bool {
        !self.is_unread || self.usage.input_said().or(self.usage.output_said()).is_some()
    }

    pub fn quote(&self) -> Option<&Quote> {
        self.payee.as_ref()?.quote.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chat::{Delta, Lane};
    use crate::pricing::Rates;

    fn bill() -> Bill {
        // A dollar for a million tokens in, two for a million out.
        let rates = Rates::simple(Nanos(1_000_000_000), Nanos(2_000_000_000));
        let quote = Some(Quote { rates: Arc::new(rates), row: None, is_guess: false });
        let payee = Payee { target: TargetName::new("t"), provider: ProviderName::new("p"), quote };
        let question = Question { body: Bytes::new(), dialect: DialectId::OPENAI_CHAT, estimated: 100, is_text: true };
        Bill::of(payee, &question, Factor::default(), Service::Standard)
    }

    /// What it costs, and whether that is an estimate.
    fn cost(bill: &Bill) -> Option<(Nanos, bool)> {
        bill.cost().map(|cost| (cost.nanos, cost.is_estimate))
    }

    fn said(bill: &mut Bill, text: &str) {
        bill.observe(&Event::Delta { lane: Lane { choice: 0, part: 0 }, delta: Delta::Text(text.into()) });
    }

    #[test]
    fn what_the_provider_reports_is_what_counts() {
        let mut bill = bill();
        said(&mut bill, "a few words");
        bill.observe(&Event::Usage(Box::new(Usage::of(10, 2))));
        assert_eq!(cost(&bill), Some((Nanos(14_000), false)));
    }

    #[test]
    fn what_a_providers_own_cache_saves_is_what_fresh_input_would_cost_more() {
        assert_eq!(bill().read_from_cache(), None);
        let usage = Usage { cache_read: Some(100), ..Usage::of(10, 2) };
        // No price of its own: it costs what fresh input does.
        assert_eq!(bill().using(usage.clone()).read_from_cache(), Some((100, Some(Nanos(0)))));
        let unpriced = Bill { payee: None, ..bill() };
        assert_eq!(unpriced.using(usage).read_from_cache(), Some((100, None)));
    }

    #[test]
    fn what_it_is_silent_on_is_counted_and_said_to_be_an_estimate() {
        let mut bill = bill();
        said(&mut bill, "12345678");
        assert_eq!(cost(&bill), Some((Nanos(104_000), true)));
        assert_eq!(bill.cost().unwrap().usage, Usage::of(100, 2));
        bill.observe(&Event::Usage(Box::new(Usage { out: Some(7), ..Usage::default() })));
        assert_eq!(cost(&bill), Some((Nanos(114_000), true)));
    }

    #[test]
    fn a_model_without_a_price_has_no_cost() {
        assert_eq!(Bill { payee: None, ..bill() }.cost(), None);
    }

    #[test]
    fn what_is_not_read_costs_what_its_provider_says_or_nobody_knows_what() {
        let silent = bill().unread();
        assert!(silent.cost().is_none() && silent.is_unpriced());
        let told = silent.using(Usage::of(10, 0));
        assert_eq!((cost(&told), told.is_unpriced()), (Some((Nanos(10_000), false)), false));
    }

    #[test]
    fn an_explicit_zero_costs_nothing() {
        let mut bill = bill();
        bill.observe(&Event::Usage(Box::new(Usage::of(0, 0))));
        assert_eq!(cost(&bill), Some((Nanos(0), false)));
    }
}
