//! Holding what came of a test against what was expected.

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Value;

use super::document::{Ended, ExpectDoc};
use super::house::Seen;
use crate::chat::{Completion, Content, Delta, Event, Frame};
use crate::dialect::Dialect;

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The field of `expect`.
    pub field: String,
    pub expected: String,
    pub found: String,
}

/// What the caller read out of the answer.
struct Answer {
    text: String,
    code: String,
    ended: Ended,
}

/// Every expectation that was not met.
pub fn check(expected: &ExpectDoc, seen: &Seen, dialect: &dyn Dialect) -> Vec<Failure> {
    let answer = Answer::read(seen, dialect);
    let mut failures = Vec::new();
    let mut same = |field: &str, expected: Option<String>, found: String| {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            failures.push(Failure { field: field.to_owned(), expected, found });
        }
    };
    same("status", expected.status.map(|status| status.to_string()), seen.status.to_string());
    same("code", expected.code.clone(), answer.code.clone());
    same("answer", expected.answer.clone(), answer.text.clone());
    same(
        "ending",
        expected.ending.map(|ending| format!("{ending:?}").to_lowercase()),
        format!("{:?}", answer.ended).to_lowercase(),
    );
    let line = seen.decision.as_ref().map(|decision| &decision.line);
    let policy = line.and_then(|line| line.policy.as_ref()).map_or_else(|| "none".to_owned(), ToString::to_string);
    same("policy", expected.policy.clone(), policy);
    let attempts = seen.attempts();
    same("attempts", expected.attempts.as_ref().map(|attempts| attempts.join(", ")), attempts.join(", "));
    for (name, value) in &expected.headers.0 {
        let found =
            seen.headers.get(name.value.as_str()).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        same(&format!("headers.{}", name.value), Some(value.clone()), found.unwrap_or_else(|| "no such header".into()));
    }
    let log = line.map(|line| line.fields()).unwrap_or_default();
    for (name, value) in &expected.log.0 {
        let found = log.get(name.value.as_str()).cloned().unwrap_or(Value::Null);
        same(&format!("log.{}", name.value), Some(value.to_string()), found.to_string());
    }
    let upstream: String =
        seen.received.iter().map(|received| received.head.clone() + &String::from_utf8_lossy(&received.body)).collect();
    let took = seen.took;
    let mut holds = |field: &str, holds: bool, expected: String, found: String| {
        if !holds {
            failures.push(Failure { field: field.to_owned(), expected, found });
        }
    };
    for (field, words, text, wanted) in [
        ("answer_contains", &expected.answer_contains, &answer.text, true),
        ("answer_lacks", &expected.answer_lacks, &answer.text, false),
        ("upstream_contains", &expected.upstream_contains, &upstream, true),
        ("upstream_lacks", &expected.upstream_lacks, &upstream, false),
    ] {
        for word in &words.0 {
            holds(field, text.contains(word.as_str()) == wanted, word.clone(), text.clone());
        }
    }
    if let Some(least) = expected.elapsed_at_least {
        holds("elapsed_at_least", took >= least.0, format!("{:?}", least.0), format!("{took:?}"));
    }
    if let Some(most) = expected.elapsed_at_most {
        holds("elapsed_at_most", took <= most.0, format!("{:?}", most.0), format!("{took:?}"));
    }
    failures
}

impl Seen {
    /// The targets that were asked, in order.
    fn attempts(&self) -> Vec<String> {
        let entries = self.decision.iter().flat_map(|decision| &decision.trail.attempts);
        let asked = entries.filter(|attempt| attempt.outcome != "passed_over");
        asked.map(|attempt| attempt.target.to_string()).collect()
    }
}

impl Answer {
    fn read(seen: &Seen, dialect: &dyn Dialect) -> Self {
        let kind = seen.headers.get("content-type").map(|kind| kind.as_bytes()).unwrap_or_default();
        if kind.starts_with(b"text/event-stream") {
            return Self::of_stream(seen, dialect);
        }
        let ended = if seen.is_broken { Ended::Cut } else { Ended::Clean };
        let body = ByteString::try_from(Bytes::copy_from_slice(&seen.body)).unwrap_or_default();
        match dialect.read_completion(&body) {
            Ok(completion) => Self { text: text_of(&completion), code: String::new(), ended },
            Err(_) => Self { text: body.to_string(), code: code_of(&seen.body), ended },
        }
    }

    fn of_stream(seen: &Seen, dialect: &dyn Dialect) -> Self {
        let mut reader = dialect.stream_reader();
        let mut frames: Vec<Frame> = Vec::new();
        let read = reader.feed(Bytes::copy_from_slice(&seen.body), &mut frames);
        let finished = reader.finish(&mut frames);
        let events = || frames.iter().flat_map(|frame| frame.iter());
        let text = events().filter_map(|event| match event {
            Event::Delta { delta: Delta::Text(text), .. } => Some(text.as_str().into_owned()),
            _ => None,
        });
        let code = events().find_map(|event| match event {
            Event::Failed(failure) => Some(failure.reply.code.clone().unwrap_or_default()),
            _ => None,
        });
        let has_failed = events().any(|event| matches!(event, Event::Failed(_)));
        let ended = match (has_failed, read.is_ok() && finished.is_ok() && !seen.is_broken) {
            (true, _) => Ended::Error,
            (false, true) => Ended::Clean,
            (false, false) => Ended::Cut,
        };
        Self { text: text.collect(), code: code.unwrap_or_default().to_string(), ended }
    }
}

fn text_of(completion: &Completion) -> String {
    let parts = completion.choices.iter().flat_map(|choice| &choice.parts);
    let texts = parts.filter_map(|part| match &part.content {
        Content::Text(text) => Some(text.as_str().into_owned()),
        _ => None,
    });
    texts.collect()
}

/// OpenAI's `error.code`, and for lack of it the `error.type` that Anthropic has.
fn code_of(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error");
    let field = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str).map(ToOwned::to_owned);
    field("code").or_else(|| field("type")).unwrap_or_default()
}
