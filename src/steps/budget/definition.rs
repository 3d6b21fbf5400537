//! A budget as a gateway file writes it: an account for each team, user or whatever requests are told apart by.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::window::Window;
use crate::base::ids::AccountId;
use crate::base::money::Nanos;
use crate::base::units::{Share, Usd};
use crate::pipeline::facts::{Facts, Subject};
use crate::pipeline::target::Target;
use crate::pricing::Unknown;
use crate::state::{Leg, Slot};
use crate::steps::ReadSubject;
use crate::steps::limit::WhenUnavailable;

/// The settings of a budget.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Who shares an account: `key`, `user`, `team`, `model`, `policy`, or an expression that yields a text.
    pub per: String,
    /// What each account may spend in a window.
    pub usd: Usd,
    /// `day`, `week`, `month`, `total`, or so long back: `24h`.
    pub window: String,
    /// Where a calendar window begins at midnight; UTC if not said.
    #[serde(default)]
    pub tz: Option<String>,
    #[serde(default)]
    pub mode: Mode,
    /// The part of it from which on answers carry a warning.
    #[serde(default)]
    pub warn_at: Option<Share>,
    /// In `strict` mode, the most output of one answer; 8192 tokens if not said.
    #[serde(default)]
    pub max_output: Option<NonZeroU64>,
    /// What becomes of requests to a model whose price nobody knows; as `prices` say if not said.
    #[serde(default)]
    pub unknown_price: Option<Unknown>,
    /// What becomes of requests that it cannot bear.
    #[serde(default)]
    pub on_exceed: OnExceed,
    /// What becomes of requests while the ledger cannot be written.
    #[serde(default)]
    pub when_unavailable: WhenUnavailable,
}

/// What is set aside before a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The most it can cost: the budget is never exceeded. An answer that would cost more is cut.
    Strict,
    /// What it will likely cost. The budget may be exceeded by what requests under way cost more than that.
    #[default]
    Balanced,
    /// Nothing: a request passes while anything is left.
    After,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExceed {
    /// They are refused with status 402.
    #[default]
    Refuse,
    /// They go to this target instead of where the route leads, if what is left is enough for that or it costs nothing.
    To(String),
}

/// A budget, ready to be asked.
pub struct Budget {
    name: String,
    /// What its accounts are told apart by, as it is written.
    pub per: String,
    subject: Arc<dyn Subject>,
    pub cap: Nanos,
    window: Window,
    /// The quarter of an hour that was last asked about, and where its window begins: each in half of the bits.
    begun: AtomicU64,
    zone: TimeZone,
    pub mode: Mode,
    /// Hundredths of a percent.
    warn_at: Option<i128>,
    pub max_output: u64,
    pub unknown_price: Unknown,
    /// Where requests go that it cannot bear.
    pub instead: Option<Arc<Target>>,
    pub when_unavailable: WhenUnavailable,
}

impl Budget {
    /// `unknown` is what the price list's owner says of models that it does not know; `instead` finds a target.
    ///
    /// # Errors
    /// What is wrong with a setting, for the person who wrote it.
    pub fn new(
        name: &str,
        written: &Definition,
        subject: ReadSubject,
        unknown: Unknown,
        instead: impl FnOnce(&str) -> Option<Arc<Target>>,
    ) -> Result<Self, String> {
        let zone = match written.tz.as_deref() {
            None => TimeZone::UTC,
            Some(zone) => TimeZone::get(zone)
                .map_err(|_| format!("`{zone}` is not a time zone; write one like `Europe/Berlin`"))?,
        };
        Ok(Self {
            name: name.to_owned(),
            per: written.per.clone(),
            subject: subject(&written.per)?,
            cap: written.usd.0,
            window: Window::parse(&written.window)?,
            begun: AtomicU64::new(u64::MAX),
            zone,
            mode: written.mode,
            warn_at: written.warn_at.map(|share| (share.0 * 100.0).round() as i128),
            max_output: written.max_output.map_or(USUAL_OUTPUT, NonZeroU64::get),
            unknown_price: written.unknown_price.unwrap_or(unknown),
            instead: match &written.on_exceed {
                OnExceed::Refuse => None,
                OnExceed::To(target) => instead(target),
            },
            when_unavailable: written.when_unavailable,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether an account is one of this budget's.
    pub fn has(&self, account: &AccountId) -> bool {
        account.as_str().split('/').next() == Some(self.name.as_str())
    }

    /// The account of a request. Those that have no such thing as it is for share one.
    pub fn leg(&self, facts: &dyn Facts, at: Timestamp, amount: Nanos) -> Leg {
        let account = match self.subject.of(facts) {
            Some(subject) => AccountId::new([&self.name, "/", &subject].concat()),
            None => AccountId::new(&self.name),
        };
        Leg { account, since: self.since(at), cap: self.cap, amount }
    }

    pub fn since(&self, at: Timestamp) -> Slot {
        if !self.window.is_calendar() {
            return self.window.since(at, &self.zone);
        }
        // Days begin with a quarter of an hour, wherever that is, so within one nothing changes.
        let now = Slot::of(at);
        let known = self.begun.load(Ordering::Relaxed);
        if known >> 32 == u64::from(now.0) {
            return Slot(known as u32);
        }
        let since = self.window.since(at, &self.zone);
        self.begun.store(u64::from(now.0) << 32 | u64::from(since.0), Ordering::Relaxed);
        since
    }

    pub fn renews(&self, at: Timestamp) -> Option<Timestamp> {
        self.window.renews(at, &self.zone)
    }

    /// Whether so much of it is a reason to warn.
    pub fn is_low(&self, used: Nanos) -> bool {
        self.warn_at.is_some_and(|share| i128::from(used.0) * 10_000 >= i128::from(self.cap.0) * share)
    }
}

const USUAL_OUTPUT: u64 = 8_192;
