//! Playing providers: a transport that asks a [`Stage`] for its connections instead of the network.
//!
//! What comes over such a connection is read by the same HTTP codec as an answer from afar, so a play may
//! break off in the middle of a head, of a chunk or of a character. Tests of policies run on it.

use std::sync::Arc;

use futures_core::future::BoxFuture;
use http::header::HOST;
use http::{Request, Response, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::time::timeout;

use crate::base::ids::TargetName;
use crate::provider::transport::{Body, Hop, ReplyBody, Transport, TransportError};
use crate::provider::wire::reason;

/// Whoever plays the providers.
pub trait Stage: Send + Sync {
    /// Whether `target` has a player of its own. One without is played by its simulator, if it has that.
    fn plays(&self, target: &TargetName) -> bool;

    /// A connection to whoever plays `target`: bytes of HTTP/1.1, both ways.
    fn connect(&self, target: &TargetName) -> BoxFuture<'static, Result<DuplexStream, TransportError>>;
}

/// A provider that is played, target by target.
pub(super) struct Staged {
    stage: Arc<dyn Stage>,
    /// For targets that nobody plays.
    understudy: Option<Arc<dyn Transport>>,
}

impl Staged {
    pub(super) fn new(stage: Arc<dyn Stage>, understudy: Option<Arc<dyn Transport>>) -> Self {
        Self { stage, understudy }
    }
}

impl Transport for Staged {
    fn send<'a>(
        &'a self,
        request: Request<Body>,
        hop: Hop<'a>,
    ) -> BoxFuture<'a, Result<Response<ReplyBody>, TransportError>> {
        if let Some(understudy) = &self.understudy
            && !self.stage.plays(hop.target)
        {
            return understudy.send(request, hop);
        }
        let connecting = self.stage.connect(hop.target);
        Box::pin(async move {
            match timeout(hop.connect, connecting).await {
                Ok(connected) => exchange(connected?, request).await,
                Err(_) => Err(TransportError::ConnectTimeout),
            }
        })
    }
}

async fn exchange(stream: DuplexStream, mut request: Request<Body>) -> Result<Response<ReplyBody>, TransportError> {
    let broken = |error: hyper::Error| TransportError::Broken(reason(&error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let uri = request.uri().clone();
    if let Some(host) = uri.authority().and_then(|authority| authority.as_str().parse().ok()) {
        request.headers_mut().insert(HOST, host);
    }
    *request.uri_mut() = uri.path_and_query().cloned().map_or(uri, Uri::from);
    sender.send_request(request).await.map(|response| response.map(ReplyBody::made)).map_err(broken)
}
