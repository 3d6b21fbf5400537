//! Fetching the keys of token issuers, over the same connections as everything else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::header::ACCEPT;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use crate::auth::FetchJwks;
use crate::base::ids::TargetName;
use crate::provider::{Address, Body, Hop, Pools};

/// The largest key set that is read.
const MAX_KEY_SET: usize = 1024 * 1024;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);

/// Fetches over the process's connection pools. Redirects are not followed.
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
        let address = Address::parse(url)?;
        let transport = self.0.transport(&address, None, false)?;
        let mut request = Request::new(Body::Empty);
        *request.uri_mut() = url.parse().map_err(|error| format!("the URL cannot be read: {error}"))?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let issuer = TargetName::new("token-issuer");
        let hop = Hop { target: &issuer, connect: CONNECT };
        let response = transport.send(request, hop).await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("the issuer answered {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_KEY_SET).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes())
    }
}
