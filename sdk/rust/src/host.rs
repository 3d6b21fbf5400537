//! What a plugin may ask of the gateway.
//!
//! All of it is there to be called; what the policy does not grant answers `Denied`, or ends the instance where a
//! function cannot say so ([`clock`], [`random`], [`metrics`]).

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::tidegate::plugin as gateway;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::fake as gateway;

/// Lines in the gateway's log. Needs no grant, but has a budget; no text of a request belongs there.
pub mod log {
    pub use crate::bindings::imports::tidegate::plugin::log::Level;

    use super::gateway::log;

    pub fn write(level: Level, message: &str) {
        log::write(level, message);
    }

    pub fn debug(message: impl AsRef<str>) {
        write(Level::Debug, message.as_ref());
    }

    pub fn info(message: impl AsRef<str>) {
        write(Level::Info, message.as_ref());
    }

    pub fn warn(message: impl AsRef<str>) {
        write(Level::Warn, message.as_ref());
    }

    pub fn error(message: impl AsRef<str>) {
        write(Level::Error, message.as_ref());
    }
}

/// What time it is. Needs the grant `clock`.
pub mod clock {
    use super::gateway::clock;

    /// Milliseconds since 1970, and no finer.
    pub fn unix_ms() -> u64 {
        clock::unix_ms()
    }

    /// Milliseconds since the hook was called.
    pub fn elapsed_ms() -> u64 {
        clock::elapsed_ms()
    }
}

/// Bytes that nobody can guess. Needs the grant `random`.
pub mod random {
    use super::gateway::random;

    /// At most 4,096 at a time.
    pub fn bytes(len: u32) -> Vec<u8> {
        random::bytes(len)
    }
}

/// Counters. Needs the grant `metrics` with the names that may be used.
pub mod metrics {
    use super::gateway::metrics;

    /// Adds to `tidegate_plugin_count_total{plugin, policy, name, label}`. `label` may be empty.
    pub fn add(name: &str, label: &str, value: u64) {
        metrics::add(name, label, value);
    }
}

/// A small store that lasts, shared by all gateways that share their state. Needs the grant `kv`.
///
/// A plugin sees what it has written itself under the same policy, and nothing else. Keys have at most 256 bytes, values
/// at most 64 KiB.
pub mod kv {
    pub use crate::bindings::imports::tidegate::plugin::kv::Error;

    use super::gateway::kv;

    /// # Errors
    /// What the store, or the policy, has against it. So for the others.
    pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
        kv::get(key)
    }

    /// Without `ttl_ms` it stays until it is deleted.
    ///
    /// # Errors
    /// As for [`get`].
    pub fn set(key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Error> {
        kv::set(key, value, ttl_ms)
    }

    /// # Errors
    /// As for [`get`].
    pub fn delete(key: &str) -> Result<(), Error> {
        kv::delete(key)
    }

    /// Adds to a number, at once for all, and returns the sum; one that is not there is 0. `ttl_ms` counts from the first
    /// `add`. A number is read by adding 0.
    ///
    /// # Errors
    /// As for [`get`].
    pub fn add(key: &str, by: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
        kv::add(key, by, ttl_ms)
    }
}

/// Secrets of the gateway file, by the names that the grant `secrets` gives them.
pub mod secrets {
    pub use crate::bindings::imports::tidegate::plugin::secrets::Error;

    use super::gateway::secrets;

    /// A signature whose key stays in the gateway.
    ///
    /// # Errors
    /// The secret is not granted, or there is none of that name.
    pub fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        secrets::hmac_sha256(name, data)
    }

    /// The secret itself. Needs `reveal: true` in the grant; prefer [`hmac_sha256`].
    ///
    /// # Errors
    /// As for [`hmac_sha256`].
    pub fn reveal(name: &str) -> Result<String, Error> {
        secrets::reveal(name)
    }
}

/// The bytes behind a [`Blob`](crate::Blob). Needs `request.text`, or `answer.text` for those of an answer.
pub mod blobs {
    pub use crate::bindings::imports::tidegate::plugin::blobs::Error;

    use super::gateway::blobs;

    /// At most 1 MiB at a time, and fewer bytes than asked for at the end.
    ///
    /// # Errors
    /// It is not granted, not there any more, or too much at once.
    pub fn read(id: u32, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        blobs::read(id, offset, len)
    }
}

/// Calls to other servers, over the gateway's client. Needs the grant `http` with the origins that may be called.
///
/// No redirect is followed, and no private address is called unless the grant names it.
pub mod http {
    pub use crate::bindings::imports::tidegate::plugin::http::{Error, Request, Response};

    use super::gateway::http;

    impl Request {
        /// A body to post. `url` is `https://host/path?query`.
        pub fn post(url: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
            let headers = vec![("content-type".to_owned(), content_type.to_owned())];
            Self { method: "POST".into(), url: url.into(), headers, body: body.into(), timeout_ms: u32::MAX }
        }

        pub fn get(url: impl Into<String>) -> Self {
            Self { method: "GET".into(), url: url.into(), headers: Vec::new(), body: Vec::new(), timeout_ms: u32::MAX }
        }
    }

    /// # Errors
    /// The request is not granted, or nothing came back in time. An answer of any status is no error.
    pub fn send(request: &Request) -> Result<Response, Error> {
        http::send(request)
    }
}

/// Questions to a model, through the gateway. Needs the grant `model`, which names the models and how much they may be
/// used. No step of a policy is run on them.
pub mod model {
    pub use crate::bindings::imports::tidegate::plugin::model::{Answer, Ask, Error};

    use super::gateway::model;
    use crate::{Message, Role};

    impl Ask {
        /// One question. The hook's own time is what it may take.
        pub fn new(model: impl Into<String>, question: impl Into<String>) -> Self {
            let messages = vec![Message::text(Role::User, question)];
            Self { model: model.into(), messages, params_json: "{}".into(), timeout_ms: u32::MAX }
        }

        /// After these instructions.
        pub fn instructed(mut self, instructions: impl Into<String>) -> Self {
            self.messages.insert(0, Message::text(Role::System, instructions));
            self
        }

        /// With parameters: `max_tokens`, `temperature`, `response_format` and so on.
        pub fn params(mut self, params: &serde_json::Value) -> Self {
            self.params_json = params.to_string();
            self
        }
    }

    /// # Errors
    /// The model is not granted, the budget is used up, or it did not answer in time.
    pub fn complete(ask: &Ask) -> Result<Answer, Error> {
        model::complete(ask)
    }
}
