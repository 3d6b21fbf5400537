//! What was decided about requests, out of the decision log.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Response;

use super::text;
use crate::base::ids::RequestId;
use crate::gateway::{Gateway, World};
use crate::server::body::Outgoing;
use crate::server::outbound::json;
use crate::telemetry::decisions::{self, Found, Query};

/// The newest decisions that the query asks for.
pub async fn list(gateway: &Gateway, query: &str) -> Response<Outgoing> {
    let query = match Query::read(query, gateway.world().clock.now()) {
        Ok(query) => query,
        Err(wrong) => return text(400, format!("{wrong}\n")),
    };
    match read(gateway, move |folder| decisions::list(&folder, &query)).await {
        Ok(found) => json(200, written(&found)),
        Err(response) => response,
    }
}

/// One decision, by the `x-request-id` of its answer.
pub async fn one(gateway: &Gateway, id: &str) -> Response<Outgoing> {
    let id: RequestId = match id.parse() {
        Ok(id) => id,
        Err(wrong) => return text(400, format!("{wrong}; it is what an answer says in `x-request-id`\n")),
    };
    match read(gateway, move |folder| decisions::find(&folder, id)).await {
        Ok(Some(record)) => json(200, record.into_bytes()),
        Ok(None) => text(404, format!("there is no decision about `{id}`, or none any more\n")),
        Err(response) => response,
    }
}

/// Reads from the folder, on a thread that may wait for the disk.
async fn read<T: Send + 'static>(
    gateway: &Gateway,
    look: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
) -> Result<T, Response<Outgoing>> {
    let world: Arc<World> = Arc::clone(gateway.world());
    let Some(recorder) = world.decisions.recorder() else { return Err(text(404, OFF.into())) };
    // Whoever has just been answered can look up why.
    world.traces.told(SOON).await;
    let looking = tokio::task::spawn_blocking(move || {
        world.decisions.flush();
        look(recorder.folder().to_owned())
    });
    let looked = looking.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    looked.map_err(|error| text(503, format!("decisions cannot be read: {error}\n")))
}

fn written(found: &Found) -> Vec<u8> {
    let more = if found.is_cut { "true" } else { "false" };
    format!("{{\"decisions\":[{}],\"more\":{more}}}", found.records.join(",\n")).into_bytes()
}

const SOON: Duration = Duration::from_secs(1);
const OFF: &str =
    "no decisions are recorded; the gateway file may say `telemetry: { decisions: { dir: decisions } }`\n";
