//! The server: sockets, the endpoint table, and the two directions between HTTP and the gateway.
//!
//! It owns everything about HTTP and nothing about policy: what a request may do is the
//! [`gateway`](crate::gateway)'s word.

mod admin;
mod body;
mod drain;
mod endpoint;
mod inbound;
mod listen;
mod outbound;
mod patience;
mod tls;
mod upload;
mod workers;

pub use drain::Drain;
pub use listen::{Listener, Peer, bind};
pub use tls::TlsSettings;
pub use workers::Workers;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::gateway::Gateway;
use crate::gateway::reload::Reloader;
use crate::policy::Connections;
use inbound::Entrance;

/// Serves the data port until told to drain. The workers must outlive the drain.
pub async fn serve(gateway: Arc<Gateway>, listener: Listener, workers: Arc<Workers>, drain: Drain) {
    let entrance = Entrance::to(gateway, drain.clone());
    // Boxed, since the connection moves it about before it polls it.
    listener.run(workers, drain, move |request, peer| Box::pin(Arc::clone(&entrance).answer(request, peer))).await;
}

/// Serves one connection that no port has accepted, with all that a connection to the data port goes through.
pub async fn serve_one(
    gateway: Arc<Gateway>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    limits: Connections,
) {
    let drain = Drain::default();
    let entrance = Entrance::to(gateway, drain.clone());
    let answer = move |request, peer| Box::pin(Arc::clone(&entrance).answer(request, peer));
    listen::serve_stream(stream, limits, drain, answer).await;
}

/// Serves the admin port until `stop` begins. `data` is the drain of the data port, whose beginning makes
/// the gateway not ready.
pub async fn serve_admin(gateway: Arc<Gateway>, reloader: Arc<Reloader>, data: Drain, listener: Listener, stop: Drain) {
    listener
        .run(Arc::new(Workers::here()), stop, move |request, peer| {
            let (gateway, reloader, data) = (Arc::clone(&gateway), Arc::clone(&reloader), data.clone());
            async move { admin::handle(&gateway, &reloader, &data, &request, peer.address).await }
        })
        .await;
}
