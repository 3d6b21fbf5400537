//! What benches that ask a gateway in their own process have in common.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method};
use tokio::time::Instant;

use tidegate::base::ids::DialectId;
use tidegate::gateway::{Arrival, Gateway};
use tidegate::pipeline::facts::Endpoint;

/// Puts a chat request to a gateway and hears its answer to the end.
#[allow(dead_code, reason = "not every bench asks what must be answered")]
pub async fn ask(gateway: &Gateway, body: &Bytes) {
    assert!(try_ask(gateway, body).await, "the request was refused");
}

/// The same; tells whether there was an answer.
pub async fn try_ask(gateway: &Gateway, body: &Bytes) -> bool {
    let arrival = Arrival {
        started: Instant::now(),
        endpoint: Endpoint::Chat,
        dialect: Some(DialectId::OPENAI_CHAT),
        headers: HeaderMap::new(),
        method: &Method::POST,
        path: "/v1/chat/completions",
        peer_certificate: None,
    };
    let (visit, admitted) = gateway.enter(arrival).await;
    admitted.unwrap();
    let (_, answer) = visit.chat(body.clone()).await;
    let Ok(answer) = answer else { return false };
    let mut frames = answer.answer.frames;
    while let Some(burst) = frames.next().await {
        burst.unwrap();
    }
    true
}
