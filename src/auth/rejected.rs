//! Why a credential was not accepted, and what its bearer is told.
//!
//! A key nobody has ever issued and a key with one wrong character get the same words. Only the bearer of
//! the *right* secret learns that it has expired or was revoked.

use std::borrow::Cow;
use std::time::Duration;

use crate::base::stop::Refusal;

/// In order of how much they tell: when several credentials were shown, the last of these is reported.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rejected {
    /// No key, and no token we could read.
    Unknown,
    /// A reason its bearer may know.
    Because(Cow<'static, str>),
    /// The token names a key that its issuer had not published when we last asked.
    UnknownSigner,
    /// The issuer's keys have never been had, so no token can be judged.
    IssuerSilent,
}

impl Rejected {
    pub(super) fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Because(reason.into())
    }

    /// Fresh keys of the issuer might turn this into a yes.
    pub(super) fn may_be_outdated(&self) -> bool {
        matches!(self, Self::UnknownSigner | Self::IssuerSilent)
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Unknown => Self::unauthenticated("the key is not valid"),
            Rejected::Because(reason) => Self::unauthenticated(reason),
            Rejected::UnknownSigner => {
                Self::unauthenticated("the token is signed with a key its issuer does not publish")
            }
            // The caller did nothing wrong, and a client that tries again may well succeed.
            Rejected::IssuerSilent => Self::new(503, "issuer_unreachable", ISSUER_SILENT).after(SOON),
        }
    }
}

const ISSUER_SILENT: &str = "the token cannot be checked now: its issuer's keys could not be fetched";
const SOON: Duration = Duration::from_secs(2);
