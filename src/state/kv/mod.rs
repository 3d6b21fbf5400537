//! Small values that plugins keep, each plugin in a scope of its own.
//!
//! A scope is part of every question, by type, so nobody comes upon what another has kept. Values and numbers under the
//! same key are two things.

mod embedded;
mod local;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_core::future::BoxFuture;

pub use embedded::EmbeddedKv;
pub use local::LocalKv;
#[cfg(test)]
pub(in crate::state) use tests::keeps_its_promises;

/// Keeps values.
pub trait Kv: Send + Sync {
    fn get<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, NotKept>>;

    /// Keeps a value, for so long or until it is deleted.
    ///
    /// # Errors
    /// When the scope is full, or the store cannot be asked.
    fn set<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        value: Vec<u8>,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), NotKept>>;

    /// Forgets the value and the number of a key.
    fn delete<'a>(&'a self, scope: &'a Scope, key: &'a str) -> BoxFuture<'a, Result<(), NotKept>>;

    /// Adds to a number and gives the sum; one that is not there is 0, and lasts from now on. A sum that a number cannot
    /// hold stays at the greatest or smallest it can.
    ///
    /// # Errors
    /// When the scope is full, or the store cannot be asked.
    fn add<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
        by: i64,
        lasts: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, NotKept>>;
}

/// Whose values they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Unlike any other's, and no beginning of one.
    name: String,
    /// Keys that it may have.
    most: usize,
}

impl Scope {
    /// The scope of a plugin under a policy, with room for so many keys.
    pub fn new(policy: &str, plugin: &str, most: usize) -> Self {
        Self { name: format!("{}:{policy}{}:{plugin}", policy.len(), plugin.len()), most }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }
}

/// What a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Value,
    Number,
}

impl Sort {
    const BOTH: [Self; 2] = [Self::Value, Self::Number];

    /// What tells the two apart in a key.
    fn mark(self) -> char {
        match self {
            Self::Value => 'v',
            Self::Number => 'n',
        }
    }
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKept {
    /// The scope has as many keys as it may have.
    Full,
    Unavailable(String),
}
