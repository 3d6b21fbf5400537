//! What requests to a target cost.
//!
//! A price in the gateway file goes before the price list, which is asked for the model and the day of the request.
//! A model that neither knows has no price, which is not the same as costing nothing.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::ids::ModelName;
use crate::pricing::{PriceList, Rates};
use crate::state::Priced;

/// A price that holds for a request.
#[derive(Debug, Clone)]
pub struct Quote {
    pub rates: Arc<Rates>,
    /// The row of the price list; `None` for a price that the gateway file has itself.
    pub row: Option<Priced>,
    /// Nobody knows the price; this is what the vendor's models usually cost.
    pub is_guess: bool,
}

pub struct Tariff {
    /// What the gateway file says.
    own: Option<Arc<Rates>>,
    /// The kind of the provider, by which the list knows its vendor.
    kind: String,
    list: Arc<PriceList>,
    /// Percent off the list.
    discount: u8,
    /// Most requests ask for the model that the last one asked for.
    last: ArcSwapOption<Looked>,
    /// A day since 1970, and the guess for it.
    guessed: ArcSwapOption<(i64, Quote)>,
}

/// What was found for a model on a day.
struct Looked {
    model: ModelName,
    /// Days since 1970.
    day: i64,
    quote: Option<Quote>,
}

impl Tariff {
    pub fn new(own: Option<Rates>, kind: &str, list: Arc<PriceList>, discount: u8) -> Self {
        let own = own.map(Arc::new);
        let (last, guessed) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        Self { own, kind: kind.to_owned(), list, discount, last, guessed }
    }

    /// A fixed price, or none at all.
    pub fn fixed(own: Option<Rates>) -> Self {
        Self::new(own, "", Arc::default(), 0)
    }

    /// The price of a model at a time; `None` if it is not known.
    pub fn quote(&self, model: &ModelName, at: Timestamp) -> Option<Quote> {
        if let Some(own) = &self.own {
            return Some(Quote { rates: Arc::clone(own), row: None, is_guess: false });
        }
        let day = day(at);
        if let Some(last) = &*self.last.load()
            && last.day == day
            && last.model == *model
        {
            return last.quote.clone();
        }
        let on = at.to_zoned(TimeZone::UTC).date();
        let quote = self.list.find(&self.kind, model.as_str(), on).map(|found| Quote {
            rates: match self.discount {
                0 => found.rates,
                percent => Arc::new(found.rates.discount(percent)),
            },
            row: Some(Priced { model: found.model, since: found.from }),
            is_guess: false,
        });
        self.last.store(Some(Arc::new(Looked { model: model.clone(), day, quote: quote.clone() })));
        quote
    }

    /// What a model may cost whose price is not known.
    pub fn guess(&self, at: Timestamp) -> Option<Quote> {
        let day = day(at);
        if let Some(guessed) = &*self.guessed.load()
            && guessed.0 == day
        {
            return Some(guessed.1.clone());
        }
        let on = at.to_zoned(TimeZone::UTC).date();
        let rates = Arc::new(self.list.guess(&self.kind, on)?.discount(self.discount));
        let quote = Quote { rates, row: None, is_guess: true };
        self.guessed.store(Some(Arc::new((day, quote.clone()))));
        Some(quote)
    }
}

/// Days since 1970.
fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::Nanos;
    use crate::chat::Usage;
    use crate::pricing::Terms;

    const LIST: &str = "version: 1\nvendors:\n  openai:\n    - source: https://example.org\n      checked: 2026-01-01\n      models:\n\
        \x20       m: [{ from: 2026-01-01, in: \"1\", out: \"2\" }, { from: 2026-02-01, in: \"3\", out: \"4\" }]\n";

    fn tariff(own: Option<Rates>, discount: u8) -> Tariff {
        Tariff::new(own, "openai", Arc::new(PriceList::read(LIST).unwrap()), discount)
    }

    fn cost(tariff: &Tariff, model: &str, at: &str) -> Option<Nanos> {
        let usage = Usage { text_in: Some(1_000_000), ..Usage::default() };
        let rates = tariff.quote(&ModelName::new(model), at.parse().unwrap())?.rates;
        Some(rates.cost(&usage, Terms::default()))
    }

    #[test]
    fn the_price_of_the_day_holds_and_not_that_of_the_day_before() {
        let tariff = tariff(None, 0);
        assert_eq!(cost(&tariff, "m", "2026-01-31T23:59:59Z"), Some(Nanos(1_000_000_000)));
        assert_eq!(cost(&tariff, "m", "2026-02-01T00:00:00Z"), Some(Nanos(3_000_000_000)));
        assert_eq!(cost(&tariff, "another", "2026-02-01T00:00:00Z"), None);
    }

    #[test]
    fn a_price_of_the_files_goes_before_the_list_and_a_discount_is_on_the_list() {
        let own = Rates::simple(Nanos(7_000_000_000), Nanos(0));
        assert_eq!(cost(&tariff(Some(own), 50), "m", "2026-01-02T00:00:00Z"), Some(Nanos(7_000_000_000)));
        assert_eq!(cost(&tariff(None, 50), "m", "2026-01-02T00:00:00Z"), Some(Nanos(500_000_000)));
    }
}
