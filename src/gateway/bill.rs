//! What a request cost.
//!
//! Tokens that the provider reports are its own; where it is silent, ours are counted, and the cost is said to be an
//! estimate. The request is counted exactly if the encoding of the model that answered is known, which takes the body
//! to be kept until the provider has spoken; it is counted as it came, whatever steps have made of it. The answer is
//! estimated by its bytes: its text is not kept, and the model may have thought what it did not say. A model without a
//! price has no cost, which is not the same as costing nothing.

use bytes::Bytes;
use bytestring::ByteString;

use crate::base::ids::{DialectId, ProviderName};
use crate::base::money::Nanos;
use crate::chat::{Event, Request, Usage};
use crate::dialect;
use crate::pipeline::Head;
use crate::pipeline::ending::{bytes_in, tokens_in};
use crate::pipeline::tariff::Quote;
use crate::pricing::Terms;
use crate::tokens::{Countable, Encoding, Factor};

/// What is known of a request's cost so far.
#[derive(Default)]
pub struct Bill {
    pub provider: Option<ProviderName>,
    /// Of the model that answered.
    pub quote: Option<Quote>,
    /// Tokens of the request, by our count.
    input: u64,
    /// What one pass over a request of text alone has estimated.
    estimated: Option<u64>,
    factor: Factor,
    /// The request, for as long as it may have to be counted.
    kept: Option<Kept>,
    /// Bytes of the answer's text.
    bytes: u64,
    pub usage: Usage,
}

/// What a caller asked, as far as it is to be counted.
pub struct Question {
    pub body: Bytes,
    pub dialect: DialectId,
    /// Its tokens, by one pass over it.
    pub estimated: u64,
    /// There is nothing but text in it.
    pub is_text: bool,
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    pub nanos: Nanos,
    /// What it is for: the provider's word, and our count where it is silent.
    pub usage: Usage,
    /// The provider did not say how much was used.
    pub is_estimate: bool,
}

impl Bill {
    /// Begins with what was asked and who answers.
    pub fn open(&mut self, question: Question, head: &Head, factor: Factor) {
        let Question { body, dialect, estimated, is_text } = question;
        (self.quote, self.provider) = (head.quote.clone(), head.provider.clone());
        (self.factor, self.input) = (factor, factor.of(estimated));
        self.estimated = is_text.then_some(estimated);
        self.kept = match &self.quote {
            Some(_) => Encoding::of_model(head.model.as_str()).map(|encoding| Kept { body, dialect, encoding }),
            None => None,
        };
    }

    /// What the request's tokens are to be counted by, if they can be and nobody has said how many they are.
    pub fn left_to_count(&mut self) -> Option<(Encoding, Countable)> {
        let kept = self.kept.take()?;
        let encoding = kept.encoding;
        kept.read().map(|request| (encoding, Countable::of(&request)))
    }

    /// The request has so many tokens.
    pub fn counted(&mut self, input: u64) {
        self.input = input;
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
        let rates = &self.quote.as_ref()?.rates;
        let (input, output) = (self.usage.input_said(), self.usage.output_said());
        if input.is_some() && output.is_some() {
            let nanos = rates.cost(&self.usage, Terms::default());
            return Some(Cost { nanos, usage: self.usage.clone(), is_estimate: false });
        }
        let mut usage = self.usage.clone();
        usage.text_in = usage.text_in.or(input.is_none().then_some(self.input));
        usage.out = usage.out.or(output.is_none().then_some(self.factor.of(tokens_in(self.bytes))));
        Some(Cost { nanos: rates.cost(&usage, Terms::default()), usage, is_estimate: true })
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
        Bill { quote: Some(Quote { rates: Arc::new(rates), row: None }), input: 100, ..Bill::default() }
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
        assert_eq!(Bill { quote: None, ..bill() }.cost(), None);
    }

    #[test]
    fn an_explicit_zero_costs_nothing() {
        let mut bill = bill();
        bill.observe(&Event::Usage(Box::new(Usage::of(0, 0))));
        assert_eq!(cost(&bill), Some((Nanos(0), false)));
    }
}
