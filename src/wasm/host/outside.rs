//! What the host asks others for: the store, other servers, models. The guest waits meanwhile, and nobody else does.

use std::time::Duration;

use super::Host;
use crate::wasm::bindings::tidegate::plugin::{http, kv, model};

impl kv::Host for Host {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, kv::Error>> {
        self.enter()?;
        let kv = self.granted(|abilities| abilities.kv.as_ref());
        Ok(match (kv, is_small(&key, &[])) {
            (None, _) => Err(kv::Error::Denied),
            (_, false) => Err(kv::Error::TooLarge),
            (Some(kv), true) => kv.get(&key).await,
        })
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> wasmtime::Result<Result<(), kv::Error>> {
        self.enter()?;
        let kv = self.granted(|abilities| abilities.kv.as_ref());
        Ok(match (kv, is_small(&key, &value)) {
            (None, _) => Err(kv::Error::Denied),
            (_, false) => Err(kv::Error::TooLarge),
            (Some(kv), true) => kv.set(&key, value, ttl_ms.map(Duration::from_millis)).await,
        })
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), kv::Error>> {
        self.enter()?;
        let kv = self.granted(|abilities| abilities.kv.as_ref());
        Ok(match (kv, is_small(&key, &[])) {
            (None, _) => Err(kv::Error::Denied),
            (_, false) => Err(kv::Error::TooLarge),
            (Some(kv), true) => kv.delete(&key).await,
        })
    }

    async fn add(&mut self, key: String, by: i64, ttl_ms: Option<u64>) -> wasmtime::Result<Result<i64, kv::Error>> {
        self.enter()?;
        let kv = self.granted(|abilities| abilities.kv.as_ref());
        Ok(match (kv, is_small(&key, &[])) {
            (None, _) => Err(kv::Error::Denied),
            (_, false) => Err(kv::Error::TooLarge),
            (Some(kv), true) => kv.add(&key, by, ttl_ms.map(Duration::from_millis)).await,
        })
    }
}

fn is_small(key: &str, value: &[u8]) -> bool {
    !key.is_empty() && key.len() <= MOST_KEY && value.len() <= MOST_VALUE
}

impl http::Host for Host {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::Error>> {
        self.enter()?;
        let limit = self.patience(request.timeout_ms);
        Ok(match self.granted(|abilities| abilities.http.as_ref()) {
            None => Err(http::Error::Denied("`http` is not granted".into())),
            Some(http) => http.send(request, limit).await,
        })
    }
}

impl model::Host for Host {
    async fn complete(&mut self, ask: model::Ask) -> wasmtime::Result<Result<model::Answer, model::Error>> {
        self.enter()?;
        let limit = self.patience(ask.timeout_ms);
        Ok(match self.call.model.clone().filter(|_| self.is_granted) {
            None => Err(model::Error::Denied("`model` is not granted".into())),
            Some(model) => model.complete(ask, limit).await,
        })
    }
}

/// Bytes of a key.
const MOST_KEY: usize = 256;
/// Bytes of a value.
const MOST_VALUE: usize = 64 << 10;
