//! What a request cost.
//!
//! Tokens that the provider reports are its own; where it is silent, ours are counted, and the cost is said to be an
//! estimate. A model without a price has no cost, which is not the same as costing nothing.

use jiff::Timestamp;

use crate::base::ids::{ProviderName, TargetName};
use crate::base::money::Nanos;
use crate::chat::{Event, Usage};
use crate::pipeline::charge::Asked;
use crate::pipeline::ending::{bytes_in, tokens_in};
use crate::pipeline::tariff::Quote;
use crate::pricing::{Service, Terms, Unknown};

/// What is known of the cost of an attempt so far.
#[derive(Default)]
pub struct Bill {
    /// Who charges; `None` if nobody was asked, or what was asked for has no price.
    pub payee: Option<Payee>,
    /// Tokens of the request, by our count.
    pub input: u64,
    /// The class of service that was asked for.
    pub service: Service,
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
}

impl Tab {
    pub fn cost(&self, usage: &Usage) -> Option<Nanos> {
        let quote = self.quote.as_ref()?;
        Some(quote.rates.cost(usage, terms(usage, self.service)).plus(self.wasted))
    }
}

/// What is charged by: the class of service that the provider names, or else the one that was asked for.
fn terms(usage: &Usage, asked: Service) -> Terms {
    let said = usage.service.as_ref().map(|word| Service::named(&word.as_str()));
    Terms { service: said.unwrap_or(asked) }
}

impl Bill {
    pub fn of(payee: Payee, input: u64, service: Service, usage: Usage) -> Self {
        Self { payee: Some(payee), input, service, bytes: 0, usage }
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
        self.bytes += bytes_in(event);
    }

    /// `None` if nobody has answered, or the price is not known.
    pub fn cost(&self) -> Option<Cost> {
        let quote = self.quote()?;
        let (rates, terms) = (&quote.rates, terms(&self.usage, self.service));
        let (input, output) = (self.usage.input_said(), self.usage.output_said());
        if input.is_some() && output.is_some() {
            let nanos = rates.cost(&self.usage, terms);
            return Some(Cost { nanos, usage: self.usage.clone(), is_estimate: quote.is_guess });
        }
        let mut usage = self.usage.clone();
        usage.text_in = usage.text_in.or(input.is_none().then_some(self.input));
        usage.out = usage.out.or(output.is_none().then_some(tokens_in(self.bytes)));
        Some(Cost { nanos: rates.cost(&usage, terms), usage, is_estimate: true })
    }

    /// Somebody was asked whose price nobody knows.
    pub fn is_unpriced(&self) -> bool {
        self.payee.as_ref().is_some_and(|payee| payee.quote.as_ref().is_none_or(|quote| quote.is_guess))
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
        Bill::of(payee, 100, Service::Standard, Usage::default())
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
        assert_eq!(Bill { payee: None, ..bill() }.cost(), None);
    }

    #[test]
    fn an_explicit_zero_costs_nothing() {
        let mut bill = bill();
        bill.observe(&Event::Usage(Box::new(Usage::of(0, 0))));
        assert_eq!(cost(&bill), Some((Nanos(0), false)));
    }
}
