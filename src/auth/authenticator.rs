//! From what a request shows to who its sender is.
//!
//! 1. Credentials in the headers are tried first, in the order of [`Presented`]: what looks like a signed
//!    token by its issuer's keys (where tokens are configured), everything else as a virtual key. The first
//!    that verifies decides.
//! 2. If there was one and none verified, the answer is 401: a wrong key never passes for no key, not even
//!    where anonymous callers or certificates would do.
//! 3. Without a credential, a client certificate decides (where certificates are configured).
//! 4. Without that, the caller is anonymous where that is allowed, and refused where it is not.
//!
//! Where neither keys nor tokens are configured there is nothing to check a credential against, so it is
//! ignored: every SDK sends some key, if only a placeholder.
//!
//! A key never waits. A token waits only if its issuer's keys have to be fetched first.

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;

use super::caller::Caller;
use super::certificate::MtlsSpec;
use super::credential::{Presented, credentials, is_token};
use super::issuer_keys::FetchJwks;
use super::jwt::{JwtSpec, Tokens};
use super::key_file::KeyFile;
use super::keys::Keys;
use super::rejected::Rejected;
use super::stated::{Body, Source, Stated};
use crate::base::stop::Refusal;

/// Who may call, as the gateway file says it.
#[derive(Debug, Clone, Default)]
pub struct AuthSpec {
    pub keys: Option<KeyFile>,
    pub jwt: Option<JwtSpec>,
    pub mtls: Option<MtlsSpec>,
    pub anonymous: Anonymous,
    /// Where a caller may state its user and its session, best source first.
    pub user: Vec<Source>,
    pub session: Vec<Source>,
}

/// Whether callers without a credential are let in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Anonymous {
    #[default]
    No,
    /// Yes; that the gateway listens on loopback only is checked when the file is loaded, not per request.
    Loopback,
    /// Yes, from everywhere.
    Everywhere,
}

/// The door: one per revision of the gateway file.
pub struct Authenticator {
    keys: Option<Keys>,
    tokens: Option<Tokens>,
    mtls: Option<MtlsSpec>,
    anonymous: Anonymous,
    stated: Stated,
}

impl Authenticator {
    /// Builds the door. `previous` is that of the revision before, whose fetched keys live on if the issuer
    /// has not changed.
    ///
    /// # Errors
    /// What is wrong with the specification.
    pub fn new(spec: &AuthSpec, fetch: Arc<dyn FetchJwks>, previous: Option<&Self>) -> Result<Self, String> {
        if let Some(mtls) = &spec.mtls {
            mtls.check()?;
        }
        let before = previous.and_then(|previous| previous.tokens.as_ref());
        Ok(Self {
            keys: spec.keys.as_ref().map(Keys::new).transpose()?,
            tokens: spec.jwt.as_ref().map(|jwt| Tokens::new(jwt, fetch, before)).transpose()?,
            mtls: spec.mtls.clone(),
            anonymous: spec.anonymous,
            stated: Stated { user: spec.user.clone(), session: spec.session.clone() },
        })
    }

    /// Who sent this, with the user and the session it states in its headers.
    ///
    /// # Errors
    /// A 401, or a 503 while no key of the token's issuer could ever be fetched.
    pub async fn authenticate(&self, presented: Presented<'_>, now: Timestamp) -> Result<Caller, Refusal> {
        let mut judged = self.judge(&presented, now);
        if let (Err(Denied::Rejected(rejected)), Some(tokens)) = (&judged, &self.tokens)
            && rejected.may_be_outdated()
        {
            tokens.keys.renew().await;
            judged = self.judge(&presented, now);
        }
        let mut caller = judged?;
        self.stated.fill(&mut caller, presented.headers, Body::NotYetRead);
        Ok(caller)
    }

    /// Fills in what the caller states in its body, once that is read. `find` gives the text at a path like
    /// `metadata.user_id`. What is verified stays.
    pub fn complete(&self, caller: &mut Caller, headers: &HeaderMap, find: &dyn Fn(&str) -> Option<String>) {
        self.stated.fill(caller, headers, Body::Read(find));
    }

    /// The teams that keys are of.
    pub fn teams(&self) -> impl Iterator<Item = Arc<str>> {
        self.keys.iter().flat_map(Keys::teams)
    }

    /// Whether [`Authenticator::complete`] would look into the body at all.
    pub fn reads_body(&self) -> bool {
        self.stated.reads_body()
    }

    /// Keeps the issuer's keys fresh. To be called about once a second: it does nothing most of the time, and
    /// waits for the issuer when the keys are due.
    pub async fn tend(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.keys.tend().await;
        }
    }

    fn judge(&self, presented: &Presented<'_>, now: Timestamp) -> Result<Caller, Denied> {
        if self.keys.is_some() || self.tokens.is_some() {
            let mut worst = None;
            for credential in credentials(presented) {
                match self.check(credential, now) {
                    Ok(caller) => return Ok(caller),
                    Err(rejected) => worst = worst.max(Some(rejected)),
                }
            }
            if let Some(rejected) = worst {
                return Err(Denied::Rejected(rejected));
            }
        }
        if let (Some(mtls), Some(certificate)) = (&self.mtls, presented.peer_certificate) {
            return mtls.caller(certificate).map_err(Denied::Rejected);
        }
        match self.anonymous {
            Anonymous::No => Err(Denied::NothingShown),
            Anonymous::Loopback | Anonymous::Everywhere => Ok(Caller::anonymous()),
        }
    }

    fn check(&self, credential: &str, now: Timestamp) -> Result<Caller, Rejected> {
        match (&self.tokens, &self.keys) {
            (Some(tokens), _) if is_token(credential) => tokens.verify(credential, now),
            (_, Some(keys)) => keys.look_up(credential, now),
            (_, None) => Err(Rejected::because("a signed token is needed here")),
        }
    }
}

enum Denied {
    NothingShown,
    Rejected(Rejected),
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NothingShown => {
                Self::unauthenticated("no credential was sent; send one in `Authorization: Bearer` or `x-api-key`")
            }
            Denied::Rejected(rejected) => rejected.into(),
        }
    }
}

#[cfg(test)]
mod tests;
