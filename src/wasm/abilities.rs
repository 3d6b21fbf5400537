//! What a plugin has been granted, as things that can do it.
//!
//! The sandbox itself knows no store, no network and no model. Whoever sets a plugin up hands these in, already narrowed to
//! what its policy grants; what is not there answers `denied`.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;

use super::bindings::tidegate::plugin::{blobs, http, kv, log, model, secrets};
use crate::base::clock::Clock;

/// What one plugin can reach.
#[derive(Clone)]
pub struct Abilities {
    pub log: Arc<dyn Log>,
    pub clock: Option<Clock>,
    pub random: bool,
    pub metrics: Option<Arc<dyn Meter>>,
    pub kv: Option<Arc<dyn Kv>>,
    pub secrets: Option<Arc<dyn Secrets>>,
    pub http: Option<Arc<dyn Http>>,
}

impl Abilities {
    /// Nothing but lines in the log.
    pub fn none(log: Arc<dyn Log>) -> Self {
        Self { log, clock: None, random: false, metrics: None, kv: None, secrets: None, http: None }
    }
}

/// Takes lines.
pub trait Log: Send + Sync {
    fn write(&self, level: log::Level, message: &str);
}

/// Keeps numbers for operators.
pub trait Meter: Send + Sync {
    /// False if the name is not among those granted.
    fn add(&self, name: &str, label: &str, value: u64) -> bool;
}

/// A store that lasts.
pub trait Kv: Send + Sync {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, kv::Error>>;
    fn set<'a>(&'a self, key: &'a str, value: Vec<u8>, lasts: Option<Duration>)
    -> BoxFuture<'a, Result<(), kv::Error>>;
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), kv::Error>>;
    fn add<'a>(&'a self, key: &'a str, by: i64, lasts: Option<Duration>) -> BoxFuture<'a, Result<i64, kv::Error>>;
}

/// Uses secrets on the guest's behalf.
pub trait Secrets: Send + Sync {
    fn hmac_sha256(&self, name: &str, data: &[u8]) -> Result<Vec<u8>, secrets::Error>;
    fn reveal(&self, name: &str) -> Result<String, secrets::Error>;
}

/// Calls other servers.
pub trait Http: Send + Sync {
    /// Ends by itself within `limit`.
    fn send(&self, request: http::Request, limit: Duration) -> BoxFuture<'_, Result<http::Response, http::Error>>;
}

/// Asks models.
pub trait Model: Send + Sync {
    /// Ends by itself within `limit`.
    fn complete(&self, ask: model::Ask, limit: Duration) -> BoxFuture<'_, Result<model::Answer, model::Error>>;
}

/// Holds the bytes that came with one request or answer.
pub trait Blobs: Send + Sync {
    /// # Errors
    /// `gone` if there is no such blob. Fewer bytes than asked for are no error.
    fn read(&self, id: u32, offset: u64, len: u32) -> Result<Vec<u8>, blobs::Error>;
}
