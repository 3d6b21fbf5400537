//! Answers that are kept to be given again.
//!
//! Where an answer lies is a [`Place`], and there is no way to one but through a [`Scope`]: whoever asks says for whom.
//! A store may forget anything at any time, and one that fails has nothing: neither keeps a request from being answered.

mod embedded;
mod kept;
mod local;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use crate::base::ids::PolicyName;

pub use embedded::EmbeddedAnswers;
pub use kept::{Kept, Origin};
pub use local::LocalAnswers;
#[cfg(test)]
pub(in crate::state) use tests::keeps_its_promises;

/// Keeps answers.
pub trait Answers: Send + Sync {
    /// The answer in a place, however old; `None` also if the store cannot be asked.
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Option<Arc<Kept>>>;

    /// Keeps an answer, in the place of the one there, if there is room at all. Nobody waits for it.
    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room);
}

/// Who shares answers: callers of one policy who are alike in something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    policy: PolicyName,
    digest: [u8; 32],
}

impl Scope {
    /// Those who are alike in `what` (`key`, `team` …), each by its names: two scopes are the same only if all of that is.
    pub fn new(policy: &PolicyName, what: &str, names: &[Option<&str>]) -> Self {
        let mut hash = Sha256::new();
        for name in [Some(policy.as_str()), Some(what)].iter().chain(names) {
            // Neither is nothing the same as an empty name, nor do two names run into one.
            match name {
                None => hash.update([0]),
                Some(name) => {
                    hash.update([1]);
                    hash.update((name.len() as u64).to_be_bytes());
                    hash.update(name);
                }
            }
        }
        Self { policy: policy.clone(), digest: hash.finalize().into() }
    }

    pub fn place(&self, question: Question) -> Place {
        Place { policy: self.policy.clone(), scope: self.digest, question: question.0 }
    }
}

/// A hash of all that an answer depends on: 256 bits, none of them left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question(pub [u8; 32]);

/// Where an answer lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    policy: PolicyName,
    scope: [u8; 32],
    question: [u8; 32],
}

impl Place {
    pub fn policy(&self) -> &PolicyName {
        &self.policy
    }

    /// The place without its policy, which is a part of the scope's hash.
    pub(super) fn key(&self) -> [[u8; 32]; 2] {
        [self.scope, self.question]
    }
}

/// A hash by which a store that is no map of policies tells them apart.
fn policy_hash(policy: &PolicyName) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(policy.as_str()).into();
    let mut short = [0; 16];
    short.copy_from_slice(hash.split_at(16).0);
    short
}

/// How much is kept for a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub bytes: u64,
    pub entries: u64,
    /// For how long it is of any use; a store may forget it then.
    pub lasts: Duration,
}
