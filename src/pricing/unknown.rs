//! Models that no list knows: what becomes of requests to them, and what they may be guessed to cost.

use jiff::civil::Date;

use super::card::Card;
use super::list::{Name, PriceList, Row};
use super::rates::Rates;
use crate::base::money::Nanos;

/// What becomes of requests to a model whose price nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// Budgets refuse them.
    #[default]
    Refuse,
    /// They are charged what three in four models of the same vendor do not exceed, and marked as estimated.
    Estimate,
    /// They count as free, and are marked as unpriced.
    Zero,
}

impl PriceList {
    /// What three in four models of a vendor do not cost more than on a day, input and output each by itself; of all
    /// vendors, if the list does not know this one. `None` for a list without models.
    pub fn guess(&self, kind: &str, on: Date) -> Option<Rates> {
        let own = self.vendors.get(kind);
        let names = own.map_or_else(|| self.vendors.values().collect(), |own| vec![own]);
        let cards: Vec<&Card> = names
            .into_iter()
            .flat_map(|names| names.values())
            .filter_map(|name| match name {
                Name::Model(rows) => current(rows, on),
                Name::Alias(_) => None,
            })
            // Embeddings and the like say nothing of what words cost.
            .filter(|card| card.out > Nanos::ZERO)
            .collect();
        let input = third_quartile(cards.iter().map(|card| card.text_in))?;
        Some(Rates::simple(input, third_quartile(cards.iter().map(|card| card.out))?))
    }
}

fn current(rows: &[Row], on: Date) -> Option<&Card> {
    rows.iter().rfind(|row| row.from <= on).map(|row| &row.rates.standard.card)
}

fn third_quartile(prices: impl Iterator<Item = Nanos>) -> Option<Nanos> {
    let mut prices: Vec<_> = prices.collect();
    prices.sort_unstable();
    prices.get((prices.len() * 3).div_ceil(4).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Usage;
    use crate::pricing::Terms;

    const LIST: &str = "version: 1\nvendors:\n  a:\n    - source: https://example.org\n      checked: 2026-01-01\n      models:\n\
        \x20       w: [{ from: 2026-01-01, in: \"1\", out: \"8\" }]\n\
        \x20       x: [{ from: 2026-01-01, in: \"2\", out: \"4\" }]\n\
        \x20       y: [{ from: 2026-01-01, in: \"3\", out: \"6\" }]\n\
        \x20       z: [{ from: 2026-01-01, in: \"90\", out: \"2\" }]\n\
        \x20       embed: [{ from: 2026-01-01, in: \"700\", out: \"0\" }]\n\
        \x20 b:\n    - source: https://example.org\n      checked: 2026-01-01\n      models:\n\
        \x20       m: [{ from: 2026-01-01, in: \"50\", out: \"60\" }]\n";

    /// Of a million tokens in, and of a million out.
    fn guess(kind: &str, on: &str) -> Option<(Nanos, Nanos)> {
        let rates = PriceList::read(LIST).unwrap().guess(kind, on.parse().unwrap())?;
        let cost = |usage: Usage| rates.cost(&usage, Terms::default());
        Some((cost(Usage::of(1_000_000, 0)), cost(Usage::of(0, 1_000_000))))
    }

    fn usd(whole: i64) -> Nanos {
        Nanos(whole * 1_000_000_000)
    }

    #[test]
    fn a_guess_is_what_three_in_four_models_of_the_vendor_do_not_exceed() {
        assert_eq!(guess("a", "2026-06-01"), Some((usd(3), usd(6))));
    }

    #[test]
    fn a_vendor_that_nobody_knows_is_guessed_by_all_others() {
        assert_eq!(guess("nobody", "2026-06-01"), Some((usd(50), usd(8))));
    }

    #[test]
    fn before_there_were_prices_there_is_no_guess() {
        assert_eq!(guess("a", "2025-01-01"), None);
    }
}
