//! Which rates held for a model on a day.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::civil::Date;

use super::names;
use super::rates::Rates;
use super::read::{self, Mistake};

/// The prices of models, by vendor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceList {
    pub(super) vendors: BTreeMap<Arc<str>, Names>,
}

/// What a list has for a model on a day, and enough to find it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub vendor: Arc<str>,
    /// The name the list has the model under, which need not be the one that was asked for.
    pub model: Arc<str>,
    /// The day from which these rates hold.
    pub from: Date,
    /// The page the figures stand on, and the day they were last compared with it.
    pub source: Option<Arc<str>>,
    pub checked: Option<Date>,
    pub rates: Arc<Rates>,
}

pub(super) type Names = BTreeMap<Arc<str>, Name>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// At least one row, the oldest first.
    Model(Vec<Row>),
    Alias(Arc<str>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) from: Date,
    pub(super) source: Option<Arc<str>>,
    pub(super) checked: Option<Date>,
    pub(super) rates: Arc<Rates>,
}

impl PriceList {
    /// The list that comes with the binary.
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<PriceList> = LazyLock::new(|| {
            #[expect(clippy::expect_used, reason = "the file is part of the binary, and a test reads it")]
            PriceList::read(include_str!("prices.yaml")).expect("the embedded prices can be read")
        });
        &EMBEDDED
    }

    /// Reads a price file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in the order of its lines.
    pub fn read(text: &str) -> Result<Self, Vec<Mistake>> {
        read::read(text)
    }

    /// This list with another over it. From the first date on that `over` has for a model, it alone says what
    /// the model costs; before that, this list still does.
    #[must_use]
    pub fn overlay(&self, over: Self) -> Self {
        let mut vendors = self.vendors.clone();
        for (vendor, names) in over.vendors {
            let below = vendors.entry(vendor).or_default();
            for (name, entry) in names {
                let entry = match (below.remove(&name), entry) {
                    (Some(Name::Model(old)), Name::Model(new)) => Name::Model(joined(old, new)),
                    (_, entry) => entry,
                };
                below.insert(name, entry);
            }
        }
        Self { vendors }
    }

    /// The rates of a model on a day, if the list knows them.
    ///
    /// `kind` is the word for the kind of provider. What is compatible with one vendor may be anyone's, so its
    /// models are found only where their names say whose they are: `deepseek/deepseek-chat`.
    pub fn find(&self, kind: &str, model: &str, on: Date) -> Option<Found> {
        self.of_vendor(kind, model, on).or_else(|| {
            let (vendor, model) = model.split_once('/').filter(|_| kind.ends_with("_compatible"))?;
            self.of_vendor(vendor, model, on)
        })
    }

    /// What each vendor has for a model on a day: for whoever does not know whose the model was.
    pub fn find_everywhere(&self, model: &str, on: Date) -> impl Iterator<Item = Found> {
        self.vendors.keys().filter_map(move |vendor| self.of_vendor(vendor, model, on))
    }

    /// Every model's vendor and name; aliases left out.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vendors.iter().flat_map(|(vendor, names)| {
            let models = names.iter().filter(|(_, entry)| matches!(entry, Name::Model(_)));
            models.map(|(name, _)| (&**vendor, &**name))
        })
    }

    fn of_vendor(&self, vendor: &str, model: &str, on: Date) -> Option<Found> {
        let (vendor, names) = self.vendors.get_key_value(vendor)?;
        let (model, rows) = names::candidates(vendor, model).into_iter().find_map(|name| rows(names, name))?;
        let row = rows.iter().rfind(|row| row.from <= on)?;
        Some(Found {
            vendor: vendor.clone(),
            model: model.clone(),
            from: row.from,
            source: row.source.clone(),
            checked: row.checked,
            rates: row.rates.clone(),
        })
    }
}

/// The rows under a name or what it is another name for.
fn rows<'a>(names: &'a Names, name: &str) -> Option<(&'a Arc<str>, &'a [Row])> {
    let mut entry = names.get_key_value(name)?;
    // An alias leads to a model of its own file, which a list over it may have made an alias again.
    for _ in 0..MOST_ALIASES {
        match entry {
            (name, Name::Model(rows)) => return Some((name, rows)),
            (_, Name::Alias(other)) => entry = names.get_key_value(other)?,
        }
    }
    None
}

fn joined(old: Vec<Row>, new: Vec<Row>) -> Vec<Row> {
    let first = new.first().map(|row| row.from);
    let before = old.into_iter().filter(|row| first.is_none_or(|first| row.from < first));
    before.chain(new).collect()
}

const MOST_ALIASES: usize = 8;
