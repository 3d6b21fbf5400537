//! Reading a whole body, within limits.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::base::gather::Gather;
use crate::base::ids::TargetName;
use crate::base::stop::{Fault, Phase};
use crate::provider::ReplyBody;

/// How much, and how long.
pub struct Limits {
    pub bytes: usize,
    /// Between two reads.
    pub between: Duration,
    /// When this attempt must be over, how long it had, and what to call that.
    pub until: (Instant, Duration, Phase),
    /// When everything must be over, and how long it had.
    pub deadline: (Instant, Duration),
}

impl Limits {
    /// When the next read must have happened, and what it means if it has not.
    fn due(&self) -> (Instant, Phase, Duration) {
        let rungs = [
            (Instant::now() + self.between, Phase::NextToken, self.between),
            (self.until.0, self.until.2, self.until.1),
            (self.deadline.0, Phase::Whole, self.deadline.1),
        ];
        rungs.into_iter().min_by_key(|(due, ..)| *due).unwrap_or((self.deadline.0, Phase::Whole, self.deadline.1))
    }
}

/// Reads the body to its end.
///
/// # Errors
/// When it breaks off, falls silent or is too large.
pub async fn collect(mut body: ReplyBody, target: &TargetName, limits: &Limits) -> Result<Bytes, Fault> {
    let mut gather = Gather::default();
    // A body whose length is known is not asked again after its last byte.
    while !body.is_end_stream() {
        // Short answers come with their heads. For what is here already no clock is looked at.
        let frame = match body.frame().now_or_never() {
            Some(frame) => frame,
            None => {
                let (due, phase, limit) = limits.due();
                let silent = |_| Fault::Silent { target: target.clone(), phase, limit };
                // Boxed, so that answers that need no wait make no room for it.
                Box::pin(timeout_at(due, body.frame())).await.map_err(silent)?
            }
        };
        let frame = match frame {
            Some(Ok(frame)) => frame,
            None => break,
            Some(Err(error)) => {
                return Err(Fault::Cut { target: target.clone(), reason: format!("the connection broke: {error}") });
            }
        };
        let Ok(bytes) = frame.into_data() else { continue };
        if gather.len() + bytes.len() > limits.bytes {
            let reason = format!("the answer is larger than {} bytes", limits.bytes);
            return Err(Fault::Cut { target: target.clone(), reason });
        }
        gather.push(bytes);
    }
    Ok(gather.finish())
}
