//! Fetching the keys of token issuers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use crate::auth::FetchJwks;
use crate::gateway::errand::Errand;
use crate::provider::{Body, Pools};

/// The largest key set that is read.
const MAX_KEY_SET: usize = 1024 * 1024;

const WHOLE: Duration = Duration::from_secs(10);

/// Fetches over the process's connection pools.
pub struct FetchOverPools(pub Arc<Pools>);

impl FetchJwks for FetchOverPools {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Bytes, String>> {
        Box::pin(async move {
            match timeout(WHOLE, self.get(url)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no answer within {} s", WHOLE.as_secs())),
            }
        })
    }
}

impl FetchOverPools {
    async fn get(&self, url: &str) -> Result<Bytes, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let errand = Errand { name: "token-issuer", method: Method::GET, url, headers, body: Body::Empty };
        let response = errand.run(&self.0).await?;
        let body = Limited::new(response.into_body(), MAX_KEY_SET).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes())
    }
}
