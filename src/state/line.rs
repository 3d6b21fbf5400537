//! What an attempt cost, and why: one line of the bill.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::base::ids::{KeyName, PolicyName, ProviderName, RequestId, TargetName};
use crate::base::money::Nanos;
use crate::chat::Usage;

/// One attempt at one target: who asked for what, what was used, and what that cost by which price.
///
/// Reports are sums of lines. It holds names only, never a key or a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    pub request: RequestId,
    pub attempt: u16,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyName>,
    /// The model the caller named.
    pub model: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// The row of the price list; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priced: Option<Priced>,
    #[serde(default, skip_serializing_if = "Counts::is_silent")]
    pub usage: Counts,
    /// Not negative.
    pub cost: Nanos,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

impl CostLine {
    /// Makes it fit for the log: what a caller may write at any length is cut, and nothing is ever a credit.
    pub(super) fn tidy(&mut self) {
        self.cost = self.cost.max(Nanos::ZERO);
        shorten(&mut self.model);
        self.team.iter_mut().chain(&mut self.user).for_each(shorten);
    }
}

fn shorten(name: &mut Arc<str>) {
    if name.len() > LONGEST_NAME {
        *name = Arc::from(name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default());
    }
}

/// In bytes.
const LONGEST_NAME: usize = 256;

/// A row of the price list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    pub model: Arc<str>,
    /// The day its price came into force.
    pub since: Date,
}

/// What sets a line apart from one whose usage the provider reported and whose price was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mark {
    /// The provider did not say what was used; it was counted here.
    Estimated,
    /// No price was known.
    Unpriced,
    /// Nobody said what it cost; what was set aside counts.
    Assumed,
    /// The attempt came to nothing, and cost something all the same.
    Failed,
    /// The answer broke off.
    Cut,
    /// The caller hung up.
    HangUp,
    /// It was a copy of a request, sent to a shadow.
    Shadow,
    /// It was a request put once more, to renew an answer that is kept.
    Renewal,
    /// Nobody was asked; it is what is charged for an answer that was kept.
    Kept,
}

impl Mark {
    /// The word for it in the log and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Estimated => "estimated",
            Self::Unpriced => "unpriced",
            Self::Assumed => "assumed",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::HangUp => "hang_up",
            Self::Shadow => "shadow",
            Self::Renewal => "renewal",
            Self::Kept => "kept",
        }
    }
}

/// Tokens by dimension, as in [`Usage`]: disjoint, `None` where the provider was silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_out: Option<u64>,
}

impl Counts {
    pub fn input(&self) -> u64 {
        sum(&[self.text_in, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.audio_in, self.image_in])
    }

    pub fn output(&self) -> u64 {
        sum(&[self.out, self.reasoning_out, self.audio_out])
    }

    fn is_silent(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Usage> for Counts {
    fn from(usage: &Usage) -> Self {
        Self {
            text_in: usage.text_in,
            cache_read: usage.cache_read,
            cache_write_5m: usage.cache_write_5m,
            cache_write_1h: usage.cache_write_1h,
            audio_in: usage.audio_in,
            image_in: usage.image_in,
            out: usage.out,
            reasoning_out: usage.reasoning_out,
            audio_out: usage.audio_out,
        }
    }
}

impl From<&Counts> for Usage {
    fn from(counts: &Counts) -> Self {
        Self {
            text_in: counts.text_in,
            cache_read: counts.cache_read,
            cache_write_5m: counts.cache_write_5m,
            cache_write_1h: counts.cache_write_1h,
            audio_in: counts.audio_in,
            image_in: counts.image_in,
            out: counts.out,
            reasoning_out: counts.reasoning_out,
            audio_out: counts.audio_out,
            service: None,
            wire: None,
        }
    }
}

fn sum(parts: &[Option<u64>]) -> u64 {
    parts.iter().flatten().fold(0, |sum, part| sum.saturating_add(*part))
}
