//! Files from elsewhere, over the same way out as everything else.

use std::sync::Arc;
use std::time::Duration;

use http::header::LOCATION;
use http::uri::PathAndQuery;
use http::{Request, Uri};
use http_body_util::BodyExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::base::ids::TargetName;
use crate::provider::{Body, Hop, Pools, ReplyBody};

pub struct Fetch {
    runtime: Runtime,
    pools: Arc<Pools>,
}

impl Fetch {
    /// # Errors
    /// When there is no way out.
    pub fn start() -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        Ok(Self { runtime, pools: Arc::new(Pools::new()) })
    }

    /// The file at a URL, or at what that leads to.
    ///
    /// # Errors
    /// When it is not to be had, or has more than `most` bytes.
    pub fn get(&self, url: &str, most: u64) -> Result<Vec<u8>, String> {
        self.runtime.block_on(self.follow(url, most)).map_err(|why| format!("`{url}` cannot be fetched: {why}"))
    }

    async fn follow(&self, url: &str, most: u64) -> Result<Vec<u8>, String> {
        let mut at = url.to_owned();
        for _ in 0..REDIRECTS {
            let response = self.send(&at).await?;
            let status = response.status();
            if status.is_success() {
                return read(response.into_body(), most).await;
            }
            let next = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            match next.filter(|_| status.is_redirection()) {
                Some(next) => at = beside(&at, next)?,
                None => return Err(format!("the answer was {status}")),
            }
        }
        Err("it leads from one place to the next".to_owned())
    }

    async fn send(&self, url: &str) -> Result<http::Response<ReplyBody>, String> {
        let (uri, transport) = self.pools.lead(url, None)?;
        let mut request = Request::new(Body::Empty);
        *request.uri_mut() = uri;
        let name = TargetName::new("embedder");
        let sent = transport.send(request, Hop { target: &name, connect: CONNECT });
        timeout(PATIENCE, sent).await.map_err(|_| slow())?.map_err(|error| error.to_string())
    }
}

async fn read(mut body: ReplyBody, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = timeout(PATIENCE, body.frame()).await.map_err(|_| slow())? {
        if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() as u64 > most {
            return Err(format!("it has more than {most} bytes"));
        }
    }
    Ok(bytes)
}

/// Where a redirect leads; never from TLS to none.
fn beside(url: &str, next: &str) -> Result<String, String> {
    let unread = |_| format!("it leads to `{next}`, which is no URL");
    let mut parts = url.parse::<Uri>().map_err(|error| error.to_string())?.into_parts();
    if next.starts_with('/') && !next.starts_with("//") {
        parts.path_and_query = Some(next.parse::<PathAndQuery>().map_err(|_| unread(()))?);
        return Uri::from_parts(parts).map(|uri| uri.to_string()).map_err(|_| unread(()));
    }
    if url.starts_with("https://") && !next.starts_with("https://") {
        return Err(format!("it leads to `{next}`, which has no TLS"));
    }
    Ok(next.to_owned())
}

fn slow() -> String {
    format!("nothing came for {} s", PATIENCE.as_secs())
}

const REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);
/// Between any two parts of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
