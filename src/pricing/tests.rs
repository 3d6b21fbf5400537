//! The embedded table, looked over as a whole, and invoices reckoned by hand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};

use super::card::{Card, Tariff};
use super::list::{Name, Row};
use super::*;
use crate::base::money::Nanos;
use crate::chat::Usage;

const TODAY: Date = date(2026, 11, 25);

fn usd(text: &str) -> Nanos {
    Nanos::from_usd(text).unwrap()
}

fn standard() -> Terms {
    Terms { service: Service::Standard }
}

fn found(kind: &str, model: &str) -> Found {
    PriceList::embedded().find(kind, model, TODAY).unwrap_or_else(|| panic!("{kind} has no {model}"))
}

fn invoice(kind: &str, model: &str, usage: &Usage) -> String {
    found(kind, model).rates.cost(usage, standard()).to_string()
}

/// Every row with the place it has.
fn rows() -> impl Iterator<Item = (String, &'static Row)> {
    PriceList::embedded().vendors.iter().flat_map(|(vendor, names)| {
        names.iter().flat_map(move |(name, entry)| {
            let rows: &[Row] = if let Name::Model(rows) = entry { rows } else { &[] };
            rows.iter().map(move |row| (format!("{vendor} {name} from {}", row.from), row))
        })
    })
}

/// Every card of a row with the place it has.
fn cards() -> impl Iterator<Item = (String, &'static Card)> {
    rows().flat_map(|(place, row)| {
        let services = [&row.rates.batch, &row.rates.flex, &row.rates.priority].into_iter().flatten();
        let tariffs = std::iter::once(&row.rates.standard).chain(services);
        let cards =
            tariffs.flat_map(|Tariff { card, over }| std::iter::once(card).chain(over.iter().map(|(_, card)| card)));
        cards.map(move |card| (place.clone(), card))
    })
}

fn list(text: &str) -> PriceList {
    PriceList::read(&format!("version: 1\nvendors: {text}")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

#[test]
fn the_table_has_the_models_people_use() {
    let models: Vec<_> = PriceList::embedded().models().collect();
    assert!(models.len() >= 160, "{}", models.len());
    let of: BTreeMap<&str, usize> = models.iter().fold(BTreeMap::new(), |mut of, (vendor, _)| {
        *of.entry(vendor).or_default() += 1;
        of
    });
    for vendor in ["openai", "anthropic", "gemini", "mistral", "xai", "groq", "bedrock"] {
        assert!(of[vendor] >= 10, "{vendor}: {}", of[vendor]);
    }
}

#[test]
fn every_row_says_where_it_is_from_and_when_that_was_read() {
    for (place, row) in rows() {
        assert!(row.source.as_ref().is_some_and(|source| source.starts_with("https://")), "{place}");
        assert!(row.checked.is_some_and(|day| day >= date(2026, 7, 1) && day <= TODAY), "{place}");
        assert!(row.from >= date(2023, 1, 1) && row.from <= date(2027, 1, 1), "{place}");
    }
}

#[test]
fn every_alias_leads_to_a_model() {
    let mut aliases = 0;
    for (vendor, names) in &PriceList::embedded().vendors {
        for (name, entry) in names {
            let Name::Alias(model) = entry else { continue };
            assert_eq!(found(vendor, name).model, *model, "{vendor} {name}");
            aliases += 1;
        }
    }
    assert!(aliases > 50, "{aliases}");
}

#[test]
fn no_name_differs_from_another_only_by_its_case() {
    for (vendor, names) in &PriceList::embedded().vendors {
        let lower: BTreeSet<_> = names.keys().map(|name| name.to_lowercase()).collect();
        assert_eq!(lower.len(), names.len(), "{vendor}");
    }
}

/// Guards against a price of one token where that of a million is meant, and against swapped columns.
#[test]
fn every_price_is_one_of_a_million_tokens() {
    for (place, card) in cards() {
        assert!(card.text_in <= usd("200"), "{place}");
        assert!(card.out <= usd("1000"), "{place}");
        assert!(card.cache_read <= card.text_in, "{place}: reading a cache is dearer than fresh input");
        assert!(card.cache_write_5m <= card.cache_write_1h, "{place}");
        assert!(card.cache_write_1h.0 <= card.text_in.0 * 2, "{place}");
        assert!(card.audio_in.0 <= card.text_in.0.max(1_000_000) * 40, "{place}");
        assert!(card.reasoning >= card.out, "{place}");
    }
}

#[test]
fn output_is_never_cheaper_than_input_but_where_there_is_none() {
    for (place, row) in rows() {
        let card = row.rates.standard.card;
        let embeds = place.contains("embed");
        assert_eq!(
            card.out == Nanos::ZERO,
            embeds || row.rates.hour != Nanos::ZERO && card.text_in == Nanos::ZERO,
            "{place}"
        );
        assert!(embeds || card.out >= card.text_in, "{place}");
    }
}

#[test]
fn a_longer_tier_is_never_cheaper_and_batch_never_dearer() {
    for (place, row) in rows() {
        let rates = &row.rates;
        for (_, card) in &rates.standard.over {
            assert!(card.text_in > rates.standard.card.text_in && card.out > rates.standard.card.out, "{place}");
        }
        for cheap in [&rates.batch, &rates.flex].into_iter().flatten() {
            assert!(
                cheap.card.text_in <= rates.standard.card.text_in && cheap.card.out <= rates.standard.card.out,
                "{place}"
            );
        }
        let fast = rates.priority.as_ref().unwrap_or(&rates.standard);
        assert!(
            fast.card.text_in >= rates.standard.card.text_in && fast.card.out >= rates.standard.card.out,
            "{place}"
        );
    }
}

/// A service is nowhere sold below half of the standard price, so a figure below it stands in a wrong column.
#[test]
fn no_service_is_cheaper_than_half_in_any_column() {
    for (place, row) in rows() {
        let standard = &row.rates.standard;
        for service in [&row.rates.batch, &row.rates.flex, &row.rates.priority].into_iter().flatten() {
            let tiers = standard.over.iter().map(|(_, card)| card).zip(service.over.iter().map(|(_, card)| card));
            for (full, card) in std::iter::once((&standard.card, &service.card)).chain(tiers) {
                let (full, twice) = (full.columns(), card.columns().map(|price| Nanos(price.0 * 2)));
                assert!(full.iter().zip(twice).all(|(full, twice)| twice >= *full), "{place}");
            }
        }
    }
}

#[test]
fn writing_to_an_anthropic_cache_costs_what_its_lifetime_says() {
    for (place, row) in rows().filter(|(place, _)| place.starts_with("anthropic claude-") && !place.contains("3-haiku"))
    {
        let tiers = row.rates.standard.over.iter().map(|(_, card)| card);
        for card in std::iter::once(&row.rates.standard.card).chain(tiers) {
            assert_eq!(card.cache_write_5m.0 * 4, card.text_in.0 * 5, "{place}");
            assert_eq!(card.cache_write_1h.0, card.text_in.0 * 2, "{place}");
        }
    }
}

#[test]
fn the_price_of_the_day_of_the_request_is_found() {
    let embedded = PriceList::embedded();
    let input =
        |day| embedded.find("openai", "gpt-5.6-sol", day).map(|found| (found.from, found.rates.standard.card.text_in));
    assert_eq!(input(date(2026, 7, 8)), None);
    assert_eq!(input(date(2026, 8, 20)), Some((date(2026, 7, 9), usd("5"))));
    assert_eq!(input(date(2026, 8, 21)), Some((date(2026, 8, 21), usd("4"))));
}

#[test]
fn dated_regional_and_latest_names_find_their_model() {
    for (kind, name, model) in [
        ("openai", "gpt-4.1-2025-04-14", "gpt-4.1"),
        ("openai", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-opus-4-20250514", "claude-opus-4"),
        ("anthropic", "claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("gemini", "models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5"),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5"),
        ("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-sonnet-4-5"),
        ("bedrock", "apac.amazon.nova-lite-v1:0", "amazon.nova-lite"),
        ("bedrock", "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2"),
        ("bedrock", "openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1"),
        ("openai_compatible", "deepseek/deepseek-flash", "deepseek-flash"),
        ("openai_compatible", "groq/openai/gpt-oss-20b", "openai/gpt-oss-20b"),
    ] {
        assert_eq!(&*found(kind, name).model, model, "{kind} {name}");
    }
}

#[test]
fn what_the_table_does_not_have_has_no_price() {
    let embedded = PriceList::embedded();
    for (kind, name) in [
        ("openai", "gpt-4"),
        ("openai_compatible", "gpt-4.1"),
        ("openai_compatible", "nobody/gpt-4.1"),
        ("vllm", "openai/gpt-4.1"),
        ("groq", "gpt-4.1"),
        ("openai", "gpt-4.1-turbo"),
        ("anthropic", "claude-sonnet"),
    ] {
        let day = if name == "gpt-4" { date(2020, 1, 1) } else { TODAY };
        assert_eq!(embedded.find(kind, name, day), None, "{kind} {name}");
    }
}

#[test]
fn a_list_over_another_wins_from_its_first_day_on() {
    let below = list(
        "{ v: [{ models: { m: [{ from: 2025-01-01, in: 1, out: 1 }, { from: 2025-06-01, in: 3, out: 3 }], n: [{ from: 2025-01-01, in: 4, out: 4 }] }, aliases: { a: n } }] }",
    );
    let over = list(
        "{ v: [{ models: { m: [{ from: 2025-03-01, in: 2, out: 2 }], a: [{ from: 2025-01-01, in: 5, out: 5 }] } }], w: [{ models: { x: [{ from: 2025-01-01, in: 6, out: 6 }] } }] }",
    );
    let both = below.overlay(over);
    let price =
        |kind: &str, model: &str, day| both.find(kind, model, day).map(|found| found.rates.standard.card.text_in);
    assert_eq!(price("v", "m", date(2025, 2, 28)), Some(usd("1")));
    assert_eq!(price("v", "m", date(2025, 7, 1)), Some(usd("2")));
    assert_eq!(price("v", "n", TODAY), Some(usd("4")));
    assert_eq!(price("v", "a", TODAY), Some(usd("5")));
    assert_eq!(price("w", "x", TODAY), Some(usd("6")));
}

#[test]
fn invoices_of_openai() {
    // 12,000 × $2 + 4,000 × $0.50 + 900 × $8, for a million.
    let usage = Usage { text_in: Some(12_000), cache_read: Some(4_000), out: Some(900), ..Usage::default() };
    assert_eq!(invoice("openai", "gpt-4.1-2025-04-14", &usage), "0.0332");
    // Above 272,000: 280,000 × $4 + 20,000 × $0.20 + (1,000 + 3,000) × $15.
    let usage = Usage {
        text_in: Some(280_000),
        cache_read: Some(20_000),
        out: Some(1_000),
        reasoning_out: Some(3_000),
        ..Usage::default()
    };
    assert_eq!(invoice("openai", "gpt-6.1-sol", &usage), "1.184");
    // Sound: 500 × $2.50 + 2,000 × $32 + 100 × $10 + 1,500 × $64.
    let usage =
        Usage { text_in: Some(500), audio_in: Some(2_000), out: Some(100), audio_out: Some(1_500), ..Usage::default() };
    assert_eq!(invoice("openai", "gpt-audio", &usage), "0.16225");
}

#[test]
fn invoices_of_openai_by_service() {
    let usage = Usage { text_in: Some(100_000), cache_read: Some(50_000), out: Some(10_000), ..Usage::default() };
    let rates = found("openai", "gpt-5").rates;
    let of = |service| rates.cost(&usage, Terms { service }).to_string();
    // 100,000 × $1.25 + 50,000 × $0.125 + 10,000 × $10; half of it; twice of it.
    assert_eq!(of(Service::Standard), "0.23125");
    assert_eq!((of(Service::Batch), of(Service::Flex)), ("0.115625".into(), "0.115625".into()));
    assert_eq!(of(Service::Priority), "0.4625");
    // 100,000 × $1 + 50,000 × $0.50 + 10,000 × $4: batch does not halve cached input.
    let rates = found("openai", "gpt-4.1").rates;
    assert_eq!(rates.cost(&usage, Terms { service: Service::Batch }).to_string(), "0.165");
}

#[test]
fn invoices_of_anthropic() {
    // 2,000 × $3 + 150,000 × $0.30 + 8,000 × $3.75 + 1,000 × $6 + 1,200 × $15.
    let usage = Usage {
        text_in: Some(2_000),
        cache_read: Some(150_000),
        cache_write_5m: Some(8_000),
        cache_write_1h: Some(1_000),
        out: Some(1_200),
        ..Usage::default()
    };
    assert_eq!(invoice("anthropic", "claude-sonnet-4-6", &usage), "0.105");
    // Above 100,000 all told: 1,000 × $0.50 + 100,000 × $0.05 + 500 × $2.50.
    let usage = Usage { text_in: Some(1_000), cache_read: Some(100_000), out: Some(500), ..Usage::default() };
    assert_eq!(invoice("anthropic", "claude-haiku-5-5", &usage), "0.00675");
}

#[test]
fn invoices_of_gemini() {
    // Exactly 200,000: 200,000 × $1.25 + (800 + 2,200) × $10.
    let usage = Usage { text_in: Some(200_000), out: Some(800), reasoning_out: Some(2_200), ..Usage::default() };
    assert_eq!(invoice("gemini", "gemini-2.5-pro", &usage), "0.28");
    // One above: 200,001 × $2.50 + 3,000 × $15.
    let usage = Usage { text_in: Some(200_001), ..usage };
    assert_eq!(invoice("gemini", "gemini-2.5-pro", &usage), "0.5450025");
    // 10,000 × $0.30 + 5,000 × $1 of sound + 258 × $0.30 of an image + 700 × $2.50.
    let usage =
        Usage { text_in: Some(10_000), audio_in: Some(5_000), image_in: Some(258), out: Some(700), ..Usage::default() };
    assert_eq!(invoice("gemini", "gemini-2.5-flash", &usage), "0.0098274");
}

#[test]
fn invoices_of_bedrock() {
    // A region costs a tenth more than `global.`: 10,000 × $3.30 + 1,000 × $16.50, and 10,000 × $3 + 1,000 × $15.
    let usage = Usage { text_in: Some(10_000), out: Some(1_000), ..Usage::default() };
    assert_eq!(invoice("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", &usage), "0.0495");
    assert_eq!(invoice("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", &usage), "0.045");
}

#[test]
fn invoices_of_the_others() {
    let usage = Usage { text_in: Some(30_000), cache_read: Some(10_000), out: Some(2_000), ..Usage::default() };
    // 30,000 × $0.50 + 10,000 × $0.05 + 2,000 × $1.50.
    assert_eq!(invoice("mistral", "mistral-large-2512", &usage), "0.0185");
    // 30,000 × $0.30 + 10,000 × $0.006 + 2,000 × $1.20.
    assert_eq!(invoice("deepseek", "deepseek-flash", &usage), "0.01146");
    // No price for cached input, so it costs what fresh input does: 40,000 × $0.59 + 2,000 × $0.79.
    assert_eq!(invoice("groq", "llama-3.3-70b-versatile", &usage), "0.02518");
    // A request, 40,000 × $3 and 2,000 × $15.
    assert_eq!(invoice("perplexity", "sonar-pro", &usage), "0.164");
    // xAI's longer tier begins with the 200,000th token: 200,000 × $4.
    let usage = Usage { text_in: Some(200_000), ..Usage::default() };
    assert_eq!(invoice("xai", "grok-4.7", &usage), "0.8");
    // 50,000 × $2.50 + 500 × $10, and embeddings of a million at $0.12.
    let usage = Usage { text_in: Some(50_000), out: Some(500), ..Usage::default() };
    assert_eq!(invoice("cohere", "command-a-03-2025", &usage), "0.13");
    let usage = Usage { text_in: Some(1_000_000), ..Usage::default() };
    assert_eq!(invoice("cohere", "embed-v4.0", &usage), "0.12");
}
