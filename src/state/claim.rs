//! What is asked of a ledger before a request is sent, and what it answers.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use crate::base::ids::{AccountId, RequestId};
use crate::base::money::Nanos;
use crate::state::slot::Slot;

/// Asks that money be set aside on all of `legs`, or on none.
#[derive(Debug, Clone)]
pub struct Claim {
    pub hold: HoldId,
    /// When the request was admitted. Whatever it will have cost is spent in the slot of this moment, also
    /// when it is settled after midnight.
    pub at: Timestamp,
    /// One for each budget the request falls under; no two of the same account.
    pub legs: SmallVec<[Leg; 2]>,
    /// From here on the hold counts as spent in full: whoever made it is thought to be dead. Must lie
    /// beyond the longest time a request may take.
    pub lapses: Timestamp,
    pub durability: Durability,
}

/// A budget's part in a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    pub account: AccountId,
    /// The window: what was reserved from this slot on counts. Not later than the claim itself.
    pub since: Slot,
    /// What the window may hold, settled and set aside together.
    pub cap: Nanos,
    /// What is set aside: the most the request can cost, for a budget that is never to be exceeded. May be
    /// zero, which asks only whether anything is left.
    pub amount: Nanos,
}

/// When a reservation is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before it is answered: it survives a loss of power from then on.
    Now,
    /// Some milliseconds later. A crash in between forgets the hold, and with it what the request cost.
    Soon,
}

/// One attempt of one request: `req_…/0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HoldId {
    pub request: RequestId,
    pub attempt: u16,
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.request, self.attempt)
    }
}

impl FromStr for HoldId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (request, attempt) = text.split_once('/').ok_or_else(|| format!("`{text}` is not the id of a hold"))?;
        let attempt = attempt.parse().map_err(|_| format!("`{text}` has no number of an attempt"))?;
        Ok(Self { request: request.parse()?, attempt })
    }
}

impl Serialize for HoldId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for HoldId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// How an account stands in the window it was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub account: AccountId,
    pub spent: Nanos,
    /// Set aside for requests under way.
    pub held: Nanos,
    pub cap: Nanos,
}

/// Why nothing was set aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// A leg's cap does not allow it. The first that does not, as it stands without this claim.
    #[error("budget `{}` has {} of {} US dollars spent and {} set aside", .0.account, .0.spent, .0.cap, .0.held)]
    Overdrawn(Balance),
    /// The claim makes no sense, which is a mistake of whoever made it. Never to be let through.
    #[error("the claim `{hold}` cannot be booked: {why}")]
    Faulty { hold: HoldId, why: String },
    /// Nothing can be promised now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The ledger cannot be written or reached; it says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is unavailable: {0}")]
pub struct Unavailable(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_read_as_it_is_written() {
        let hold = HoldId { request: RequestId::fresh(7), attempt: 2 };
        assert_eq!(hold.to_string().parse(), Ok(hold));
        assert!("req_1".parse::<HoldId>().is_err());
    }
}
