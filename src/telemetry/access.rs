//! The access log: one JSON line for each request, once it is over.
//!
//! Whoever ends a request makes its line; a thread of its own writes what has gathered. If it cannot keep up, lines are
//! dropped and counted rather than requests delayed.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::base::ids::{KeyName, ModelName, PolicyName, RequestId, TargetName};
use crate::base::json::{Writer, member};
use crate::base::millis::Millis;
use crate::base::money::Nanos;
use crate::telemetry::lines::Lines;

/// What is written about a request. Names are shared, not copied.
#[derive(Debug, Default, Clone)]
pub struct Line {
    pub time: Timestamp,
    pub request_id: RequestId,
    pub endpoint: &'static str,
    /// The request that this one was a copy of.
    pub shadow_of: Option<RequestId>,
    /// The request that was given the answer which this one was put to renew.
    pub renewal_of: Option<RequestId>,
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
    /// Of the input those that the provider has read from its own cache, if there are any.
    pub cached_tokens: Option<u64>,
    /// What that has saved.
    pub cached_saved: Option<Nanos>,
    /// What it cost, where that is known.
    pub cost: Option<Nanos>,
    /// The tokens that cost it were counted by the gateway, not by the provider.
    pub is_cost_estimated: bool,
    /// What came of looking for the answer among those that are kept: `hit`, `miss` and so on.
    pub cache: Option<&'static str>,
    /// How the answer was found, if one was given.
    pub cache_tier: Option<&'static str>,
    /// What an answer cost when it was made that was kept or made for another, less what is charged for it.
    pub saved: Option<Nanos>,
    /// What is charged for it, which is then all that it costs.
    pub charged: Option<Nanos>,
    pub finish: Option<&'static str>,
    pub took: Duration,
    pub first_token: Option<Duration>,
    pub overhead: Option<Duration>,
    pub losses: Vec<String>,
}

impl Line {
    /// Whether it is of no request that a caller has made, but of one that was made beside it.
    pub fn is_beside(&self) -> bool {
        self.shadow_of.is_some() || self.renewal_of.is_some()
    }

    /// Whether the answer broke off, or none came.
    pub fn is_failed(&self) -> bool {
        matches!(self.outcome, "failed" | "cut")
    }

    pub fn is_refused(&self) -> bool {
        self.outcome == "refused"
    }

    /// The line as the fields that are written.
    pub fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_slice(&self.to_json()).unwrap_or_default()
    }

    fn to_json(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(512);
        writer.object(|w| self.members(w));
        let mut line = writer.into_bytes();
        line.push(b'\n');
        line
    }

    /// Writes the fields into an object that may have others beside.
    pub(super) fn members(&self, w: &mut Writer) {
        w.member(member!("time")).time(self.time);
        w.member(member!("request_id")).request_id(&self.request_id);
        w.member(member!("endpoint")).word(self.endpoint);
        if let Some(original) = &self.shadow_of {
            w.member(member!("shadow_of")).request_id(original);
        }
        if let Some(original) = &self.renewal_of {
            w.member(member!("renewal_of")).request_id(original);
        }
        word(w, member!("dialect"), self.dialect);
        w.member(member!("stream")).bool(self.stream);
        w.member(member!("status")).u64(u64::from(self.status));
        w.member(member!("outcome")).word(self.outcome);
        optional(w, member!("code"), self.code.as_deref());
        optional(w, member!("policy"), self.policy.as_ref().map(PolicyName::as_str));
        optional(w, member!("key"), self.key.as_ref().map(KeyName::as_str));
        optional(w, member!("team"), self.team.as_deref());
        optional(w, member!("user"), self.user.as_deref());
        w.member(member!("model")).str(self.model.as_str());
        optional(w, member!("target"), self.target.as_ref().map(TargetName::as_str));
        w.member(member!("attempts")).u64(self.attempts as u64);
        count(w, member!("input_tokens"), self.input_tokens);
        count(w, member!("output_tokens"), self.output_tokens);
        count(w, member!("cached_tokens"), self.cached_tokens);
        if let Some(saved) = self.cached_saved {
            w.member(member!("cached_saved_usd")).dollars(saved);
        }
        if let Some(cost) = self.cost {
            w.member(member!("cost_usd")).dollars(cost);
        }
        if self.is_cost_estimated {
            w.member(member!("cost_estimated")).bool(true);
        }
        word(w, member!("cache"), self.cache);
        word(w, member!("cache_tier"), self.cache_tier);
        if let Some(saved) = self.saved {
            w.member(member!("saved_usd")).dollars(saved);
        }
        word(w, member!("finish"), self.finish);
        millis(w, member!("took_ms"), Some(self.took));
        millis(w, member!("first_token_ms"), self.first_token);
        millis(w, member!("overhead_ms"), self.overhead);
        if !self.losses.is_empty() {
            w.member(member!("losses")).array(|w| self.losses.iter().for_each(|loss| w.str(loss)));
        }
    }
}

fn word(writer: &mut Writer, member: &'static str, value: Option<&'static str>) {
    if let Some(value) = value {
        writer.member(member).word(value);
    }
}

fn optional(writer: &mut Writer, member: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        writer.member(member).str(value);
    }
}

fn count(writer: &mut Writer, member: &'static str, value: Option<u64>) {
    if let Some(value) = value {
        writer.member(member).u64(value);
    }
}

fn millis(writer: &mut Writer, member: &'static str, value: Option<Duration>) {
    if let Some(value) = value {
        writer.member(member).millis(Millis::of(value));
    }
}

/// Where the lines go.
#[derive(Clone)]
pub struct AccessLog(Lines);

/// Lines that may wait to be written.
const QUEUE: u64 = 8192;

impl AccessLog {
    /// A log that keeps nothing.
    pub fn off() -> Self {
        Self(Lines::to_nobody())
    }

    /// A log on standard output.
    pub fn stdout() -> Self {
        Self::to(std::io::stdout())
    }

    /// A log to any writer, from a thread of its own.
    pub fn to(mut sink: impl Write + Send + 'static) -> Self {
        Self(Lines::to("access-log", QUEUE, Arc::default(), move |batch| {
            // A log nobody can read any more must not stop the gateway.
            let _ = sink.write_all(batch).and_then(|()| sink.flush());
        }))
    }

    pub fn write(&self, line: &Line) {
        // Made here and not by the thread that writes: handing over what a line is made of costs more than making it.
        if self.0.are_taken() {
            self.0.lay(&line.to_json());
        }
    }

    /// Waits, for a second at the most, until what was handed over is written.
    pub fn flush(&self) {
        self.0.flush();
    }

    /// Lines that were dropped because the writer could not keep up.
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

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
            log.write(&Line::default());
        }
        assert!(log.dropped() > 0);
        log.flush();
    }

    /// A sink whose takings can be looked at.
    #[derive(Clone, Default)]
    struct Shelf(Arc<Mutex<Vec<u8>>>);

    impl Write for Shelf {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_of_any_thread_is_missing_after_a_flush() {
        let shelf = Shelf::default();
        let log = AccessLog::to(shelf.clone());
        let write = || (0..1000).for_each(|_| log.write(&Line::default()));
        thread::scope(|threads| (0..4).for_each(|_| drop(threads.spawn(write))));
        log.flush();
        let lines = shelf.0.lock().unwrap().split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(lines, 4000);
    }
}
