//! Answers that are kept to be given again.
//!
//! Where an answer lies is a [`Place`], and there is no way to one but through a [`Scope`]: whoever asks says for whom.
//! A store may forget anything at any time, and one that fails has nothing: neither keeps a request from being answered.

mod bearing;
mod embedded;
mod forgotten;
mod kept;
mod local;
mod news;
mod standing;
#[cfg(test)]
pub(in crate::state) mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use crate::base::ids::PolicyName;

pub use bearing::{Bearing, Recalled};
pub use embedded::EmbeddedAnswers;
pub use forgotten::{Forgotten, Watch};
pub(in crate::state) use kept::VERSION;
pub use kept::{Kept, Origin};
pub use local::LocalAnswers;
pub use news::{Heard, News};
pub use standing::{EmbedderHash, Ground, Record, Standing};
#[cfg(test)]
pub(in crate::state) use tests::keeps_its_promises;

/// Keeps answers.
pub trait Answers: Send + Sync {
    /// What lies in a place, however old.
    fn find<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Found>;

    /// Keeps an answer, in the place of the one there, if there is room at all. Nobody waits for it. Whether it was taken;
    /// if not, it is known already that it will not be there.
    fn keep(&self, place: Place, kept: Arc<Kept>, room: Room) -> bool;

    /// The same, and where its question lies, which goes with it. A store that forgets everything with the process need not.
    fn keep_with(&self, place: Place, kept: Arc<Kept>, room: Room, _: Bearing) -> bool {
        self.keep(place, kept, room)
    }

    /// These are the policies whose answers are kept from now on, and how much room each has. What is in memory of others
    /// goes.
    fn stand(&self, _rooms: &[(PolicyName, Room)]) {}

    /// Notes how answers to similar questions have fared. A store that others share is told in the [news](Self::follow).
    fn note(&self, _: &Ground, _: &Standing) {}

    /// What was kept of a policy's questions before, where it was by this embedder. What was by others is dropped. `None` from
    /// a store that has nothing of that.
    fn recall(&self, _policy: &PolicyName, _embedder: EmbedderHash) -> Option<Recalling> {
        None
    }

    /// What those who share the store have to say of a policy's questions, and are to be told, by this embedder. `None` from a
    /// store that is this gateway's alone.
    fn follow(&self, _policy: &PolicyName, _embedder: EmbedderHash) -> Option<Box<dyn News>> {
        None
    }

    /// Resolves when what was kept before will outlive the process, as far as anything does here.
    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// What is kept, by policy: of those that are `known`, and of others if the store remembers them.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn stock<'a>(&'a self, known: &'a [PolicyName]) -> BoxFuture<'a, Result<Vec<Stock>, String>>;

    /// Forgets what is kept for these callers, the standing of their similar questions included, and says how many answers
    /// that were.
    ///
    /// # Errors
    /// Why it, or a part of it, is there still.
    fn forget<'a>(&'a self, whose: &'a Whose) -> BoxFuture<'a, Result<u64, String>>;
}

/// What comes of [recalling](Answers::recall), or why it cannot be had.
pub type Recalling = BoxFuture<'static, Result<Recalled, String>>;

/// What came of looking into a place.
#[derive(Debug, Clone)]
pub enum Found {
    Answer(Arc<Kept>),
    Nothing,
    /// The store cannot be asked, and may have it or not.
    Unknown,
    /// Something that is no whole answer, or none to the question of this place. It will not be found again.
    Damaged,
}

impl Found {
    pub fn answer(self) -> Option<Arc<Kept>> {
        if let Self::Answer(kept) = self { Some(kept) } else { None }
    }
}

impl From<Option<Arc<Kept>>> for Found {
    fn from(kept: Option<Arc<Kept>>) -> Self {
        kept.map_or(Self::Nothing, Self::Answer)
    }
}

/// What is kept for a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    pub policy: PolicyName,
    pub answers: u64,
    /// If that is counted.
    pub bytes: Option<u64>,
    /// The answers that others may be given who ask in other words, if that is counted.
    pub by_likeness: Option<u64>,
}

/// Callers whose answers are spoken of: of one policy, all or those of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    pub policy: PolicyName,
    pub scope: Option<Scope>,
}

/// Who shares answers: callers of one policy who are alike in something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    policy: PolicyName,
    pub(in crate::state) digest: [u8; 32],
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

    /// The one that its hash is known of.
    pub(in crate::state) fn of_digest(policy: &PolicyName, digest: [u8; 32]) -> Self {
        Self { policy: policy.clone(), digest }
    }

    /// Whether it is the one of a place's key.
    fn has(&self, scope: &[u8]) -> bool {
        self.digest == scope
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

    /// The place of another question of those who share this one's answer.
    pub fn beside(&self, question: Question) -> Self {
        Self { question: question.0, ..self.clone() }
    }

    pub fn question(&self) -> Question {
        Question(self.question)
    }

    /// Whether it is one of theirs.
    pub fn is_of(&self, whose: &Whose) -> bool {
        self.policy == whose.policy && whose.scope.as_ref().is_none_or(|scope| scope.has(&self.scope))
    }

    /// The place with such a [key](Self::key).
    pub(in crate::state) fn of_key(policy: &PolicyName, [scope, question]: [[u8; 32]; 2]) -> Self {
        Self { policy: policy.clone(), scope, question }
    }

    /// Whose answers lie there, as a hash.
    pub fn scope(&self) -> [u8; 32] {
        self.scope
    }

    /// The place without its policy, which is a part of the scope's hash.
    pub(in crate::state) fn key(&self) -> [[u8; 32]; 2] {
        [self.scope, self.question]
    }
}

/// A hash by which a store that is no map of policies tells them apart.
pub(in crate::state) fn policy_hash(policy: &PolicyName) -> [u8; 16] {
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
