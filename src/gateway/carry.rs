//! Carrying traces to collectors, over the same connections as everything else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Limited};

use crate::base::ids::TargetName;
use crate::provider::{Body, Hop, Pools, Transport};
use crate::telemetry::otlp::Carrier;

/// The way to one collector.
pub struct Way {
    /// Where it is, with its port if a proxy has to know.
    place: Uri,
    transport: Arc<dyn Transport>,
    name: TargetName,
}

impl Way {
    /// # Errors
    /// When the URL is none, or the CA file cannot be used.
    pub fn to(name: &str, url: &str, ca: Option<&Path>, pools: &Pools) -> Result<Self, String> {
        let (place, transport) = pools.lead(url, ca)?;
        Ok(Self { place, transport, name: TargetName::new(name) })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let (mut head, body) = request.into_parts();
        let mut parts = head.uri.into_parts();
        parts.authority = self.place.authority().cloned();
        head.uri = Uri::from_parts(parts).map_err(|error| error.to_string())?;
        let hop = Hop { target: &self.name, connect: CONNECT };
        let sent = self.transport.send(Request::from_parts(head, Body::Full(body)), hop).await;
        let (head, body) = sent.map_err(|error| error.to_string())?.into_parts();
        let body = Limited::new(body, MOST).collect().await.map_err(|error| error.to_string())?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl Carrier for Way {
    fn carry(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>> {
        Box::pin(self.send(request))
    }
}

/// The longest answer that is read.
const MOST: usize = 64 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
