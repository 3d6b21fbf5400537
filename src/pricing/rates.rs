//! From usage to money.

use super::card::{Card, Parts, Tariff};
use crate::base::money::Nanos;
use crate::chat::{TokenKind, Usage};

/// What one model cost from some day on: every dimension, tier and service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    pub(super) standard: Tariff,
    pub(super) batch: Option<Tariff>,
    pub(super) flex: Option<Tariff>,
    pub(super) priority: Option<Tariff>,
    /// Of each request, whatever its tokens.
    pub(super) request: Nanos,
    /// Of an hour of sound, where a vendor counts time and not tokens.
    pub(super) hour: Nanos,
}

/// On which terms a request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    pub service: Service,
}

impl Terms {
    /// The class of service that the provider names, or else the one that was asked for.
    pub fn of(usage: &Usage, asked: Service) -> Self {
        let said = usage.service.as_ref().map(|word| Service::named(&word.as_str()));
        Self { service: said.unwrap_or(asked) }
    }
}

/// The class of service, by the word the vendors have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Service {
    #[default]
    Standard,
    Batch,
    Flex,
    /// Also sold as "fast".
    Priority,
}

impl Service {
    /// The class that a vendor's word means; any other is the standard one.
    pub fn named(word: &str) -> Self {
        match word {
            "batch" => Self::Batch,
            "flex" => Self::Flex,
            "priority" | "fast" => Self::Priority,
            _ => Self::Standard,
        }
    }
}

impl Rates {
    /// One price for a million tokens of input, and one of output, whatever the tokens are.
    pub fn simple(input: Nanos, output: Nanos) -> Self {
        let standard = Tariff { card: Card::plain(input, output), over: Vec::new() };
        Self { standard, batch: None, flex: None, priority: None, request: Nanos::ZERO, hour: Nanos::ZERO }
    }

    /// What the usage cost, rounded up. A service that has no prices of its own costs what the standard one does.
    pub fn cost(&self, usage: &Usage, terms: Terms) -> Nanos {
        self.with_request(self.tariff(terms).cost(usage))
    }

    /// The same by kinds of token: together exactly what [`cost`](Self::cost) says. What belongs to no kind, and what
    /// was rounded up, is with the input.
    pub fn parts(&self, usage: &Usage, terms: Terms) -> Vec<(TokenKind, Nanos)> {
        let whole = |cost: i128| Nanos(i64::try_from(cost / MILLION).unwrap_or(i64::MAX));
        let card = self.tariff(terms).card_for(usage);
        let mut parts: Vec<_> = card.parts(usage).map(|(kind, cost)| (kind, whole(cost))).collect();
        let sum = parts.iter().fold(Nanos::ZERO, |sum, (_, cost)| sum.plus(*cost));
        if let Some((_, first)) = parts.first_mut() {
            first.0 = first.0.saturating_add(self.cost(usage, terms).0.saturating_sub(sum.0));
        }
        parts
    }

    /// The most that a request of text may cost with at most so many tokens of input and output, thoughts and
    /// writing to caches included.
    ///
    /// With parts of sound or image, use [`worst_of_media`](Self::worst_of_media).
    pub fn worst(&self, input: u64, output: u64, terms: Terms) -> Nanos {
        self.with_request(self.tariff(terms).worst(input, output, Parts::Text))
    }

    /// Like [`worst`](Self::worst), where any of the tokens may be sound or image.
    pub fn worst_of_media(&self, input: u64, output: u64, terms: Terms) -> Nanos {
        self.with_request(self.tariff(terms).worst(input, output, Parts::Media))
    }

    /// What so many seconds of sound cost, rounded up, where a vendor counts time; otherwise zero.
    pub fn of_seconds(&self, seconds: u64) -> Nanos {
        saturated(i128::from(self.hour.0).saturating_mul(i128::from(seconds)), SECONDS_IN_AN_HOUR)
    }

    /// The same rates with so many per cent off, at most all of them.
    #[must_use]
    pub fn discount(&self, percent: u8) -> Self {
        let left = i128::from(100 - percent.min(100));
        let price = |full: Nanos| saturated(i128::from(full.0) * left, 100);
        let tariff = |full: &Tariff| full.each(price);
        Self {
            standard: tariff(&self.standard),
            batch: self.batch.as_ref().map(tariff),
            flex: self.flex.as_ref().map(tariff),
            priority: self.priority.as_ref().map(tariff),
            request: price(self.request),
            hour: price(self.hour),
        }
    }

    fn tariff(&self, terms: Terms) -> &Tariff {
        let own = match terms.service {
            Service::Standard => None,
            Service::Batch => self.batch.as_ref(),
            Service::Flex => self.flex.as_ref(),
            Service::Priority => self.priority.as_ref(),
        };
        own.unwrap_or(&self.standard)
    }

    fn with_request(&self, millionths: i128) -> Nanos {
        saturated(millionths.saturating_add(i128::from(self.request.0) * MILLION), MILLION)
    }
}

/// Divides and rounds up.
pub(super) fn saturated(amount: i128, parts: i128) -> Nanos {
    let whole = amount / parts + i128::from(amount % parts > 0);
    Nanos(i64::try_from(whole).unwrap_or(i64::MAX))
}

const MILLION: i128 = 1_000_000;
const SECONDS_IN_AN_HOUR: i128 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> Nanos {
        Nanos::from_usd(text).unwrap()
    }

    fn free() -> Rates {
        Rates::simple(Nanos::ZERO, Nanos::ZERO)
    }

    fn standard() -> Terms {
        Terms::default()
    }

    fn tiered() -> Rates {
        let mut rates = Rates::simple(usd("2"), usd("10"));
        rates.standard.over = vec![(200_000, Card::plain(usd("4"), usd("15")))];
        rates
    }

    #[test]
    fn a_cost_is_exact_and_rounds_up_once() {
        let rates = Rates::simple(usd("2"), usd("8"));
        let usage = Usage { text_in: Some(10), out: Some(2), ..Usage::default() };
        assert_eq!(rates.cost(&usage, standard()), Nanos(36_000));
        let usage = Usage { text_in: Some(1), cache_read: Some(1), out: Some(1), ..Usage::default() };
        assert_eq!(Rates::simple(Nanos(1), Nanos(1)).cost(&usage, standard()), Nanos(1));
    }

    #[test]
    fn what_was_read_from_a_cache_is_not_charged_as_fresh_input_as_well() {
        let mut rates = Rates::simple(usd("3"), usd("15"));
        rates.standard.card.cache_read = usd("0.30");
        let usage = Usage { text_in: Some(100_000), cache_read: Some(900_000), ..Usage::default() };
        assert_eq!(rates.cost(&usage, standard()), usd("0.57"));
    }

    #[test]
    fn each_lifetime_of_a_cache_has_its_own_price() {
        let mut rates = Rates::simple(usd("3"), usd("15"));
        rates.standard.card.cache_write_5m = usd("3.75");
        rates.standard.card.cache_write_1h = usd("6");
        let usage = Usage { cache_write_5m: Some(1_000_000), cache_write_1h: Some(1_000_000), ..Usage::default() };
        assert_eq!(rates.cost(&usage, standard()), usd("9.75"));
    }

    #[test]
    fn the_longer_tier_begins_one_token_above_its_bound_and_then_holds_for_all() {
        let at = Usage { text_in: Some(200_000), out: Some(1_000), ..Usage::default() };
        assert_eq!(tiered().cost(&at, standard()), usd("0.41"));
        let above = Usage { text_in: Some(200_001), out: Some(1_000), ..Usage::default() };
        assert_eq!(tiered().cost(&above, standard()), usd("0.815004"));
    }

    #[test]
    fn cached_input_counts_towards_the_longer_tier() {
        let usage = Usage { text_in: Some(1), cache_read: Some(200_000), ..Usage::default() };
        assert_eq!(tiered().cost(&usage, standard()), usd("0.800004"));
    }

    #[test]
    fn thoughts_sound_and_images_have_their_own_prices() {
        let mut rates = Rates::simple(usd("1"), usd("2"));
        rates.standard.card.reasoning = usd("3");
        rates.standard.card.audio_in = usd("32");
        rates.standard.card.image_in = usd("5");
        rates.standard.card.audio_out = usd("64");
        let million = Some(1_000_000);
        let of = |usage: &Usage| rates.cost(usage, standard());
        assert_eq!(of(&Usage { reasoning_out: million, ..Usage::default() }), usd("3"));
        assert_eq!(of(&Usage { audio_in: million, ..Usage::default() }), usd("32"));
        assert_eq!(of(&Usage { image_in: million, ..Usage::default() }), usd("5"));
        assert_eq!(of(&Usage { audio_out: million, out: million, ..Usage::default() }), usd("66"));
    }

    #[test]
    fn each_request_of_a_price_per_request_is_charged_even_without_tokens() {
        let mut rates = Rates::simple(usd("1"), usd("1"));
        rates.request = usd("0.012");
        assert_eq!(rates.cost(&Usage::default(), standard()), usd("0.012"));
        assert_eq!(rates.worst(1_000_000, 0, standard()), usd("1.012"));
    }

    #[test]
    fn sound_that_is_counted_by_time_is_charged_by_the_second() {
        let rates = Rates { hour: usd("0.36"), ..free() };
        assert_eq!(rates.of_seconds(90), usd("0.009"));
        assert_eq!(rates.of_seconds(1), usd("0.0001"));
    }

    #[test]
    fn a_service_without_prices_of_its_own_costs_what_the_standard_one_does() {
        let mut rates = Rates::simple(usd("2"), usd("8"));
        rates.batch = Some(Tariff { card: Card::plain(usd("1"), usd("4")), over: Vec::new() });
        let usage = Usage { text_in: Some(1_000_000), ..Usage::default() };
        assert_eq!(rates.cost(&usage, Terms { service: Service::Batch }), usd("1"));
        assert_eq!(rates.cost(&usage, Terms { service: Service::Flex }), usd("2"));
    }

    #[test]
    fn a_discount_takes_off_every_price_and_rounds_up() {
        let mut rates = tiered();
        rates.request = Nanos(1);
        let less = rates.discount(10);
        let long = Usage { text_in: Some(1_000_000), ..Usage::default() };
        assert_eq!(less.cost(&long, standard()), Nanos(3_600_000_001));
        assert_eq!(rates.discount(200).cost(&long, standard()), Nanos::ZERO);
        assert_eq!(rates.discount(0), rates);
    }

    #[test]
    fn what_does_not_fit_saturates_and_never_wraps() {
        let rates = Rates { hour: Nanos(i64::MAX), ..Rates::simple(Nanos(i64::MAX), Nanos(i64::MAX)) };
        let usage = Usage { text_in: Some(u64::MAX), out: Some(u64::MAX), ..Usage::default() };
        assert_eq!(rates.cost(&usage, standard()), Nanos(i64::MAX));
        assert_eq!(rates.worst(u64::MAX, u64::MAX, standard()), Nanos(i64::MAX));
        assert_eq!(rates.of_seconds(u64::MAX), Nanos(i64::MAX));
    }

    #[test]
    fn sound_may_cost_more_than_the_worst_of_text_but_not_than_the_worst_of_media() {
        let mut rates = Rates::simple(usd("1"), usd("2"));
        rates.standard.card.audio_in = usd("32");
        let usage = Usage { audio_in: Some(1_000), ..Usage::default() };
        let cost = rates.cost(&usage, standard());
        assert!(cost > rates.worst(1_000, 0, standard()));
        assert_eq!(cost, rates.worst_of_media(1_000, 0, standard()));
    }

    fn any_card() -> impl Strategy<Value = Card> {
        proptest::array::uniform9(0..100_000_000_000_i64).prop_map(|price| {
            let [text_in, cache_read, cache_write_5m, cache_write_1h, audio_in, image_in, out, reasoning, audio_out] =
                price.map(Nanos);
            Card { text_in, cache_read, cache_write_5m, cache_write_1h, audio_in, image_in, out, reasoning, audio_out }
        })
    }

    fn any_rates() -> impl Strategy<Value = Rates> {
        let tariff = || {
            (any_card(), any_card(), any_card(), 0..500_u64, 1..500_u64).prop_map(
                |(card, second, third, bound, more)| Tariff {
                    card,
                    over: vec![(bound, second), (bound + more, third)],
                },
            )
        };
        (tariff(), proptest::option::of(tariff()), 0..1_000_000_i64).prop_map(|(standard, priority, request)| Rates {
            standard,
            priority,
            request: Nanos(request),
            ..free()
        })
    }

    fn any_usage() -> impl Strategy<Value = Usage> {
        proptest::array::uniform9(proptest::option::of(0..400_u64)).prop_map(
            |[
                text_in,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                audio_in,
                image_in,
                out,
                reasoning_out,
                audio_out,
            ]| {
                Usage {
                    text_in,
                    cache_read,
                    cache_write_5m,
                    cache_write_1h,
                    audio_in,
                    image_in,
                    out,
                    reasoning_out,
                    audio_out,
                    service: None,
                    wire: None,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn no_request_costs_more_than_its_worst(rates in any_rates(), usage in any_usage(), fast in any::<bool>()) {
            let terms = Terms { service: if fast { Service::Priority } else { Service::Standard } };
            let media = rates.worst_of_media(usage.input(), usage.output(), terms);
            prop_assert!(rates.cost(&usage, terms) <= media);
            let text = Usage { audio_in: None, image_in: None, audio_out: None, ..usage };
            prop_assert!(rates.cost(&text, terms) <= rates.worst(text.input(), text.output(), terms));
        }

        #[test]
        fn the_parts_of_a_cost_are_the_cost(rates in any_rates(), usage in any_usage()) {
            let parts = rates.parts(&usage, standard());
            prop_assert!(parts.iter().all(|(_, cost)| *cost >= Nanos::ZERO));
            let sum = parts.iter().fold(Nanos::ZERO, |sum, (_, cost)| sum.plus(*cost));
            prop_assert_eq!(sum, rates.cost(&usage, standard()));
        }

        #[test]
        fn a_larger_limit_is_never_a_smaller_worst(rates in any_rates(), input in 0..1_000_u64, output in 0..1_000_u64) {
            let worst = rates.worst(input, output, standard());
            prop_assert!(worst <= rates.worst(input + 1, output, standard()));
            prop_assert!(worst <= rates.worst(input, output + 1, standard()));
        }

        #[test]
        fn simple_rates_do_not_care_what_the_tokens_are(usage in any_usage(), input in 0..i64::MAX, output in 0..i64::MAX) {
            let sum = i128::from(input) * i128::from(usage.input()) + i128::from(output) * i128::from(usage.output());
            let whole = i64::try_from((sum + 999_999) / 1_000_000).unwrap_or(i64::MAX);
            prop_assert_eq!(Rates::simple(Nanos(input), Nanos(output)).cost(&usage, standard()), Nanos(whole));
        }
    }
}
