//! The simulator's bodies: frames one after the other, each in its time, and how they end.

use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::StreamBody;

use crate::provider::simulator::voice::Frame;
use crate::provider::transport::{BoxError, ReplyBody};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Clean,
    /// The connection breaks.
    Broken,
    /// Nothing more comes, not even an end.
    Never,
}

/// Waits, if there is anything to wait for: timers round up to a millisecond or two.
pub(super) async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// A body of `frames`, waiting `delay` before each token.
pub(super) fn stream(frames: Vec<Frame>, delay: Duration, ending: Ending) -> ReplyBody {
    let paced = stream::iter(frames).then(move |frame| async move {
        if frame.is_token {
            pause(delay).await;
        }
        Ok(http_body::Frame::data(frame.bytes))
    });
    ReplyBody::made(StreamBody::new(paced.chain(tail(ending))))
}

fn tail(ending: Ending) -> impl Stream<Item = Result<http_body::Frame<bytes::Bytes>, BoxError>> + Send {
    stream::iter((ending != Ending::Clean).then_some(ending)).then(|ending| async move {
        if ending == Ending::Never {
            std::future::pending::<()>().await;
        }
        Err("simulated: connection reset".into())
    })
}
