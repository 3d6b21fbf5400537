//! The tree of spans that a story is told as: the request, what steps did, and each attempt.
//!
//! Model, usage and cost are on attempts alone, usage and cost only on those that were billed: so they are counted
//! once by everybody who adds up spans.

use std::time::{Duration, SystemTime};

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{self as otel, Event, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::attributes::Attributes;
use super::dialects::{Place, Vocabulary, operation, vocabulary};
use super::names;
use super::settings::Dialect;
use super::story::{Attempt, StepTaken, Story};
use super::texts::{Content, Spoken};
use crate::base::ids::{KeyName, PolicyName};
use crate::base::trace::{SpanId, TraceId};

/// The spans of a story, the request's first.
pub fn spans(story: &Story, dialects: &[Dialect], content: Content) -> Vec<SpanData> {
    let words = dialects.iter().map(|dialect| vocabulary(*dialect)).collect();
    let spoken = story.texts.as_ref().and_then(|texts| texts.told(content));
    let teller = Teller { story, words, spoken: spoken.unwrap_or_default() };
    let mut spans = Vec::with_capacity(story.spans());
    spans.push(teller.root());
    spans.extend(story.steps.iter().map(|step| teller.step(step)));
    spans.extend(story.attempts.iter().map(|attempt| teller.attempt(attempt)));
    spans
}

struct Teller<'a> {
    story: &'a Story,
    words: Vec<&'static dyn Vocabulary>,
    /// As far as it may be told.
    spoken: Spoken,
}

impl Teller<'_> {
    fn root(&self) -> SpanData {
        let (story, line) = (self.story, &self.story.line);
        let mut out = self.attributes();
        out.text(names::METHOD, Some(&story.method));
        out.text(names::PATH, Some(&story.path));
        out.count(names::STATUS, u64::from(line.status));
        out.text(names::REQUEST, Some(line.request_id.as_str()));
        out.say(names::ENDPOINT, line.endpoint);
        out.say(names::OUTCOME, line.outcome);
        out.text(names::ERROR, line.code.as_deref());
        out.text(names::POLICY, line.policy.as_ref().map(PolicyName::as_str));
        out.text(names::REVISION, story.revision.as_deref());
        out.text(names::KEY, line.key.as_ref().map(KeyName::as_str));
        out.text(names::TEAM, line.team.as_deref());
        out.text(names::CACHE, line.cache);
        out.usd(names::SAVED, line.saved);
        out.usd(names::CHARGED, line.charged);
        out.usd(names::PREFIX_SAVED, line.cached_saved);
        out.count(names::ATTEMPTS, line.attempts as u64);
        if let Some(overhead) = line.overhead {
            out.say(names::OVERHEAD, overhead.as_secs_f64() * 1e3);
        }
        out.text(names::SHADOW_OF, line.shadow_of.as_ref().map(|original| original.as_str()));
        out.text(names::RENEWAL_OF, line.renewal_of.as_ref().map(|original| original.as_str()));
        self.words.iter().for_each(|words| {
            words.root(story, &mut out);
            words.texts(&self.spoken, Place::Root, &mut out);
        });
        let name = if story.path.is_empty() {
            line.endpoint.to_owned()
        } else {
            format!("{} {}", story.method, line.endpoint)
        };
        let mut span = self.span(story.context.span, name, Duration::ZERO, line.took, out);
        span.span_kind = SpanKind::Server;
        if let Some(parent) = story.context.parent {
            (span.parent_span_id, span.parent_span_is_remote) = (span_id(parent), true);
        } else {
            span.parent_span_id = otel::SpanId::INVALID;
        }
        if story.line.is_failed() {
            span.status = Status::error(line.code.as_deref().unwrap_or_default().to_owned());
        }
        let link = story.link.map(|link| context(link.trace, link.span, true));
        span.links.links.extend(link.map(|link| otel::Link::new(link, Vec::new(), 0)));
        span.events.events.extend(story.passed_over.iter().map(|passed| {
            let mut about = Attributes::default();
            about.text(names::TARGET, Some(&passed.target));
            about.text(names::ATTEMPT_REASON, Some(&passed.reason));
            Event::new(names::PASSED_OVER, self.at(passed.after), about.0, 0)
        }));
        span
    }

    fn step(&self, step: &StepTaken) -> SpanData {
        let mut out = self.attributes();
        out.say(names::STEP, step.name);
        out.text(names::VERDICT, Some(&step.verdict));
        self.words.iter().for_each(|words| words.step(step, &mut out));
        out.0.extend(step.notes.iter().map(|(name, value)| names::beneath(names::NOTE, name, value)));
        self.span(SpanId::fresh(), step.name.to_owned(), step.after, step.took, out)
    }

    fn attempt(&self, attempt: &Attempt) -> SpanData {
        let mut out = self.attributes();
        out.count(names::ATTEMPT_NUMBER, attempt.number as u64);
        out.text(names::ATTEMPT_OUTCOME, Some(&attempt.outcome));
        out.text(names::ATTEMPT_REASON, Some(&attempt.reason));
        out.text(names::TARGET, Some(&attempt.asked.target));
        out.text(names::HOST, Some(&attempt.asked.host));
        out.count(names::PORT, u64::from(attempt.asked.port));
        out.told(names::STATUS, attempt.status.map(u64::from));
        if !attempt.is_ok() {
            out.text(names::ERROR, Some(&attempt.outcome));
        }
        self.billed(attempt, &mut out);
        // All attempts were asked the same; the last one may have an answer.
        let has_texts = attempt.number == self.story.line.attempts;
        self.words.iter().for_each(|words| {
            words.attempt(self.story, attempt, &mut out);
            if has_texts {
                words.texts(&self.spoken, Place::Attempt, &mut out);
            }
        });
        let name = format!("{} {}", operation(self.story), attempt.asked.model).trim_end().to_owned();
        let mut span = self.span(attempt.span, name, attempt.after, attempt.took, out);
        span.span_kind = SpanKind::Client;
        if !attempt.is_ok() {
            span.status = Status::error(attempt.reason.clone());
        }
        if let Some(first) = attempt.bill.as_ref().and_then(|bill| bill.first_token) {
            span.events.events.push(Event::new(names::FIRST_TOKEN, self.at(attempt.after + first), Vec::new(), 0));
        }
        span
    }

    /// What the gateway itself says of an attempt's bill.
    fn billed(&self, attempt: &Attempt, out: &mut Attributes) {
        let Some(bill) = &attempt.bill else { return };
        out.usd(names::COST, bill.cost);
        if bill.is_estimate {
            out.say(names::ESTIMATED, true);
        }
        if let Some(first) = bill.first_token {
            out.count(names::CHUNKS, u64::from(bill.chunks));
            let rest = attempt.took.saturating_sub(first);
            out.say(names::PER_CHUNK, rest.as_secs_f64() / f64::from(bill.chunks.saturating_sub(1).max(1)));
        }
        if attempt.outcome == "cut" {
            out.say(names::CUT, true);
        }
    }

    /// What is said on every span.
    fn attributes(&self) -> Attributes {
        let mut out = Attributes(Vec::with_capacity(32));
        out.text(names::USER, self.story.line.user.as_deref());
        out.text(names::SESSION, self.story.session.as_deref());
        out.list(names::TAGS, &self.story.tags);
        let carried = self.story.baggage.iter();
        out.0.extend(carried.map(|(name, value)| names::beneath(names::BAGGAGE, name, value)));
        self.words.iter().for_each(|words| words.every(self.story, &mut out));
        out
    }

    /// A span below the request's.
    fn span(&self, id: SpanId, name: String, after: Duration, took: Duration, attributes: Attributes) -> SpanData {
        let begun = self.at(after);
        SpanData {
            span_context: context(self.story.context.trace, id, false),
            parent_span_id: span_id(self.story.context.span),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: begun,
            end_time: begun.checked_add(took).unwrap_or(begun),
            attributes: attributes.0,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder(names::SCOPE).with_version(names::VERSION).build(),
        }
    }

    fn at(&self, after: Duration) -> SystemTime {
        self.story.began.checked_add(after).unwrap_or(self.story.began)
    }
}

fn context(trace: TraceId, span: SpanId, is_remote: bool) -> SpanContext {
    let trace = otel::TraceId::from_bytes(trace.to_bytes());
    SpanContext::new(trace, span_id(span), TraceFlags::SAMPLED, is_remote, TraceState::default())
}

fn span_id(span: SpanId) -> otel::SpanId {
    otel::SpanId::from_bytes(span.to_bytes())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::base::trace::TraceContext;
    use crate::telemetry::Line;

    /// A story of nothing.
    pub fn story() -> Story {
        Story {
            context: TraceContext::fresh(),
            link: None,
            began: SystemTime::UNIX_EPOCH,
            line: Line { endpoint: "chat", outcome: "ok", ..Line::default() },
            is_of_stranger: false,
            method: "POST".into(),
            path: "/v1/messages".into(),
            revision: None,
            session: None,
            tags: Vec::new(),
            estimated: None,
            numbers: Default::default(),
            baggage: Vec::new(),
            texts: None,
            steps: Vec::new(),
            attempts: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_letters() {
        let mut story = story();
        story.session = Some("é".repeat(1 << 20).into());
        let spans = spans(&story, &[], Content::None);
        let said = spans.iter().flat_map(|span| &span.attributes).find(|said| said.key.as_str() == names::SESSION);
        assert_eq!(said.unwrap().value.as_str().len(), 1 << 20);
    }
}
