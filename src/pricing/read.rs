//! A price file, as it is written.
//!
//! It is read strictly: what is not understood is a mistake with its line, never skipped, because a misspelt
//! `cache_read` would be a wrong bill.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use jiff::civil::Date;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

use super::card::{Card, Tariff};
use super::list::{Name, Names, PriceList, Row};
use super::rates::{Rates, saturated};
use crate::base::money::Nanos;

/// Something wrong in a price file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Counted from 1; 0 if there is no saying where.
    pub line: u64,
    /// Counted from 1, in characters.
    pub column: u64,
    pub message: String,
}

pub(super) fn read(text: &str) -> Result<PriceList, Vec<Mistake>> {
    let written: Written = serde_saphyr::from_str(text).map_err(|error| vec![Mistake::of_yaml(&error)])?;
    let mut mistakes = Mistakes::default();
    if written.version.value != 1 {
        let version = written.version.value;
        mistakes.at(&written.version, format!("version {version} of price files is not known; this is version 1"));
    }
    let mut vendors: BTreeMap<Arc<str>, Names> = BTreeMap::new();
    for (vendor, groups) in written.vendors.0 {
        let names = groups.iter().fold(Names::new(), |names, group| group.read(names, &mut mistakes));
        for group in &groups {
            group.check_aliases(&names, &mut mistakes);
        }
        vendors.insert(vendor.value.into(), names);
    }
    mistakes.none_or_all().map(|()| PriceList { vendors })
}

impl Mistake {
    fn of_yaml(error: &serde_saphyr::Error) -> Self {
        // The snippet of the YAML reader shows neighbouring lines; its first line is the sentence.
        let shown = error.without_snippet().to_string();
        let message = shown.lines().next().unwrap_or("this is not YAML").to_owned();
        let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
        Self { line, column, message }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            // The YAML reader's own sentences already say where.
            line if line > 0 && !self.message.contains("line ") => {
                write!(f, "line {line}, column {}: {}", self.column, self.message)
            }
            _ => f.write_str(&self.message),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: Spanned<u32>,
    vendors: Pairs<Vec<WrittenGroup>>,
}

/// Models with one source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGroup {
    source: Option<Spanned<String>>,
    checked: Option<Spanned<String>>,
    #[serde(default)]
    models: Pairs<Vec<WrittenPrices>>,
    #[serde(default)]
    aliases: Pairs<Spanned<String>>,
}

/// A row, one of its tiers or one of its services. Each has its own fields; [`Place`] says which.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenPrices {
    from: Option<Amount>,
    times: Option<Amount>,
    r#in: Option<Amount>,
    cache_read: Option<Amount>,
    cache_write_5m: Option<Amount>,
    cache_write_1h: Option<Amount>,
    audio_in: Option<Amount>,
    image_in: Option<Amount>,
    out: Option<Amount>,
    reasoning: Option<Amount>,
    audio_out: Option<Amount>,
    over: Option<Spanned<Pairs<Spanned<WrittenPrices>>>>,
    batch: Option<Box<Spanned<WrittenPrices>>>,
    flex: Option<Box<Spanned<WrittenPrices>>>,
    priority: Option<Box<Spanned<WrittenPrices>>>,
    request: Option<Amount>,
    hour: Option<Amount>,
}

/// A decimal, kept as it is written: a float would not be exact.
type Amount = Spanned<String>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Row,
    Service,
    Tier,
}

impl WrittenGroup {
    fn read(&self, mut names: Names, mistakes: &mut Mistakes) -> Names {
        let source: Option<Arc<str>> = self.source.as_ref().map(|source| source.value.as_str().into());
        let checked = self.checked.as_ref().and_then(|written| mistakes.date(written));
        for (name, written) in &self.models.0 {
            let mut rows: Vec<Row> = Vec::new();
            for row in written {
                let Some((from, rates)) = row.read_row(name, mistakes) else { continue };
                if rows.last().is_some_and(|before| before.from >= from) {
                    let place = row.from.as_ref().map_or(name, |from| from);
                    mistakes.at(place, format!("`{from}` does not come after the row before it"));
                }
                rows.push(Row { from, source: source.clone(), checked, rates: rates.into() });
            }
            if written.is_empty() {
                mistakes.at(name, format!("`{}` needs at least one row", name.value));
            }
            insert(&mut names, name, Name::Model(rows), mistakes);
        }
        for (name, model) in &self.aliases.0 {
            insert(&mut names, name, Name::Alias(model.value.as_str().into()), mistakes);
        }
        names
    }

    fn check_aliases(&self, names: &Names, mistakes: &mut Mistakes) {
        for (_, model) in &self.aliases.0 {
            if !matches!(names.get(model.value.as_str()), Some(Name::Model(_))) {
                mistakes.at(model, format!("`{}` is no model of this vendor", model.value));
            }
        }
    }
}

fn insert(names: &mut Names, name: &Spanned<String>, entry: Name, mistakes: &mut Mistakes) {
    if names.contains_key(name.value.as_str()) {
        mistakes.at(name, format!("`{}` stands twice", name.value));
    } else {
        names.insert(name.value.as_str().into(), entry);
    }
}

impl WrittenPrices {
    fn read_row(&self, name: &Spanned<String>, mistakes: &mut Mistakes) -> Option<(Date, Rates)> {
        self.check_place(Place::Row, mistakes);
        let counts_time = self.hour.is_some();
        for (field, price) in [("from", &self.from), ("in", &self.r#in), ("out", &self.out)] {
            if price.is_none() && !(counts_time && field != "from") {
                mistakes.at(name, format!("a row of `{}` has no `{field}`", name.value));
            }
        }
        let standard = Tariff { card: self.card(mistakes), over: self.tiers(self, mistakes) };
        let mut service = |written: &Option<Box<Spanned<Self>>>| {
            written.as_ref().map(|written| written.value.service(written, self, &standard, mistakes))
        };
        let (batch, flex, priority) = (service(&self.batch), service(&self.flex), service(&self.priority));
        let request = mistakes.amount(self.request.as_ref());
        let hour = mistakes.amount(self.hour.as_ref());
        let from = mistakes.date(self.from.as_ref()?)?;
        Some((from, Rates { standard, batch, flex, priority, request, hour }))
    }

    fn service(&self, place: &Spanned<Self>, row: &Self, standard: &Tariff, mistakes: &mut Mistakes) -> Tariff {
        self.check_place(Place::Service, mistakes);
        let Some(times) = &self.times else {
            self.check_complete(place, row, mistakes);
            return Tariff { card: self.card(mistakes), over: self.tiers(row, mistakes) };
        };
        if self.prices().iter().any(|(_, price)| price.is_some()) || self.over.is_some() {
            mistakes.at(times, "a service has either `times` or prices of its own".into());
        }
        let Ok(factor) = Nanos::from_usd(&times.value) else {
            mistakes.at(times, format!("`{}` is not a factor; write a decimal like `0.5`", times.value));
            return standard.clone();
        };
        standard.each(|price| saturated(i128::from(price.0) * i128::from(factor.0), 1_000_000_000))
    }

    fn tiers(&self, row: &Self, mistakes: &mut Mistakes) -> Vec<(u64, Card)> {
        let mut tiers: Vec<(u64, Card)> = Vec::new();
        for (bound, tier) in self.over.iter().flat_map(|over| &over.value.0) {
            tier.value.check_place(Place::Tier, mistakes);
            tier.value.check_complete(tier, row, mistakes);
            let card = tier.value.card(mistakes);
            match tokens(&bound.value) {
                None => mistakes.at(bound, format!("`{}` is not a number of tokens like `200k`", bound.value)),
                Some(bound_tokens) if tiers.last().is_some_and(|(before, _)| *before >= bound_tokens) => {
                    mistakes.at(bound, format!("`{}` does not come after the tier before it", bound.value));
                }
                Some(bound_tokens) => tiers.push((bound_tokens, card)),
            }
        }
        tiers
    }

    fn card(&self, mistakes: &mut Mistakes) -> Card {
        let mut price = |written: &Option<Amount>| written.as_ref().map(|written| mistakes.price(written));
        let plain = Card::plain(price(&self.r#in).unwrap_or_default(), price(&self.out).unwrap_or_default());
        let cache_write_5m = price(&self.cache_write_5m).unwrap_or(plain.cache_write_5m);
        Card {
            cache_read: price(&self.cache_read).unwrap_or(plain.cache_read),
            cache_write_5m,
            cache_write_1h: price(&self.cache_write_1h).unwrap_or(cache_write_5m),
            audio_in: price(&self.audio_in).unwrap_or(plain.audio_in),
            image_in: price(&self.image_in).unwrap_or(plain.image_in),
            reasoning: price(&self.reasoning).unwrap_or(plain.reasoning),
            audio_out: price(&self.audio_out).unwrap_or(plain.audio_out),
            ..plain
        }
    }

    fn prices(&self) -> [(&'static str, &Option<Amount>); 9] {
        [
            ("in", &self.r#in),
            ("cache_read", &self.cache_read),
            ("cache_write_5m", &self.cache_write_5m),
            ("cache_write_1h", &self.cache_write_1h),
            ("audio_in", &self.audio_in),
            ("image_in", &self.image_in),
            ("out", &self.out),
            ("reasoning", &self.reasoning),
            ("audio_out", &self.audio_out),
        ]
    }

    /// A tier or a service prices what its row prices.
    fn check_complete(&self, place: &Spanned<Self>, row: &Self, mistakes: &mut Mistakes) {
        for ((field, price), (_, of_row)) in self.prices().into_iter().zip(row.prices()) {
            if price.is_none() && of_row.is_some() {
                mistakes.at(place, format!("`{field}` is missing here, and the row has a price for it"));
            }
        }
    }

    fn check_place(&self, place: Place, mistakes: &mut Mistakes) {
        let service = |service: &Option<Box<Spanned<Self>>>| service.as_ref().map(|service| service.referenced);
        let amount = |amount: &Option<Amount>| amount.as_ref().map(|amount| amount.referenced);
        let fields: [(&str, Option<Location>, &[Place]); 8] = [
            ("from", amount(&self.from), &[Place::Row]),
            ("request", amount(&self.request), &[Place::Row]),
            ("hour", amount(&self.hour), &[Place::Row]),
            ("batch", service(&self.batch), &[Place::Row]),
            ("flex", service(&self.flex), &[Place::Row]),
            ("priority", service(&self.priority), &[Place::Row]),
            ("times", amount(&self.times), &[Place::Service]),
            ("over", self.over.as_ref().map(|over| over.referenced), &[Place::Row, Place::Service]),
        ];
        for (field, at, places) in fields {
            if let Some(at) = at.filter(|_| !places.contains(&place)) {
                mistakes.push(at, format!("`{field}` has no place here"));
            }
        }
    }
}

/// `200k`, `1m`, `199999`
fn tokens(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' => (text.strip_suffix('k')?, 1_000),
        b'm' => (text.strip_suffix('m')?, 1_000_000),
        _ => (text, 1),
    };
    let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn at<T>(&mut self, written: &Spanned<T>, message: String) {
        self.push(written.referenced, message);
    }

    fn push(&mut self, at: Location, message: String) {
        self.0.push(Mistake { line: at.line(), column: at.column(), message });
    }

    fn amount(&mut self, written: Option<&Amount>) -> Nanos {
        let Some(written) = written else { return Nanos::ZERO };
        Nanos::from_usd(&written.value).unwrap_or_else(|wrong| {
            self.at(written, wrong);
            Nanos::ZERO
        })
    }

    /// The price of a million tokens. The dearest token there is costs less than a tenth of a cent, and the
    /// cheapest million more: what lies on the wrong side was written for the wrong number of tokens.
    fn price(&mut self, written: &Amount) -> Nanos {
        let price = self.amount(Some(written));
        if price != Nanos::ZERO && !(LEAST_PRICE..=MOST_PRICE).contains(&price) {
            let amount = &written.value;
            self.at(
                written,
                format!("`{amount}` US dollars is no price of a million tokens; is it that of another number?"),
            );
        }
        price
    }

    fn date(&mut self, written: &Spanned<String>) -> Option<Date> {
        let read = written.value.parse::<Date>().ok().filter(|_| written.value.len() == "2025-04-14".len());
        if read.is_none() {
            self.at(written, format!("`{}` is not a date; write it like `2025-04-14`", written.value));
        }
        read
    }

    fn none_or_all(mut self) -> Result<(), Vec<Mistake>> {
        self.0.sort_by_key(|mistake| (mistake.line, mistake.column));
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// A mapping in the order it is written, with the places of its keys.
struct Pairs<T>(Vec<(Spanned<String>, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

const LEAST_PRICE: Nanos = Nanos(1_000_000);
const MOST_PRICE: Nanos = Nanos(10_000_000_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(models: &str) -> Vec<String> {
        let text = format!("version: 1\nvendors:\n  v:\n    - models:\n{models}");
        read(&text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    fn row(fields: &str) -> Vec<String> {
        mistakes(&format!("        m: [{{ from: 2025-01-01, {fields} }}]\n"))
    }

    #[test]
    fn a_misspelt_field_is_a_mistake_with_its_line() {
        let mistakes = row("in: \"1\", out: \"2\", cached: \"1\"");
        assert!(mistakes[0].contains("cached") && mistakes[0].contains("line 5"), "{mistakes:?}");
    }

    #[test]
    fn what_is_no_price_is_a_mistake_with_its_place() {
        assert!(row("in: \"-1\", out: \"2\"")[0].starts_with("line 5, column 37: `-1` is not an amount"));
        assert!(row("in: cheap, out: \"2\"")[0].contains("`cheap` is not an amount"));
        assert!(row("in: \"1e3\", out: \"2\"")[0].contains("`1e3` is not an amount"));
        assert!(row("in: 1, out: 2, batch: { times: half }")[0].contains("`half` is not a factor"));
    }

    #[test]
    fn the_price_of_a_single_token_is_not_taken_for_that_of_a_million() {
        assert!(row("in: \"0.0000025\", out: \"10\"")[0].contains("is no price of a million tokens"));
        assert!(row("in: \"2.5\", out: \"10000000\"")[0].contains("is no price of a million tokens"));
    }

    #[test]
    fn a_model_that_stands_twice_is_a_mistake() {
        let once = "        m: [{ from: 2025-01-01, in: \"1\", out: \"2\" }]\n";
        let other_group = format!("{once}    - models:\n{once}");
        assert_eq!(mistakes(&other_group), ["line 7, column 9: `m` stands twice"]);
        assert!(
            mistakes(&format!("{once}{once}"))[0].contains("duplicate"),
            "{:?}",
            mistakes(&format!("{once}{once}"))
        );
    }

    #[test]
    fn rows_and_tiers_out_of_order_are_mistakes() {
        let rows = "        m:\n          - { from: 2025-02-01, in: \"1\", out: \"2\" }\n          - { from: 2025-01-01, in: \"1\", out: \"2\" }\n";
        assert_eq!(mistakes(rows), ["line 7, column 21: `2025-01-01` does not come after the row before it"]);
        let tiers = row("in: 1, out: 2, over: { 200k: { in: 1, out: 2 }, 200000: { in: 1, out: 2 } }");
        assert!(tiers[0].contains("`200000` does not come after the tier before it"), "{tiers:?}");
        assert!(
            row("in: 1, out: 2, over: { long: { in: 1, out: 2 } }")[0].contains("`long` is not a number of tokens")
        );
    }

    #[test]
    fn a_tier_or_service_that_forgets_a_price_of_its_row_is_a_mistake() {
        let tier = row("in: 1, cache_read: 0.1, out: 2, over: { 200k: { in: 2, out: 4 } }");
        assert!(tier[0].contains("`cache_read` is missing here"), "{tier:?}");
        let service = row("in: 1, out: 2, batch: { in: 0.5 }");
        assert!(service[0].contains("`out` is missing here"), "{service:?}");
    }

    #[test]
    fn a_field_in_a_wrong_place_is_a_mistake() {
        assert!(row("in: 1, out: 2, times: 2")[0].contains("`times` has no place here"));
        assert!(row("in: 1, out: 2, over: { 1k: { in: 1, out: 2, hour: 1 } }")[0].contains("`hour` has no place here"));
        assert!(row("in: 1, out: 2, flex: { times: 0.5, in: 1 }")[0].contains("either `times` or prices"));
    }

    #[test]
    fn a_row_without_a_price_for_both_sides_is_a_mistake() {
        assert_eq!(row("in: 1"), ["line 5, column 9: a row of `m` has no `out`"]);
        assert!(read("version: 1\nvendors: { v: [{ models: { m: [{ from: 2025-01-01, hour: 1 }] } }] }").is_ok());
    }

    #[test]
    fn an_alias_of_nothing_is_a_mistake() {
        let text = "        m: [{ from: 2025-01-01, in: 1, out: 2 }]\n      aliases: { a: n, m: m }\n";
        assert_eq!(
            mistakes(text),
            ["line 6, column 21: `n` is no model of this vendor", "line 6, column 24: `m` stands twice"]
        );
    }

    #[test]
    fn all_mistakes_are_told_at_once_in_order() {
        let text = "version: 2\nvendors:\n  v:\n    - checked: today\n      models:\n        m: [{ from: 1.1., in: x, out: y }]\n        n: []\n";
        let lines: Vec<_> = read(text).unwrap_err().iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 4, 6, 6, 6, 7]);
    }

    #[test]
    fn an_explicit_zero_is_a_price_and_silence_is_that_of_the_side() {
        let text =
            "version: 1\nvendors: { v: [{ models: { m: [{ from: 2025-01-01, in: 1, cache_read: 0, out: 2 }] } }] }";
        let list = read(text).unwrap();
        let rates = list.find("v", "m", Date::constant(2025, 1, 1)).unwrap().rates;
        let card = rates.standard.card;
        assert_eq!((card.cache_read, card.cache_write_5m), (Nanos::ZERO, card.text_in));
        assert_eq!((card.reasoning, card.audio_out, card.image_in), (card.out, card.out, card.text_in));
    }

    #[test]
    fn what_is_no_price_file_is_refused() {
        for text in ["", "[]", "version: 1", "vendors: {}", "version: 1\nvendors: { v: {} }", "\t"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
