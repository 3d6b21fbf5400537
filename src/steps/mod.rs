//! The built-in steps, and the one list of them.

pub mod budget;
pub mod cache;
pub mod limit;
pub mod plugin;
pub mod redact;
pub mod rewrite;
pub mod screen;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::base::aside::Aside;
use crate::base::clock::Clock;
use crate::base::ids::PolicyName;
use crate::base::secret::Secret;
use crate::embedding::{Local, Shelf};
use crate::pipeline::Step;
use crate::pipeline::facts::Subject;
use crate::pipeline::route::Route;
use crate::pipeline::run::Mode;
use crate::pipeline::target::Target;
use crate::provider::Pools;
use crate::registry::{Library, Source};
use crate::state::answers::{Forgotten, Room};
use crate::state::{
    Alerts, Answers, Kv, Ledger, LocalAnswers, LocalKv, LocalPlaces, LocalWindows, Outputs, Places, Windows,
};
use crate::steps::budget::Budget;
use crate::steps::cache::{Flights, Renewals, Repertoires, Trust};
use crate::steps::redact::step::{Seed, Tally};
use crate::steps::screen::Guard;
use crate::tokens::Tokens;

/// What steps keep from one request to the next. It belongs to the process.
#[derive(Clone)]
pub struct Stores {
    pub windows: Arc<dyn Windows>,
    pub places: Arc<dyn Places>,
    /// What plugins keep.
    pub kv: Arc<dyn Kv>,
    /// Answers that `cache` steps keep.
    pub answers: Arc<dyn Answers>,
    /// What of these was forgotten lately.
    pub forgotten: Forgotten,
    /// Answers under way that several callers wait for.
    pub flights: Flights,
    /// Kept answers that are being renewed.
    pub renewals: Renewals,
    /// How answers to similar questions have fared.
    pub trust: Trust,
    /// Models at work in this process.
    pub embedders: Shelf,
    /// The questions that are known to such answers' policies.
    pub repertoires: Repertoires,
    /// What came of keeping answers, beside what came of requests.
    pub kept: Arc<cache::Book>,
    /// `None` where nothing is kept of what requests cost.
    pub ledger: Option<Arc<dyn Ledger>>,
    pub outputs: Arc<Outputs>,
    pub tokens: Arc<Tokens>,
    /// Budgets that are running low.
    pub alerts: Arc<Alerts>,
    /// How many requests under way have money set aside.
    pub reservations: Arc<AtomicU64>,
    /// What guards have come upon, and done about it.
    pub guards: Arc<Tally>,
    /// What placeholders are derived from.
    pub seed: Arc<Seed>,
    /// How plugins have fared.
    pub plugins: Arc<plugin::Book>,
    /// The time that plugins are told.
    pub clock: Clock,
    /// Where guards go through long texts.
    pub aside: Aside,
}

/// Stores of this process alone, and no ledger.
impl Default for Stores {
    fn default() -> Self {
        Self {
            windows: Arc::new(LocalWindows::default()),
            places: Arc::new(LocalPlaces::default()),
            kv: Arc::new(LocalKv::default()),
            answers: Arc::new(LocalAnswers::default()),
            forgotten: Forgotten::default(),
            flights: Flights::default(),
            renewals: Renewals::default(),
            trust: Trust::default(),
            embedders: Shelf::default(),
            repertoires: Repertoires::default(),
            kept: Arc::default(),
            ledger: None,
            outputs: Arc::default(),
            tokens: Arc::default(),
            alerts: Arc::default(),
            reservations: Arc::default(),
            guards: Arc::default(),
            seed: Arc::default(),
            plugins: Arc::default(),
            clock: Clock::system(),
            aside: Aside::default(),
        }
    }
}

/// Reads a word or an expression; says what is wrong with it.
pub type ReadSubject = fn(&str) -> Result<Arc<dyn Subject>, String>;

/// Finds a target by its name.
pub type FindTarget<'a> = dyn Fn(&str) -> Option<Arc<Target>> + 'a;

/// Where a step stands, and what it is made with.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    pub policy: &'a PolicyName,
    pub mode: Mode,
    /// Its place among the steps of its policy.
    pub number: usize,
    /// What of the files bears on the policy's answers, as a hash: the policy's own, and one that all have in common that
    /// would answer alike.
    pub imprints: [&'a str; 2],
    pub stores: &'a Stores,
    /// Reads what requests are told apart by.
    pub subject: ReadSubject,
    pub budgets: &'a BTreeMap<String, Arc<Budget>>,
    pub screens: &'a BTreeMap<String, Arc<Guard>>,
    /// Models in this process; none while the files are only checked.
    pub embedders: &'a BTreeMap<String, Arc<Local>>,
    /// Everywhere its requests may be sent to.
    pub targets: &'a [Arc<Target>],
    /// Finds any target by its name; none while the files are only checked.
    pub target: &'a FindTarget<'a>,
    /// The secrets of the gateway file, by name; empty ones while the files are only checked.
    pub secrets: &'a BTreeMap<String, Secret>,
    /// Where plugins come from.
    pub library: &'a Library,
    /// The way out; `None` while the files are only checked.
    pub pools: Option<&'a Arc<Pools>>,
    /// Where its requests go; `None` while the files are only checked.
    pub route: Option<&'a Arc<Route>>,
}

/// A step as a policy file writes it: one key, the step's name, and its settings.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepConfig {
    Budget(budget::Config),
    Cache(cache::Config),
    Limit(limit::Config),
    Plugin(Box<plugin::Config>),
    Redact(redact::step::Config),
    Rewrite(rewrite::Config),
    Screen(screen::Config),
}

impl StepConfig {
    /// Relative paths start from `folder`.
    pub fn place(&mut self, folder: &Path) {
        match self {
            Self::Plugin(config) => config.place(folder),
            Self::Redact(config) => config.place(folder),
            Self::Budget(_) | Self::Cache(_) | Self::Limit(_) | Self::Rewrite(_) | Self::Screen(_) => {}
        }
    }

    /// The files that it is made with, beside the one it is written in.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Plugin(config) => config.files().collect(),
            Self::Redact(config) => config.files().collect(),
            Self::Budget(_) | Self::Cache(_) | Self::Limit(_) | Self::Rewrite(_) | Self::Screen(_) => Vec::new(),
        }
    }

    /// What it has fetched for it.
    pub fn fetches(&self) -> Option<&Source> {
        match self {
            Self::Plugin(config) => Some(&config.wasm),
            _ => None,
        }
    }

    /// Whether what it does may be another thing from one load to the next though the files say the same.
    pub fn may_change_unseen(&self) -> bool {
        matches!(self, Self::Plugin(config) if config.follows_tags())
    }

    /// Whether it, or whom it asks, is told which policy it is of, and may act by that. `guard` finds what a guard speaks by its
    /// name; one that is not to be found may be of any kind.
    pub fn hears_its_policys_name<'a>(&self, guard: impl FnOnce(&str) -> Option<&'a screen::Kind>) -> bool {
        match self {
            Self::Plugin(_) => true,
            Self::Screen(config) => guard(&config.by).is_none_or(screen::Kind::hears_the_policys_name),
            _ => false,
        }
    }

    /// Targets that it asks by itself.
    pub fn asks(&self) -> Vec<&str> {
        match self {
            Self::Plugin(config) => config.asks(),
            Self::Cache(config) => config.asks(),
            _ => Vec::new(),
        }
    }

    /// Whether placeholders it puts in place of values belong to conversations rather than to requests.
    pub fn has_lasting_placeholders(&self) -> bool {
        matches!(self, Self::Redact(config) if config.session.is_some())
    }

    /// How much is kept in the place that policies share, if it keeps answers there.
    pub fn room_for_everyone(&self) -> Option<Room> {
        if let Self::Cache(config) = self { config.room_for_everyone() } else { None }
    }

    /// What it refers to of the gateway file: the section, and a name there.
    pub fn names(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Budget(config) => config.0.iter().map(|name| ("budgets", name.as_str())).collect(),
            Self::Plugin(config) => config.secrets().into_iter().map(|name| ("secrets", name)).collect(),
            Self::Screen(config) => vec![("screens", config.by.as_str())],
            Self::Cache(config) => config.asks().into_iter().map(|name| ("embedders", name)).collect(),
            Self::Limit(_) | Self::Redact(_) | Self::Rewrite(_) => Vec::new(),
        }
    }

    /// Makes the step.
    ///
    /// # Errors
    /// What is wrong with the settings, for the person who wrote them.
    pub fn build(&self, site: &Site<'_>) -> Result<Arc<dyn Step>, String> {
        match self {
            Self::Budget(config) => Ok(Arc::new(budget::Spend::new(config, site)?)),
            Self::Cache(config) => Ok(Arc::new(cache::Cache::new(config, site)?)),
            Self::Limit(config) => Ok(Arc::new(limit::Limit::new(config, site)?)),
            Self::Plugin(config) => Ok(Arc::new(plugin::PluginStep::new(config, site)?)),
            Self::Redact(config) => Ok(Arc::new(redact::step::Redact::new(config, site)?)),
            Self::Rewrite(config) => Ok(Arc::new(rewrite::Rewrite::new(config)?)),
            Self::Screen(config) => Ok(Arc::new(screen::Screen::new(config, site)?)),
        }
    }
}
