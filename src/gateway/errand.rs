//! Requests that the gateway makes for itself, over the same connections as everything else.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response};
use tokio::time::timeout;

use crate::base::ids::TargetName;
use crate::provider::{Address, Body, Hop, Pools, ReplyBody};

/// What is asked of whom.
pub struct Errand<'a> {
    /// For diagnostics; the URL may be a secret.
    pub name: &'static str,
    pub method: Method,
    pub url: &'a str,
    pub headers: HeaderMap,
    pub body: Body,
}

impl Errand<'_> {
    /// Redirects are not followed.
    ///
    /// # Errors
    /// When nobody answers in time, or not with success.
    pub async fn run(self, pools: &Arc<Pools>) -> Result<Response<ReplyBody>, String> {
        match timeout(WHOLE, self.send(pools)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", WHOLE.as_secs())),
        }
    }

    async fn send(self, pools: &Arc<Pools>) -> Result<Response<ReplyBody>, String> {
        let address = Address::parse(self.url)?;
        let transport = pools.transport(&address, None, false)?;
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.url.parse().map_err(|error| format!("the URL cannot be read: {error}"))?;
        *request.headers_mut() = self.headers;
        let name = TargetName::new(self.name);
        let hop = Hop { target: &name, connect: CONNECT };
        let response = transport.send(request, hop).await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("the answer was {}", response.status()));
        }
        Ok(response)
    }
}

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
