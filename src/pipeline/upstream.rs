//! A streamed answer on its way in.
//!
//! [`Upstream`] turns the bytes of a reply into bursts of frames, one burst for each read, and watches the
//! clock: a stream that falls silent, breaks off, reports a failure or stops being its dialect ends in a
//! fault, never in a clean end. It reads only when it is polled, so a slow caller slows its upstream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use http_body::Body as _;
use tokio::time::Instant;

use crate::base::ids::TargetName;
use crate::base::stop::{Failed, Fault, Phase, Stop};
use crate::chat::{Event, Frame};
use crate::dialect::{StreamReader, is_semantic};
use crate::pipeline::attempt::Sending;
use crate::pipeline::silence::Silence;
use crate::pipeline::step::Burst;
use crate::pipeline::watch::Watch;
use crate::provider::ReplyBody;

/// The frames of a streamed answer.
pub struct Upstream {
    body: ReplyBody,
    reader: Box<dyn StreamReader>,
    silence: Silence,
    watch: Watch,
    /// When the attempt was sent; taken once the first token is here.
    started: Option<Instant>,
    between_tokens: Duration,
    state: State,
    tried: Vec<TargetName>,
    gathered: Gathered,
}

/// Frames that leave together, and the fault that comes after them.
#[derive(Default)]
struct Gathered {
    frames: Burst,
    fault: Option<Fault>,
    /// Whether the connection was given a turn since the last frame.
    has_yielded: bool,
}

enum State {
    Reading,
    /// The provider has said that this is all; the end of the body is awaited so that the connection can
    /// be used again.
    Ended,
    /// To be reported after the frames before it.
    Failing(Box<Fault>),
    Done,
}

/// The most frames that leave in one write.
const MOST_GATHERED: usize = 512;

/// How long the end of the body may take after the end of the answer.
const GRACE: Duration = Duration::from_millis(250);

impl Upstream {
    pub fn new(body: ReplyBody, reader: Box<dyn StreamReader>, sending: &Sending<'_>, watch: Watch) -> Self {
        let timeouts = sending.rules.timeouts;
        Self {
            body,
            reader,
            silence: Silence::new(Phase::FirstToken, timeouts.first_token, sending.deadline, timeouts.total),
            watch,
            started: Some(sending.started),
            between_tokens: timeouts.between_tokens,
            state: State::Reading,
            tried: sending.tried.to_vec(),
            gathered: Gathered::default(),
        }
    }

    fn target(&self) -> TargetName {
        self.watch.target().name.clone()
    }

    /// Further bytes of the body.
    fn take(&mut self, bytes: bytes::Bytes) -> Result<Burst, Fault> {
        let mut frames = Vec::new();
        let read = self.reader.feed(bytes, &mut frames);
        self.look_at(&mut frames);
        if let Err(malformed) = read
            && matches!(self.state, State::Reading)
        {
            let dialect = self.watch.target().dialect.id();
            let fault = Fault::Garbled { target: self.target(), dialect, reason: malformed.to_string() };
            self.fail_after(&frames, fault)?;
        }
        Ok(frames)
    }

    /// The body has ended.
    fn end(&mut self) -> Result<Burst, Fault> {
        let mut frames = Vec::new();
        let finished = self.reader.finish(&mut frames);
        self.look_at(&mut frames);
        match finished {
            _ if matches!(self.state, State::Failing(_)) => {}
            Ok(()) if self.started.is_some() => {
                return Err(Fault::Cut { target: self.target(), reason: "the answer is empty".into() });
            }
            Ok(()) => {
                self.watch.good();
                self.state = State::Done;
            }
            Err(cut) => {
                let fault = Fault::Cut { target: self.target(), reason: cut.0.into_owned() };
                self.fail_after(&frames, fault)?;
            }
        }
        Ok(frames)
    }

    /// Notes what the frames mean for the clock and the state; drops those after a reported failure.
    fn look_at(&mut self, frames: &mut Vec<Frame>) {
        for i in 0..frames.len() {
            let Some(events) = frames.get(i).map(|frame| &**frame) else { return };
            if is_semantic(events) {
                if let Some(started) = self.started.take() {
                    self.watch.first_token_after(started.elapsed());
                    self.silence.enter(Phase::NextToken, self.between_tokens);
                }
                self.silence.touch();
            }
            if events.iter().any(|event| matches!(event, Event::End)) {
                self.state = State::Ended;
                self.silence.enter(Phase::Whole, GRACE);
                // Many callers hang up as soon as they have seen the end.
                if self.started.is_none() {
                    self.watch.good();
                }
                frames.truncate(i + 1);
                return;
            }
            if let Some(mut failure) = events.iter().find_map(|event| match event {
                Event::Failed(failure) => Some(failure.clone()),
                _ => None,
            }) {
                self.watch.target().provider.hide_keys(&mut failure.reply);
                self.state = State::Failing(Box::new(failure.at(self.target(), None)));
                frames.truncate(i);
                return;
            }
        }
    }

    /// Reports the fault now if there is nothing to deliver before it, otherwise after that.
    fn fail_after(&mut self, frames: &[Frame], fault: Fault) -> Result<(), Fault> {
        if frames.is_empty() {
            return Err(fault);
        }
        self.state = State::Failing(Box::new(fault));
        Ok(())
    }

    fn fail(&mut self, fault: Fault) -> Fault {
        self.state = State::Done;
        self.watch.lost(fault)
    }

    /// Like `poll_next`, with the fault itself: the frames of one read from the socket.
    ///
    /// A connection with a task of its own hands a read over chunk by chunk, and each chunk only when it has had
    /// its turn. So with frames in hand and none to follow, it is given a turn; if that brings nothing, this was all.
    fn poll_gathered(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Burst, Fault>>> {
        if let Some(fault) = self.gathered.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        while self.gathered.frames.len() < MOST_GATHERED {
            let is_empty = self.gathered.frames.is_empty();
            match self.poll_burst(cx) {
                Poll::Ready(Some(Ok(mut frames))) => {
                    self.gathered.frames.append(&mut frames);
                    self.gathered.has_yielded = false;
                }
                outcome @ (Poll::Ready(_) | Poll::Pending) if is_empty => return outcome,
                Poll::Ready(Some(Err(fault))) => {
                    self.gathered.fault = Some(fault);
                    break;
                }
                Poll::Ready(None) => break,
                Poll::Pending if !self.gathered.has_yielded && !self.body.is_at_hand() => {
                    self.gathered.has_yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        self.gathered.has_yielded = false;
        Poll::Ready(Some(Ok(std::mem::take(&mut self.gathered.frames))))
    }

    /// The frames of one piece of the body.
    fn poll_burst(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Burst, Fault>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Failing(fault) => return Poll::Ready(Some(Err(self.fail(*fault)))),
                reading => self.state = reading,
            }
            let burst = match ready!(self.poll_bytes(cx)) {
                Ok(Some(bytes)) if matches!(self.state, State::Ended) => {
                    drop(bytes);
                    continue;
                }
                Ok(Some(bytes)) => self.take(bytes),
                Ok(None) => self.end(),
                Err(fault) => Err(fault),
            };
            match burst {
                Ok(frames) if frames.is_empty() => {}
                Ok(frames) => return Poll::Ready(Some(Ok(frames))),
                Err(fault) => return Poll::Ready(Some(Err(self.fail(fault)))),
            }
        }
    }

    /// The next bytes, `None` at the end, a fault when the connection breaks or is silent too long.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<bytes::Bytes>, Fault>> {
        let is_over = matches!(self.state, State::Ended);
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Ok(Some(bytes))),
                    _ => {}
                },
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(_))) if is_over => return Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(error))) => {
                    let reason = format!("the connection broke: {error}");
                    return Poll::Ready(Err(Fault::Cut { target: self.target(), reason }));
                }
                Poll::Pending => {
                    let (phase, limit) = ready!(self.silence.poll(cx));
                    if is_over {
                        return Poll::Ready(Ok(None));
                    }
                    return Poll::Ready(Err(Fault::Silent { target: self.target(), phase, limit }));
                }
            }
        }
    }

    /// The next burst, before the answer is the caller's.
    pub async fn next(&mut self) -> Option<Result<Burst, Fault>> {
        std::future::poll_fn(|cx| self.poll_gathered(cx)).await
    }
}

impl Stream for Upstream {
    type Item = Result<Burst, Stop>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let burst = ready!(self.poll_gathered(cx));
        Poll::Ready(burst.map(|burst| burst.map_err(|fault| Stop::Failed(Failed { fault, tried: self.tried.clone() }))))
    }
}
