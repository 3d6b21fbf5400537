//! The access log: one JSON line for each request, once it is over.
//!
//! A thread of its own writes the lines. If it cannot keep up, lines are dropped and counted rather than
//! requests delayed.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::base::ids::{KeyName, ModelName, PolicyName, RequestId, TargetName};
use crate::base::json::{Number, Writer};
use crate::base::millis::Millis;
use crate::base::money::Nanos;

/// What is written about a request. Names are shared, not copied; letters are made of numbers by the thread
/// that writes.
#[derive(Debug, Default, Clone)]
pub struct Line {
    pub time: Timestamp,
    pub request_id: RequestId,
    pub endpoint: &'static str,
    pub dialect: Option<&'static str>,
    pub stream: bool,
    pub status: u16,
    /// `ok`, `refused`, `failed`, `cut` or `hang_up`.
    pub outcome: &'static str,
    /// The reason, when the outcome is not `ok`.
    pub code: Option<Cow<'static, str>>,
    pub policy: Option<PolicyName>,
    pub key: Option<KeyName>,
    pub team: Option<Arc<str>>,
    pub user: Option<Arc<str>>,
    pub model: ModelName,
    pub target: Option<TargetName>,
    pub attempts: usize,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    /// What it cost, where that is known.
    pub cost: Option<Nanos>,
    /// The tokens that cost it were counted by the gateway, not by the provider.
    pub is_cost_estimated: bool,
    pub finish: Option<&'static str>,
    pub took: Duration,
    pub first_token: Option<Duration>,
    pub overhead: Option<Duration>,
    pub losses: Vec<String>,
}

impl Line {
    /// The line as the fields that are written.
    pub fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_slice(&self.to_json()).unwrap_or_default()
    }

    fn to_json(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(512);
        writer.object(|w| {
            w.key("time").str(&self.time.to_string());
            w.key("request_id").str(self.request_id.as_str());
            w.key("endpoint").str(self.endpoint);
            optional(w, "dialect", self.dialect);
            w.key("stream").bool(self.stream);
            w.key("status").u64(u64::from(self.status));
            w.key("outcome").str(self.outcome);
            optional(w, "code", self.code.as_deref());
            optional(w, "policy", self.policy.as_ref().map(PolicyName::as_str));
            optional(w, "key", self.key.as_ref().map(KeyName::as_str));
            optional(w, "team", self.team.as_deref());
            optional(w, "user", self.user.as_deref());
            w.key("model").str(self.model.as_str());
            optional(w, "target", self.target.as_ref().map(TargetName::as_str));
            w.key("attempts").u64(self.attempts as u64);
            count(w, "input_tokens", self.input_tokens);
            count(w, "output_tokens", self.output_tokens);
            if let Some(cost) = self.cost {
                w.key("cost_usd").number(&Number::from(cost));
            }
            if self.is_cost_estimated {
                w.key("cost_estimated").bool(true);
            }
            optional(w, "finish", self.finish);
            millis(w, "took_ms", Some(self.took));
            millis(w, "first_token_ms", self.first_token);
            millis(w, "overhead_ms", self.overhead);
            if !self.losses.is_empty() {
                w.key("losses").array(|w| self.losses.iter().for_each(|loss| w.str(loss)));
            }
        });
        let mut line = writer.into_bytes();
        line.push(b'\n');
        line
    }
}

fn optional(writer: &mut Writer, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        writer.key(key).str(value);
    }
}

fn count(writer: &mut Writer, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        writer.key(key).u64(value);
    }
}

fn millis(writer: &mut Writer, key: &str, value: Option<Duration>) {
    if let Some(value) = value {
        writer.key(key).millis(Millis::of(value));
    }
}

/// Where the lines go.
#[derive(Clone)]
pub struct AccessLog {
    lines: Option<SyncSender<Message>>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Line(Box<Line>),
    /// Say so when everything before this is written.
    Flush(SyncSender<()>),
}

/// Lines that may wait to be written.
const QUEUE: usize = 8192;

impl AccessLog {
    /// A log that keeps nothing.
    pub fn off() -> Self {
        Self { lines: None, dropped: Arc::default() }
    }

    /// A log on standard output.
    pub fn stdout() -> Self {
        Self::to(std::io::stdout())
    }

    /// A log to any writer, from a thread of its own.
    pub fn to(sink: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(QUEUE);
        let spawned = thread::Builder::new().name("access-log".into()).spawn(move || write_all(&queue, sink));
        Self { lines: spawned.is_ok().then_some(lines), dropped: Arc::default() }
    }

    pub fn write(&self, line: Line) {
        let Some(lines) = &self.lines else { return };
        if let Err(TrySendError::Full(_)) = lines.try_send(Message::Line(Box::new(line))) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits, for a second at the most, until what was handed over is written.
    pub fn flush(&self) {
        let Some(lines) = &self.lines else { return };
        let (done, wait) = sync_channel(1);
        let until = Instant::now() + Duration::from_secs(1);
        let mut message = Message::Flush(done);
        // The queue may be full, and its reader stuck.
        while let Err(TrySendError::Full(back)) = lines.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = back;
            thread::sleep(Duration::from_millis(5));
        }
        let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
    }

    /// Lines that were dropped because the writer could not keep up.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// How long lines may gather before they are written.
const GATHER: Duration = Duration::from_millis(20);

/// Writes what has gathered in one go, and flushes when nothing is left to write.
fn write_all(queue: &Receiver<Message>, mut sink: impl Write) {
    let mut batch = Vec::new();
    while let Ok(first) = next(queue) {
        let mut next = Some(first);
        let mut flushed = None;
        while let Some(message) = next.take() {
            match message {
                Message::Line(line) => batch.extend(line.to_json()),
                Message::Flush(done) => flushed = Some(done),
            }
            if batch.len() < 64 * 1024 && flushed.is_none() {
                next = queue.try_recv().ok();
            }
        }
        // A log nobody can read any more must not stop the gateway.
        let _ = sink.write_all(&batch).and_then(|()| sink.flush());
        batch.clear();
        if let Some(done) = flushed {
            let _ = done.try_send(());
        }
    }
}

/// The next message. While messages come, the thread sleeps and looks: one that waited for each would have
/// to be woken by each, at the cost of the request that wrote it.
fn next(queue: &Receiver<Message>) -> Result<Message, RecvError> {
    for _ in 0..50 {
        match queue.try_recv() {
            Ok(message) => return Ok(message),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
            Err(TryRecvError::Empty) => thread::sleep(GATHER),
        }
    }
    queue.recv()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_without_what_is_unknown() {
        let line = Line {
            request_id: RequestId::fresh(1),
            endpoint: "chat",
            model: ModelName::new("a\"b"),
            ..Line::default()
        };
        let text = String::from_utf8(line.to_json()).unwrap();
        let value: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(value["model"], "a\"b");
        assert!(value.get("team").is_none() && text.ends_with('\n') && text.matches('\n').count() == 1);
    }

    /// A sink that takes nothing.
    struct Stuck;

    impl Write for Stuck {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            thread::park();
            Ok(0)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_nobody_takes_neither_delays_requests_nor_holds_up_the_end() {
        let log = AccessLog::to(Stuck);
        for _ in 0..3 * QUEUE {
            log.write(Line::default());
        }
        assert!(log.dropped() > 0);
        log.flush();
    }
}
